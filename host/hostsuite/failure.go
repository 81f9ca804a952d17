package hostsuite

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// failuresStayTheirOwn: a change that fails is reported with its output, skips what comes after it
// and stops nothing else.
func failuresStayTheirOwn(t *testing.T, subject Subject) {
	s := subject.open(t)
	st := host.State{
		host.Directory{Path: s.path("f")},
		host.File{Path: s.path("f/refused"), Content: "x", ValidateWith: "false %s"},
		host.File{Path: s.path("f/fine"), Content: "y"},
		host.Command{Name: "after", Run: "echo z >" + ssh.Quote(s.path("f/after")), Creates: s.path("f/after"),
			Order: host.Order{After: []string{"file:" + s.path("f/refused")}}},
		host.Command{Name: "fails", Run: "echo why; exit 7", Creates: s.path("f/never")},
		host.File{Path: s.path("f/never/child"), Content: "x"},
		host.File{Path: s.path("f/last"), Content: strings.Repeat("l", 70_000)},
	}
	p := s.plan(t, st)
	r, err := p.Apply(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "why") || !strings.Contains(err.Error(), "7") {
		t.Errorf("the error does not contain the output and the status: %v", err)
	}
	want := []lab.Status{
		lab.StatusDone, lab.StatusFailed, lab.StatusDone, lab.StatusSkipped, lab.StatusFailed, lab.StatusSkipped,
		lab.StatusDone,
	}
	for i, res := range r.Results {
		if res.Status != want[i] {
			t.Errorf("%s is %s, want %s: %v %s", res.ID, res.Status, want[i], res.Err, res.Reason)
		}
	}
	if got := s.sh(t, "cd "+ssh.Quote(s.path("f"))+" && ls -A && wc -c <last"); got != "fine\nlast\n70000\n" {
		t.Errorf("left behind: %q", got)
	}
	if s.Dir == "" {
		s.refusesAnotherEnvironment(t)
	}
}

// refusesAnotherEnvironment: a machine that one environment has claimed cannot be planned by another.
func (s *suite) refusesAnotherEnvironment(t *testing.T) {
	m := &host.Machine{Target: s.Target, Environment: "other"}
	defer m.Close()
	p, err := m.Plan(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatal(err, r)
	}
	m.Environment = "mine"
	if _, err := m.Plan(t.Context(), s.state()); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("a machine of another environment was planned: %v", err)
	}
}
