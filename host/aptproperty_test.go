package host_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// TestAptDoesWhatIsPlanned: over random packages with dependencies, conflicts and what they provide, installed ones,
// some on hold, and random states: a plan writes nothing, one that is refused changes nothing, an apply changes the
// packages of the plan alone and all of them, and the next plan is empty.
func TestAptDoesWhatIsPlanned(t *testing.T) {
	onAptMachines(t, func(t *testing.T, m *aptMachine) {
		rounds := 80
		if m.real {
			rounds = 8
		}
		refused := 0
		for seed := range rounds {
			if !randomPackages(t, m, uint64(seed)) {
				refused++
			}
		}
		if refused > rounds*3/4 || !m.real && refused == 0 {
			t.Errorf("%d of %d plans were refused", refused, rounds)
		}
	})
}

// randomPackages runs one case, and reports whether it could be planned.
func randomPackages(t *testing.T, m *aptMachine, seed uint64) (planned bool) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 3))
	names := []string{"x-aa", "x-bb", "x-cc", "x-dd", "x-ee", "x-ff"}
	other := func() string { return names[rnd.IntN(len(names))] }
	var debs []deb
	for _, version := range []string{"1", "2"} {
		for _, n := range names {
			d := deb{name: n, version: version}
			if o := other(); o > n && rnd.IntN(2) == 0 { // no circles
				d.depends = o + []string{"", "", " (>= 2)", " (= 1)"}[rnd.IntN(4)]
			}
			if o := other(); o != n && !strings.HasPrefix(d.depends, o) && rnd.IntN(4) == 0 {
				d.conflicts = o
			}
			if rnd.IntN(5) == 0 {
				d.provides = "x-virtual"
			}
			debs = append(debs, d)
		}
	}
	var words []string
	for range 1 + rnd.IntN(3) {
		w := []string{"", "", "!"}[rnd.IntN(3)] + other()
		if w[0] != '!' {
			w += []string{"", "", "=1", "=2"}[rnd.IntN(4)]
		}
		if !strings.Contains(strings.Join(words, " "), strings.Trim(w, "!=12")) {
			words = append(words, w)
		}
	}
	m = m.again(t)
	m.publish(debs...)
	m.fresh()
	before := fmt.Sprintf("apt-get -q -y install %s=1 || :; apt-get -q -y install %s || :\n", other(), other())
	if rnd.IntN(3) == 0 {
		before += "apt-mark hold " + other() + "\n"
	}
	m.sh(before)
	what := fmt.Sprintf("seed %d: %+v\nbefore: %s%v\nwanted: %q", seed, debs, before, m.installed(), words)
	const written = "find /etc/apt /var/lib/apt /var/lib/dpkg /var/cache/apt -type f -exec stat -c '%n %Y %Z' {} + | sort"
	files, have := m.sh(written), m.installed()
	s := packages(words...)
	p, err := m.Plan(t.Context(), s)
	if m.sh(written) != files {
		t.Errorf("%s\nthe plan has written:\n%s", what, lab.Diff("files", []byte(files), []byte(m.sh(written))))
	}
	if err != nil {
		return false
	}
	ids := map[string]bool{}
	for _, c := range p.Changes() {
		ids[c.ID[strings.LastIndexAny(c.ID, ":/")+1:]] = true
	}
	r, err := p.Apply(t.Context(), nil)
	if err != nil {
		t.Errorf("%s\n%v\n%s%s", what, err, p, r)
	}
	now := m.installed()
	for _, n := range names {
		if have[n] != now[n] && !ids[n] || have[n] == now[n] && ids[n] && !strings.Contains(p.String(), n+"/") {
			t.Errorf("%s\n%s was %q and is %q\n%s", what, n, have[n], now[n], p)
		}
	}
	if p, err := m.Plan(t.Context(), s); err != nil || !p.Empty() {
		t.Errorf("%s\nthe second plan: %v\n%s", what, err, p)
	}
	return true
}

// TestConvergedPackagesRunNoApt: a machine with all packages in their wanted state is observed with one exec, in which
// apt does not run.
func TestConvergedPackagesRunNoApt(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	if _, err := box.Exec("apt-get update; mkdir -p /run/lab; touch /run/lab/apt-updated"); err != nil {
		t.Fatal(err)
	}
	s := packages("jq", "chrony", "lab-test-a=1.0", "!rpcbind", "curl")
	settle(t, m, s)
	before := box.Counters()
	if p, err := m.Plan(t.Context(), s); err != nil || !p.Empty() {
		t.Fatal(err, p)
	}
	after := box.Counters()
	if after.Execs-before.Execs != 1 || after.Writes != before.Writes || after.TmpWrites != before.TmpWrites {
		t.Errorf("%d execs, %d writes, %d to memory", after.Execs-before.Execs, after.Writes-before.Writes, after.TmpWrites-before.TmpWrites)
	}
	for _, name := range []string{"apt-get", "apt-cache", "apt-mark", "dpkg"} {
		if after.Commands[name] != before.Commands[name] {
			t.Errorf("%s ran", name)
		}
	}
}
