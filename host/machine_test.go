package host_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// TestRoundTripsDoNotGrow: a converged machine with 200 resources costs one connection, one exec,
// no write and fewer than 12 round trips.
func TestRoundTripsDoNotGrow(t *testing.T) {
	var s host.State
	for i := range 20 {
		s = append(s, host.Directory{Path: fmt.Sprintf("/srv/d%02d", i)})
		for j := range 7 {
			s = append(s, host.File{Path: fmt.Sprintf("/srv/d%02d/f%d", i, j), Content: fmt.Sprint(i, j)})
		}
		s = append(s,
			host.Line{Path: "/etc/hosts", Line: fmt.Sprintf("192.0.2.%d h%d", i+1, i)},
			host.Sysctl{Key: "net.ipv4.ip_forward", Value: "1", File: fmt.Sprintf("/etc/sysctl.d/%02d.conf", i)})
	}
	seen := map[string]bool{}
	var unique host.State
	for _, r := range s {
		if !seen[r.ID()] {
			seen[r.ID()] = true
			unique = append(unique, r)
		}
	}
	for i := len(unique); i < 200; i++ {
		unique = append(unique, host.Link{Path: fmt.Sprintf("/srv/l%d", i), Target: "/srv/d00"})
	}
	box, m := open(t, hosttest.Config{})
	settle(t, m, unique)
	m.Close()
	fresh := &host.Machine{Target: inProcess(box)}
	defer fresh.Close()
	before := box.Counters()
	p, err := fresh.Plan(t.Context(), unique)
	if err != nil || !p.Empty() {
		t.Fatalf("%v %s", err, p)
	}
	after := box.Counters()
	if n := after.Turns - before.Turns; n >= 12 {
		t.Errorf("%d round trips", n)
	}
	connections, execs := after.Connections-before.Connections, after.Execs-before.Execs
	writes, tmpWrites := after.Writes-before.Writes, after.TmpWrites-before.TmpWrites
	if connections != 1 || execs != 1 || writes != 0 || tmpWrites != 0 {
		t.Errorf("connections %d, execs %d, writes %d and %d", connections, execs, writes, tmpWrites)
	}
	t.Logf("200 resources: %d round trips, %d bytes to the machine, %d from it",
		after.Turns-before.Turns, after.BytesIn-before.BytesIn, after.BytesOut-before.BytesOut)
}

// TestQueue: waiting for a running command ends with the context, and the counters can be read
// meanwhile.
func TestQueue(t *testing.T) {
	_, m := open(t, hosttest.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	began, ended := &firstWrite{make(chan struct{})}, make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = m.Run(ctx, ssh.Command{Script: "echo; sleep 1000", Stdout: began})
	}()
	<-began.seen
	enough := errors.New("enough")
	other, stop := context.WithCancelCause(t.Context())
	stop(enough)
	if _, err := m.Plan(other, nil); !errors.Is(err, enough) || !lab.SafeToRetry(err) {
		t.Errorf("got %v", err)
	}
	if s := m.Counters(); s.Execs != 1 {
		t.Errorf("%+v", s)
	}
	cancel()
	<-ended
}
