package host_test

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// TestPackageNames: a name is that of a package, whatever apt-get would make of it, and a plan that was applied leaves
// nothing to do.
func TestPackageNames(t *testing.T) {
	repository := []deb{
		{name: "x-libold0t64", version: "1", provides: "x-libold0 (= 1)"},
		{name: "x-mta1", version: "1", provides: "x-mta"}, {name: "x-mta2", version: "1", provides: "x-mta"},
		{name: "x-lib", version: "1"}, {name: "x-top", version: "1", depends: "x-lib"},
	}
	onAptMachines(t, func(t *testing.T, m *aptMachine) {
		arch := strings.TrimSpace(m.sh("dpkg --print-architecture"))
		for _, c := range []struct {
			name, before, want string
			plan, hint         string // hint: of the refused plan
			end                string
		}{
			{name: "renamed", want: "x-libold0", hint: "set name: x-libold0t64"},
			{name: "renamed, the new one is installed", before: "apt-get -q -y install x-libold0t64", want: "x-libold0",
				hint: "set name: x-libold0t64", end: "x-libold0t64=1"},
			{name: "virtual", want: "x-mta", hint: "x-mta1"},
			{name: "virtual, with a version", want: "x-libold0=1", hint: "set name: x-libold0t64"},
			{name: "with the machine's architecture", want: "x-top:" + arch, end: "x-lib=1 x-top=1",
				plan: "package:x-top:" + arch + " create none, apt:side-effects/x-lib create none"},
			{name: "a dependency becomes wanted", before: "apt-get -q -y install x-top", want: "x-lib",
				plan: "package:x-lib/manual update none", end: "x-lib=1 x-top=1"},
			{name: "a dependency becomes wanted, with its architecture", before: "apt-get -q -y install x-top", want: "x-lib:" + arch,
				plan: "package:x-lib:" + arch + "/manual update none", end: "x-lib=1 x-top=1"},
			{name: "a dependency becomes wanted and held", before: "apt-get -q -y install x-top", want: "x-lib hold",
				plan: "package:x-lib/manual update none, package:x-lib/hold update none", end: "x-lib=1 x-top=1"},
			{name: "only configuration is left", before: "apt-get -q -y install x-lib; apt-get -q -y remove x-lib", want: "x-lib",
				plan: "package:x-lib create none", end: "x-lib=1"},
		} {
			t.Run(c.name, func(t *testing.T) {
				m := m.again(t)
				m.publish(repository...)
				m.fresh()
				m.sh(c.before)
				name, hold := strings.CutSuffix(c.want, " hold")
				s := packages(name)
				if hold {
					s = host.State{host.Package{Name: name, Hold: true}}
				}
				p, err := m.Plan(t.Context(), s)
				if c.hint != "" {
					if !errors.Is(err, lab.ErrNotFound) || !strings.Contains(strings.Join(lab.Hints(err), " "), c.hint) {
						t.Errorf("%v, hints %q", err, lab.Hints(err))
					}
				} else {
					if err != nil {
						t.Fatal(err)
					}
					if got := strings.Join(changes(p), ", "); got != c.plan {
						t.Errorf("the plan is %s, want %s", got, c.plan)
					}
					settle(t, m.Machine, s)
				}
				if got := versions(m.installed()); got != c.end {
					t.Errorf("installed: %s, want %s", got, c.end)
				}
				if strings.Contains(c.plan, "manual") && strings.Contains(m.sh("apt-mark showauto"), "x-lib") {
					t.Error("it still counts as installed for the sake of others")
				}
			})
		}
	})
}

// TestVirtualPackageAtApply: where the lists are downloaded in the same run, a name that is not that of a package is
// refused before anything is installed, and the next plan says what it is.
func TestVirtualPackageAtApply(t *testing.T) {
	onAptMachines(t, func(t *testing.T, m *aptMachine) {
		m.publish(deb{name: "x-libold0t64", version: "1", provides: "x-libold0"})
		m.sh("rm -f /run/lab/apt-updated")
		s := packages("x-libold0")
		if r, err := m.plan(s).Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no package has the name x-libold0") {
			t.Errorf("%v\n%s", err, r)
		}
		if got := versions(m.installed()); got != "" {
			t.Errorf("installed: %s", got)
		}
		if _, err := m.Plan(t.Context(), s); !strings.Contains(strings.Join(lab.Hints(err), " "), "set name: x-libold0t64") {
			t.Errorf("%v, hints %q", err, lab.Hints(err))
		}
	})
}
