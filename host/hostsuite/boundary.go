package hostsuite

import (
	"errors"
	"net/netip"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

func lawOfBoundary(t *testing.T, subject Subject) {
	target := subject.Target
	var refused int
	target.Boundary = &lab.Boundary{
		Allow:   []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Refused: func(_, _ string) { refused++ },
	}
	m := &host.Machine{Target: target}
	defer m.Close()
	_, err := m.Plan(t.Context(), host.State{host.File{Path: "/x"}})
	if !errors.Is(err, lab.ErrRefused) || refused == 0 {
		t.Errorf("law 7: %v, %d refusals", err, refused)
	}
	if s := m.Counters(); s.Connections != 0 {
		t.Errorf("law 7: %d connections", s.Connections)
	}
}
