package host_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// rollback is a resource whose change rolls back earlier ones.
type rollback struct {
	host.Order
	names []string
}

func (rollback) ID() string { return "rollback:r" }

func (rollback) Validate() lab.Problems { return nil }

func (rollback) Observe(*host.Query) {}

func (r rollback) Plan(*host.Observation) ([]host.Op, error) {
	return []host.Op{
		{
			Action: lab.Run,
			Cause:  "always",
			Script: "rm -f /srv/a /srv/'odd name'\n" + host.RolledBack(r.names...) + "\necho failed; exit 1",
		},
	}, nil
}

// TestRolledBack: changes that were rolled back are reported as such, neither as done nor as drift.
func TestRolledBack(t *testing.T) {
	_, h := open(t, hosttest.Config{})
	st := host.State{
		host.File{Path: "/srv/a", Content: "a"},
		host.File{Path: "/srv/odd name", Content: "a"},
		host.File{Path: "/srv/kept", Content: "a"},
		rollback{names: []string{"file:/srv/a", "file:/srv/odd name", "file:/srv/never", "rollback:r"}},
	}
	p, err := h.Plan(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Apply(t.Context(), nil)
	if err == nil {
		t.Fatal("the rollback is not an error")
	}
	want := []lab.Status{lab.StatusRolledBack, lab.StatusRolledBack, lab.StatusDone, lab.StatusFailed}
	for i, res := range r.Results {
		if res.Status != want[i] {
			t.Errorf("%s is %s, want %s", res.ID, res.Status, want[i])
		}
	}
	if got := r.Results[0].Reason; got != "rolled back by "+r.Results[3].ID {
		t.Errorf("the reason is %q", got)
	}
	if got := r.Summary(); got != "4 changes: 1 done, 1 failed, 2 rolled back" {
		t.Error(got)
	}
}
