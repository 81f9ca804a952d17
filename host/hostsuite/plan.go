package hostsuite

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// lawsOfPlanning: laws 1, 2, 3 and 5, and the cost of a plan.
func lawsOfPlanning(t *testing.T, subject Subject) {
	s := subject.open(t)
	s.sh(t, "mkdir -p "+ssh.Quote(s.path("theirs"))+"; echo theirs >"+ssh.Quote(s.path("theirs/file")))
	st := s.state()
	before := s.snapshot(t, true)
	one, two := s.plan(t, st), s.plan(t, st)
	if one.String() != two.String() {
		t.Errorf("law 1: two plans differ:\n%s\n%s", one, two)
	}
	if one.Empty() {
		t.Fatal("nothing to do on a fresh machine")
	}
	if diff := changed(before, s.snapshot(t, true)); len(diff) > 0 {
		t.Errorf("law 2: planning wrote %q", diff)
	}
	s.apply(t, st)
	after := s.snapshot(t, true)
	execs := s.m.Counters().Execs
	if p := s.plan(t, st); !p.Empty() {
		t.Errorf("law 3:\n%s", p)
	}
	if n := s.m.Counters().Execs - execs; n != 1 {
		t.Errorf("the plan of a converged machine took %d execs", n)
	}
	if diff := changed(after, s.snapshot(t, true)); len(diff) > 0 {
		t.Errorf("law 2: planning a converged machine wrote %q", diff)
	}
	for _, p := range changed(s.plainer(before), s.plainer(after)) {
		if !s.owned(p) {
			t.Errorf("law 5: %s changed, and is not part of the state", p)
		}
	}
	if c := s.m.Counters().Connections; c != 1 {
		t.Errorf("%d connections", c)
	}
}

// owned reports whether the suite's state describes the path, or the tools that create accounts and
// enable units write to it.
func (s *suite) owned(p string) bool {
	const units = "/etc/systemd/system/"
	for _, prefix := range []string{
		s.path("d"), "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid",
		"/etc/.pwd.lock", "/home/labtest", "/var/spool/mail", "/etc/sysctl.d/90-lab.conf", "/etc/cron.d/lab-conformance",
		units + "lab-", units + "multi-user.target.wants/lab-", units + "timers.target.wants/lab-",
	} {
		if strings.HasPrefix(p, prefix) {
			return true
		}
	}
	return p == strings.TrimSuffix(s.path(""), "/") ||
		p == units+"timers.target.wants" || p == units+"multi-user.target.wants"
}
