package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// DialContext connects from the machine to another address, through this connection: network is "tcp" with "host:port", which the machine
// resolves, or "unix" with the path of a socket on the machine. It has the form of [net.Dialer.DialContext], for http.Transport, pgx and the
// like, and the connections have deadlines. They end when the Conn is closed or lost.
//
// The boundary decides first ([lab.Boundary.CheckRemote], [lab.Boundary.CheckUnix]).
func (c *Conn) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	fail := func(hint string, err error) (net.Conn, error) {
		return nil, lab.NotSent(&lab.Error{Op: "dial through", Target: c.target.name(), Path: address, Hint: hint, Err: err})
	}
	var outside error
	switch network {
	case "tcp", "tcp4", "tcp6":
		outside = c.target.Boundary.CheckRemote(address)
	case "unix":
		outside = c.target.Boundary.CheckUnix(address)
	default:
		return fail("", fmt.Errorf("%w: network %q is neither tcp nor unix", lab.ErrInvalid, network))
	}
	if outside != nil {
		return fail("", outside)
	}
	for again := true; ; again = false {
		l, err := c.live(ctx)
		if err != nil {
			return nil, err
		}
		far, err := dialThrough(ctx, l.client, l.lost, network, address)
		if err == nil {
			l.settle()
			return l.forward(far, network, address), nil
		}
		var open *ssh.OpenChannelError
		switch {
		case ctx.Err() != nil:
			return fail("", context.Cause(ctx))
		case errors.As(err, &open) && open.Reason == ssh.Prohibited:
			return fail("allow it in the machine's sshd_config: AllowTcpForwarding, AllowStreamLocalForwarding, PermitOpen", fmt.Errorf("%w: its sshd forwards nothing there: %s", lab.ErrUnauthorized, lab.Printable(open.Message)))
		case errors.As(err, &open):
			return fail("on the machine: ss -ltnx", fmt.Errorf("%w: the machine has no connection to it: %s", lab.ErrUnreachable, lab.Printable(open.Message)))
		case !l.isLost() && !again:
			return fail("", err)
		case !again:
			return fail("", fmt.Errorf("%w: the connection to the machine was lost", lab.ErrUnreachable))
		}
		l.cut()
		<-l.lost
	}
}

// forward puts a pipe before a channel of SSH, which has no deadlines: pgx cancels by them.
func (l *link) forward(far net.Conn, network, address string) net.Conn {
	near, inner := net.Pipe()
	done := make(chan struct{})
	l.work(func() { // what the machine sends
		_, _ = io.Copy(inner, far)
		inner.Close()
		far.Close()
		close(done)
	})
	l.work(func() { // what we send
		_, _ = io.Copy(far, inner)
		far.Close()
	})
	l.work(func() { // nobody may read what is left in the pipe
		select {
		case <-l.lost:
			inner.Close()
		case <-done:
		}
	})
	return &forwarded{near, forwardAddr{network, address}}
}

// forwarded is a connection that goes through a machine.
type forwarded struct {
	net.Conn
	remote forwardAddr
}

func (f *forwarded) RemoteAddr() net.Addr { return f.remote }

// forwardAddr is the address as it was dialled: pgx dials it again to cancel a query.
type forwardAddr struct{ network, address string }

func (a forwardAddr) Network() string { return a.network }
func (a forwardAddr) String() string  { return a.address }
