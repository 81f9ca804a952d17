package host_test

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// TestPackageFailsAlone: a package that cannot be configured, now or since earlier, is the only one that fails.
func TestPackageFailsAlone(t *testing.T) {
	onAptMachines(t, func(t *testing.T, m *aptMachine) {
		for name, before := range map[string]string{
			"in the same run":  "",
			"since an earlier": "apt-get -q -y install x-bad || :",
			"and not wanted":   "apt-get -q -y install x-bad || :",
		} {
			t.Run(name, func(t *testing.T) {
				m := m.again(t)
				m.publish(deb{name: "x-bad", version: "1", postinst: "echo no luck; exit 3"}, deb{name: "x-a", version: "1"},
					deb{name: "x-b", version: "1"})
				m.fresh()
				m.sh(before)
				words := []string{"x-a", "x-bad", "x-b"}
				if name == "and not wanted" {
					words = []string{"x-a", "x-b"}
				}
				r, err := m.plan(packages(words...)).Apply(t.Context(), nil)
				if (err == nil) != (len(words) == 2) || err != nil && !strings.Contains(err.Error(),
					"package:x-bad: exit status 100: dpkg: error processing package x-bad (--configure)") {
					t.Errorf("%v", err)
				}
				for _, res := range r.Results {
					if bad := strings.HasSuffix(res.ID, "x-bad"); (res.Status == lab.StatusDone) == bad {
						t.Errorf("%s is %s: %v", res.ID, res.Status, res.Err)
					}
				}
				if got := m.installed(); got["x-a"] != "1" || got["x-b"] != "1" || got["x-bad"] == "1" {
					t.Errorf("installed: %s", versions(got))
				}
				m.publish(deb{name: "x-bad", version: "2"})
				m.fresh()
				m.sh("dpkg --purge --force-all x-bad")
				settle(t, m.Machine, packages("x-a", "x-bad", "x-b"))
			})
		}
	})
}

// TestDeadSourceIsNamed: the first that is said of a run which fails for a source is the file of that source.
func TestDeadSourceIsNamed(t *testing.T) {
	onAptMachines(t, func(t *testing.T, m *aptMachine) {
		for name, c := range map[string]struct{ file, content, want string }{
			"no release file, one line": {"vendor.list", "deb file:/nonexistent/debian ./\n",
				"apt:update: exit status 100: the source in /etc/apt/sources.list.d/vendor.list: The repository 'file:/nonexistent/debian ./ Release' does not have a Release file."},
			"no release file, deb822": {"vendor.sources", "Types: deb\nURIs: file:/nonexistent/debian\nSuites: ./\n",
				"apt:update: exit status 100: the source in /etc/apt/sources.list.d/vendor.sources: The repository"},
			"malformed": {"vendor.list", "deb http://example.org\n",
				"apt:update: exit status 100: Malformed entry 1 in list file /etc/apt/sources.list.d/vendor.list"},
			"not reachable": {"vendor.list", "deb http://127.0.0.1:9/debian bookworm main\n",
				"package:x-late: exit status 100: the source in /etc/apt/sources.list.d/vendor.list: Failed to fetch http://127.0.0.1:9/debian"},
		} {
			t.Run(name, func(t *testing.T) {
				m := m.again(t)
				m.publish(deb{name: "x-a", version: "1"})
				m.sh("rm -f /run/lab/apt-updated; printf %s '" + c.content + "' >/etc/apt/sources.list.d/" + c.file)
				defer m.sh("rm -f /etc/apt/sources.list.d/vendor*")
				if _, err := m.plan(packages("x-a", "x-late")).Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v", err)
				}
			})
		}
	})
}

// TestHalfInstalledPackages: a package in any state in which dpkg can leave it is brought to the wanted one, and so are
// those beside it.
func TestHalfInstalledPackages(t *testing.T) {
	const status = "sed -i '/^Package: x-a$/,/^$/s/^Status: .*/Status: install %s/' /var/lib/dpkg/status"
	onAptMachines(t, func(t *testing.T, m *aptMachine) {
		for name, before := range map[string]string{
			"unpacked":        "apt-get -q -y -d install x-a; dpkg --unpack /var/cache/apt/archives/x-a_1_all.deb",
			"half-configured": "apt-get -q -y install x-a; " + strings.ReplaceAll(status, "%s", "ok half-configured"),
			"half-installed":  "apt-get -q -y install x-a; " + strings.ReplaceAll(status, "%s", "reinstreq half-installed"),
			"removed":         "apt-get -q -y install x-a; apt-get -q -y remove x-a",
		} {
			for _, want := range []string{"x-a", "!x-a", "x-a=1", "x-b's dependency"} {
				t.Run(name+", wanted "+want, func(t *testing.T) {
					m := m.again(t)
					m.publish(deb{name: "x-a", version: "1"}, deb{name: "x-b", version: "1"})
					m.fresh()
					m.sh(before)
					words := []string{"x-b", want}
					if want == "x-b's dependency" {
						m.publish(deb{name: "x-b", version: "2", depends: "x-a"})
						m.fresh()
						words = words[:1]
					}
					settle(t, m.Machine, packages(words...))
					end := "x-a=1 x-b=1"
					if want == "x-b's dependency" {
						end = "x-a=1 x-b=2"
					}
					if want == "!x-a" {
						end = "x-b=1"
					}
					if got := versions(m.installed()); got != end {
						t.Errorf("installed: %s, want %s", got, end)
					}
				})
			}
		}
	})
}
