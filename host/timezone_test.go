package host_test

import (
	"errors"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

func TestTimezone(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	_, err := m.Plan(t.Context(), host.State{host.Timezone{Name: "Europe/Pariss"}})
	if !errors.Is(err, lab.ErrNotFound) || len(lab.Hints(err)) == 0 {
		t.Errorf("an unknown zone: %v", err)
	}
	want := host.State{host.Timezone{Name: "Europe/Paris"}}
	p, err := m.Plan(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	if b, err := box.FS().ReadFile("/etc/timezone"); err != nil || string(b) != "Europe/Paris\n" {
		t.Errorf("/etc/timezone contains %q, %v", b, err)
	}
	if p, err := m.Plan(t.Context(), want); err != nil || !p.Empty() {
		t.Errorf("the second plan: %v\n%s", err, p)
	}
}
