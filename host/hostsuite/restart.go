package hostsuite

import (
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// restartsAfterACut: a unit is restarted exactly once if what it reads was changed by a run that
// was cut off before the restart.
func restartsAfterACut(t *testing.T, subject Subject) {
	if subject.Dir != "" {
		return // it needs a whole machine
	}
	s := subject.open(t)
	const unit = "lab-restart.service"
	config := host.File{Path: s.path("config"), Content: "one\n"}
	st := host.State{config,
		host.UnitFile{Name: unit, Content: "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep infinity\n"},
		host.Unit{Name: unit, State: host.Started, RestartOn: []string{config.ID()}},
	}
	s.apply(t, st)
	invocation := func() string {
		t.Helper()
		return s.sh(t, "systemctl show -p InvocationID --value -- "+unit)
	}
	first := invocation()
	config.Content = "two\n"
	st[0] = config
	s.apply(t, host.State{config}) // as far as the run that was cut off got
	if invocation() != first {
		t.Fatal("the unit was restarted without a change to it")
	}
	p := s.plan(t, st)
	if ids := changeIDs(p); !slices.Equal(ids, []string{"unit:" + unit + "/restart"}) {
		t.Errorf("after the cut the plan is %q", ids)
	}
	s.apply(t, st)
	if second := invocation(); second == first || strings.TrimSpace(second) == "" {
		t.Errorf("the unit was not restarted: invocation %q, then %q", first, second)
	}
}
