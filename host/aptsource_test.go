package host_test

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

const pgpKey = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nbm8ga2V5\n-----END PGP PUBLIC KEY BLOCK-----\n"

// vendorSource is a source that cannot be reached, so that it can be put in place without a server.
func vendorSource() host.AptSource {
	return host.AptSource{
		Name: "vendor", URIs: []string{"http://127.0.0.1:9/vendor"}, Suites: []string{"stable"}, Components: []string{"main"}, Key: pgpKey,
	}
}

// TestOtherFileNamesTheSource: a file that names the same source with another key is found by the plan, in either format
// and order, and with it removed by the state, in whatever order, apt works.
func TestOtherFileNamesTheSource(t *testing.T) {
	onAptMachines(t, func(t *testing.T, m *aptMachine) {
		for name, c := range map[string]struct{ file, content string }{
			"one line":        {"old-vendor.list", "deb [arch=amd64,arm64 signed-by=/usr/share/keyrings/vendor.gpg] http://127.0.0.1:9/vendor/ stable main # old\n"},
			"deb822":          {"a.sources", "# old\nTypes: deb\nURIs: http://127.0.0.1:9/other http://127.0.0.1:9/vendor\nSuites: stable\nComponents: main\nSigned-By: /usr/share/keyrings/vendor.gpg\n"},
			"trusted":         {"x-vendor.list", "deb [trusted=yes] http://127.0.0.1:9/vendor stable main\n"},
			"later, no key":   {"z.list", "deb http://127.0.0.1:9/vendor stable main\n"},
			"source packages": {"v.list", "deb-src [signed-by=/usr/share/keyrings/vendor.gpg] http://127.0.0.1:9/vendor stable main\n"},
		} {
			t.Run(name, func(t *testing.T) {
				m := m.again(t)
				m.publish(deb{name: "x-a", version: "1"})
				file := "/etc/apt/sources.list.d/" + c.file
				m.sh("printf '" + c.content + "' >" + file)
				defer m.sh("rm -f /etc/apt/sources.list.d/vendor.sources " + file)
				p, err := m.Plan(t.Context(), host.State{vendorSource()})
				if !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), file) ||
					!strings.Contains(err.Error(), "/etc/apt/sources.list.d/vendor.sources") || len(lab.Hints(err)) == 0 {
					t.Errorf("%v\n%s", err, p)
				}
				m.sh("[ ! -e /etc/apt/sources.list.d/vendor.sources ]; apt-get -q -o Acquire::Retries=0 update")
				settle(t, m.Machine, host.State{vendorSource(), host.File{Path: file, Absent: true}, host.Package{Name: "x-a"}})
				m.sh("apt-get -q -o Acquire::Retries=0 update")
			})
		}
		t.Run("the same of two", func(t *testing.T) {
			m := m.again(t)
			defer m.sh("rm -f /etc/apt/sources.list.d/vendor*")
			m.sh("echo 'deb [signed-by=/etc/apt/keyrings/vendor.asc] http://127.0.0.1:9/vendor stable main' >/etc/apt/sources.list.d/vendor.list")
			settle(t, m.Machine, host.State{vendorSource()})
		})
		t.Run("two of the state", func(t *testing.T) {
			m := m.again(t)
			other := vendorSource()
			other.Name = "other"
			if _, err := m.Plan(t.Context(), host.State{vendorSource(), other}); !errors.Is(err, lab.ErrConflict) {
				t.Errorf("%v", err)
			}
		})
	})
}

// TestDeadSourceIsNotAdded: a source with which apt-get update would fail is refused before it is in place, as a new one
// and in place of one that works, and apt still installs.
func TestDeadSourceIsNotAdded(t *testing.T) {
	onAptMachines(t, func(t *testing.T, m *aptMachine) {
		dead := func(change func(*host.AptSource)) host.AptSource {
			s := host.AptSource{Name: "vendor", URIs: []string{"file:/nonexistent/debian"}, Suites: []string{"./"}}
			change(&s)
			return s
		}
		for name, s := range map[string]host.AptSource{
			"no release file":   dead(func(*host.AptSource) {}),
			"with a key":        dead(func(s *host.AptSource) { s.Key = pgpKey }),
			"trusted, no lists": dead(func(s *host.AptSource) { s.Trusted = true }),
			"not a suite":       dead(func(s *host.AptSource) { s.Components = []string{"main"} }),
		} {
			t.Run(name, func(t *testing.T) {
				m := m.again(t)
				m.publish(deb{name: "x-a", version: "1"})
				defer m.sh("rm -f /etc/apt/sources.list.d/vendor*")
				for _, before := range []string{"", "deb [trusted=yes] http://127.0.0.1:9/x ./\n"} {
					m.sh("rm -f /etc/apt/sources.list.d/vendor*; [ -z '" + before + "' ] || printf '" + before + "' >/etc/apt/sources.list.d/vendor.list")
					r, err := m.plan(host.State{s}).Apply(t.Context(), nil)
					if err == nil || !strings.Contains(err.Error(), "/etc/apt/sources.list.d/vendor.sources: exit status 1: ") {
						t.Errorf("%v\n%s", err, r)
					}
					m.sh("[ ! -e /etc/apt/sources.list.d/vendor.sources ] && [ -z \"$(find /etc/apt /tmp -name '.lab-*' -o -name 'tmp.*')\" ] && apt-get -q -o Acquire::Retries=0 update")
				}
				settle(t, m.Machine, packages("x-a"))
			})
		}
	})
}
