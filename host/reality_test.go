package host_test

import (
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// reality is a machine on which a word does not mean what it says: a mount point has another name, a unit is called
// enabled that nothing starts, a value is lost at boot.
type reality struct {
	name    string
	do      string // makes it so, as root
	state   host.State
	plan    []string // IDs of the planned changes; "any" stands for what is not examined
	refused string   // part of the error of the plan
	fails   string   // part of the error of the apply
	check   string   // succeeds afterwards
	undo    string   // for the next case, on a real machine
	needs   string   // the case is skipped if this fails
	kernel  bool     // only a real machine has what it needs
}

func realities() []reality {
	return slices.Concat(mountRealities(), unitRealities(), bootRealities(), fullRealities())
}

func (r reality) run(t *testing.T, m *host.Machine) {
	sh := func(script string) {
		t.Helper()
		res, err := m.Run(t.Context(), ssh.Command{Root: true, Script: "set -e\n" + script})
		if err == nil {
			err = res.Err()
		}
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
	}
	if res, err := m.Run(t.Context(), ssh.Command{Root: true, Script: r.needs}); err != nil || res.Exit != 0 {
		t.Skipf("the machine lacks %s: %v", r.needs, err)
	}
	if r.undo != "" {
		defer sh(r.undo)
	}
	sh(r.do)
	p, err := m.Plan(t.Context(), r.state)
	if r.refused != "" {
		if err == nil || !strings.Contains(err.Error(), r.refused) {
			t.Fatalf("the plan is not refused with %q: %v\n%s", r.refused, err, p)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := changeIDs(p); !slices.Equal(r.plan, []string{"any"}) && !slices.Equal(got, r.plan) {
		t.Errorf("the plan is %q, want %q\n%s", got, r.plan, p)
	}
	report, err := p.Apply(t.Context(), nil)
	if r.fails != "" {
		if err == nil || !strings.Contains(err.Error(), r.fails) {
			t.Fatalf("the apply does not fail with %q: %v\n%s", r.fails, err, report)
		}
		if r.check != "" {
			sh(r.check)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	for range 2 {
		if p, err = m.Plan(t.Context(), r.state); err != nil || !p.Empty() {
			t.Fatalf("the next plan is not empty: %v\n%s", err, p)
		}
	}
	if r.check != "" {
		sh(r.check)
	}
}

func TestRealityInProcess(t *testing.T) {
	for _, r := range realities() {
		if r.kernel {
			continue // TestRealityOnMachine tries it
		}
		t.Run(r.name, func(t *testing.T) {
			_, m := open(t, hosttest.Config{})
			r.run(t, m)
		})
	}
}

// TestRealityOnMachine does the same on a real Debian machine.
func TestRealityOnMachine(t *testing.T) {
	m := &host.Machine{Target: realTarget(real.Machines(t, 1)[0])}
	defer m.Close()
	for _, r := range realities() {
		t.Run(r.name, func(t *testing.T) { r.run(t, m) })
	}
}

// changeIDs returns the IDs of the plan's changes without the step.
func changeIDs(p *lab.Plan) (ids []string) {
	for _, c := range p.Changes() {
		ids = append(ids, strings.SplitN(c.ID, "/", 3)[2])
	}
	return ids
}
