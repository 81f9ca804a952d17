package host_test

import (
	"strings"
	"testing"
)

// timeDaemons conflict with each other as those of Debian do.
func timeDaemons() []deb {
	daemon := func(name string) deb {
		return deb{name: name, version: "1", provides: "x-time-daemon", conflicts: "x-time-daemon"}
	}
	return []deb{
		daemon("x-chrony"), daemon("x-timesyncd"), {name: "x-needs-timesyncd", version: "1", depends: "x-timesyncd"},
		{name: "x-lib", version: "1"}, {name: "x-top", version: "1", depends: "x-lib"},
		{name: "x-old", version: "1", depends: "x-lib (= 1)"},
	}
}

// TestPlanShowsWhatAptDoes: what apt-get does to packages that the state does not name is part of the plan, in every
// kind: it installs, upgrades, downgrades and removes.
func TestPlanShowsWhatAptDoes(t *testing.T) {
	newer := []deb{{name: "x-lib", version: "2"}, {name: "x-new", version: "1", depends: "x-lib (>= 2)"}}
	cases := []struct {
		name, have string // what apt-get installs first
		more       []deb
		want       string
		plan, end  string
		err        string // of the plan
	}{
		{
			name: "a conflict and what depends on it", have: "x-timesyncd x-needs-timesyncd", want: "x-chrony",
			plan: "package:x-chrony create none, apt:side-effects/x-needs-timesyncd delete disrupt, " +
				"apt:side-effects/x-timesyncd delete disrupt",
			end: "x-chrony=1",
		},
		{
			name: "a dependency", want: "x-top",
			plan: "package:x-top create none, apt:side-effects/x-lib create none", end: "x-lib=1 x-top=1",
		},
		{
			name: "what depends on a package that goes", have: "x-timesyncd x-needs-timesyncd", want: "!x-timesyncd",
			plan: "package:x-timesyncd delete disrupt, apt:side-effects/x-needs-timesyncd delete disrupt",
		},
		{
			name: "an upgrade of another package", have: "x-lib", more: newer,
			want: "x-new", plan: "package:x-new create none, apt:side-effects/x-lib update restart", end: "x-lib=2 x-new=1",
		},
		{
			name: "a wanted package changes for another", have: "x-lib", more: newer,
			want: "x-lib x-new", plan: "package:x-new create none, apt:side-effects/x-lib update restart", end: "x-lib=2 x-new=1",
		},
		{
			name: "a version that is wanted changes for another", have: "x-lib", more: newer,
			want: "x-lib=1 x-new", err: "apt would install version 2 of x-lib, against the state", end: "x-lib=1",
		},
		{
			name: "both in one run", have: "x-timesyncd", want: "!x-timesyncd x-chrony",
			plan: "package:x-timesyncd delete disrupt, package:x-chrony create none", end: "x-chrony=1",
		},
		{
			name: "two that conflict are wanted", have: "x-timesyncd", want: "x-timesyncd x-chrony",
			err: "apt would remove x-timesyncd, against the state", end: "x-timesyncd=1",
		},
		{
			name: "a version that does not exist", have: "x-lib", want: "x-lib=9",
			err: "package:x-lib: not found: Version '9' for 'x-lib' was not found", end: "x-lib=1",
		},
		{name: "another does as well", have: "x-chrony x-lib", want: "x-timesyncd|x-ntp|x-chrony x-lib", end: "x-chrony=1 x-lib=1"},
		{
			name: "another does as well, which the state wants too", have: "x-chrony", want: "x-timesyncd|x-chrony x-chrony x-top",
			plan: "package:x-top create none, apt:side-effects/x-lib create none", end: "x-chrony=1 x-lib=1 x-top=1",
		},
		{
			name: "none of them is there", want: "x-timesyncd|x-ntp|x-chrony", plan: "package:x-timesyncd create none",
			end: "x-timesyncd=1",
		},
		{name: "an essential package", want: "!bash", err: "apt would remove bash, which is essential"},
		{
			name: "no such package", want: "x-nosuch x-lib",
			err: "install package package:x-nosuch: not found: Unable to locate package x-nosuch",
		},
		{
			name: "dependencies that cannot be met", more: []deb{{name: "x-lib", version: "2"}}, have: "x-lib",
			want: "x-lib=2 x-old", err: "apt cannot do it: x-old : Depends: x-lib (= 1)", end: "x-lib=2",
		},
	}
	onAptMachines(t, func(t *testing.T, m *aptMachine) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				m := m.again(t)
				m.publish(append(timeDaemons(), c.more...)...)
				m.fresh()
				if c.have != "" {
					m.sh("apt-get -q -y install " + strings.ReplaceAll(c.have, "x-lib", "x-lib=1"))
				}
				if c.name == "dependencies that cannot be met" {
					m.sh("apt-get -q -y install x-lib=2")
				}
				s := packages(strings.Fields(c.want)...)
				p, err := m.Plan(t.Context(), s)
				if c.err != "" {
					if err == nil || !strings.Contains(err.Error(), c.err) {
						t.Fatalf("the error is %v, want %q\n%s", err, c.err, p)
					}
				} else {
					if err != nil {
						t.Fatal(err)
					}
					if got := strings.Join(changes(p), ", "); got != c.plan {
						t.Errorf("the plan is\n%s\nwant\n%s", got, c.plan)
					}
					if r, err := p.Apply(t.Context(), nil); err != nil {
						t.Fatalf("%v\n%s", err, r)
					}
					if p := m.plan(s); !p.Empty() {
						t.Errorf("the second plan:\n%s", p)
					}
				}
				if got := versions(m.installed()); got != c.end {
					t.Errorf("installed: %s, want %s", got, c.end)
				}
			})
		}
	})
}

// TestAptDoesNothingElse: what the plan could not know of is refused when it is applied, and the next plan shows it.
func TestAptDoesNothingElse(t *testing.T) {
	onAptMachines(t, func(t *testing.T, m *aptMachine) {
		t.Run("the lists come in the same run", func(t *testing.T) {
			m := m.again(t)
			m.publish(timeDaemons()[1:]...)
			m.fresh()
			m.sh("apt-get -q -y install x-timesyncd; rm /run/lab/apt-updated")
			m.publish(timeDaemons()[0])
			s := packages("x-chrony", "x-top")
			r, err := m.plan(s).Apply(t.Context(), nil)
			if err == nil || !strings.Contains(err.Error(),
				"refused: apt-get would remove x-timesyncd, which the plan does not show: plan again") {
				t.Fatalf("%v\n%s", err, r)
			}
			if got := versions(m.installed()); got != "x-lib=1 x-timesyncd=1 x-top=1" {
				t.Errorf("installed: %s", got)
			}
			p := m.plan(s)
			if got := strings.Join(changes(p), ", "); got != "package:x-chrony create none, apt:side-effects/x-timesyncd delete disrupt" {
				t.Errorf("the next plan: %s", got)
			}
			if r, err := p.Apply(t.Context(), nil); err != nil || versions(m.installed()) != "x-chrony=1 x-lib=1 x-top=1" {
				t.Errorf("%v\n%s", err, r)
			}
		})
		t.Run("the machine changed since the plan", func(t *testing.T) {
			for name, change := range map[string]struct{ deb, refused string }{
				"another version":    {"x-top 2", "install x-top 2"},
				"another dependency": {"x-lib 2", "install x-lib 2"},
			} {
				t.Run(name, func(t *testing.T) {
					m := m.again(t)
					m.publish(timeDaemons()...)
					m.fresh()
					p := m.plan(packages("x-top"))
					f := strings.Fields(change.deb)
					d := deb{name: f[0], version: f[1]}
					if d.name == "x-top" {
						d.depends = "x-lib"
					}
					m.publish(d)
					m.fresh()
					r, err := p.Apply(t.Context(), nil)
					if err == nil || !strings.Contains(err.Error(), change.refused) || !strings.Contains(err.Error(), "plan again") {
						t.Errorf("%v\n%s", err, r)
					}
					if got := versions(m.installed()); got != "" {
						t.Errorf("installed: %s", got)
					}
				})
			}
		})
		t.Run("a package on hold", func(t *testing.T) {
			m := m.again(t)
			m.publish(timeDaemons()...)
			m.fresh()
			m.sh("apt-get -q -y install x-timesyncd; apt-mark hold x-timesyncd")
			if p, err := m.Plan(t.Context(), packages("x-chrony")); err == nil ||
				!strings.Contains(err.Error(), "x-timesyncd") && !strings.Contains(err.Error(), "x-time-daemon") {
				t.Errorf("%v\n%s", err, p)
			}
			if got := versions(m.installed()); got != "x-timesyncd=1" {
				t.Errorf("installed: %s", got)
			}
		})
	})
}

// again returns the machine as it was first.
func (a *aptMachine) again(t *testing.T) *aptMachine {
	if a.real {
		return realApt(t, a.Machine)
	}
	return fakeApt(t)
}
