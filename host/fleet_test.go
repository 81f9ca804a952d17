package host_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

func TestUnreachableMachineStopsNoOther(t *testing.T) {
	var f host.Fleet
	var boxes []*hosttest.Machine
	for range 3 {
		box, m := open(t, hosttest.Config{})
		m.Target.Name = fmt.Sprintf("pi%d", len(boxes)+1)
		boxes, f.Machines = append(boxes, box), append(f.Machines, m)
	}
	boxes[1].Faults().Refuse(true)
	if err := boxes[2].Faults().ChangeHostKey(); err != nil {
		t.Fatal(err)
	}
	want := func(*host.Machine) (host.State, error) { return someState(), nil }
	p, err := f.Plan(t.Context(), want)
	if !errors.Is(err, lab.ErrUnreachable) || !errors.Is(err, lab.ErrHostKey) || p == nil {
		t.Fatalf("%v", err)
	}
	for _, part := range []string{"pi2", "pi3", "SHA256:"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	if strings.Count(err.Error(), "SHA256:") < 2 || len(lab.Hints(err)) == 0 {
		t.Errorf("both fingerprints and a hint are expected: %v %q", err, lab.Hints(err))
	}
	if r, err := p.Apply(t.Context(), nil); err != nil || !r.Complete() {
		t.Errorf("%v %s", err, r)
	}
	if _, err := boxes[0].FS().ReadFile("/srv/app/a"); err != nil {
		t.Error(err)
	}
}

// TestFleetStopsWhereAGateFails changes machines one after the other, with a gate after each, and
// stops or continues after a failure as configured.
func TestFleetStopsWhereAGateFails(t *testing.T) {
	for _, keepGoing := range []bool{false, true} {
		var gates []string
		f := host.Fleet{Serial: 1, ContinueOnFailure: keepGoing}
		for i := range 3 {
			_, m := open(t, hosttest.Config{})
			m.Target.Name = fmt.Sprintf("pi%d", i+1)
			f.Machines = append(f.Machines, m)
		}
		f.Gate = func(_ context.Context, m *host.Machine) error {
			gates = append(gates, m.Name())
			if m.Name() == "pi2" {
				return errors.New("not healthy")
			}
			return nil
		}
		p, err := f.Plan(t.Context(), func(*host.Machine) (host.State, error) {
			return host.State{host.File{Path: "/etc/x", Content: "x"}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Apply(t.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), "not healthy") {
			t.Errorf("%v", err)
		}
		want := lab.StatusSkipped
		if keepGoing {
			want = lab.StatusDone
		}
		if got := r.Results[2].Status; got != want || r.Results[1].Status != lab.StatusDone {
			t.Errorf("continue %v: pi3 is %s, want %s; gates of %q", keepGoing, got, want, gates)
		}
	}
}
