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

// DialContext connects from the machine to another address, through this connection: network is
// "tcp" with "host:port", which the machine resolves, or "unix" with the path of a socket on the
// machine. It has the signature of [net.Dialer.DialContext], for http.Transport, pgx and the like.
// The connections support deadlines, and end when the Conn is closed or lost.
//
// The boundary decides first ([lab.Boundary.CheckRemote], [lab.Boundary.CheckUnix]).
func (c *Conn) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	fail := func(hint string, err error) (net.Conn, error) {
		return nil, lab.NotSent(&lab.Error{Op: "dial through", Target: c.target.name(),
			Path: address, Hint: hint, Err: err})
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
	for retry := true; ; retry = false {
		l, err := c.live(ctx)
		if err != nil {
			return nil, err
		}
		far, err := dialThrough(ctx, l.client, l.lost, network, address)
		if err == nil {
			l.markInUse()
			return l.forward(far, network, address), nil
		}
		var refused *ssh.OpenChannelError
		switch {
		case ctx.Err() != nil:
			return fail("", context.Cause(ctx))
		case errors.As(err, &refused) && refused.Reason == ssh.Prohibited:
			return fail("allow it in the machine's sshd_config: AllowTcpForwarding, AllowStreamLocalForwarding, PermitOpen",
				fmt.Errorf("%w: its sshd does not forward to this address: %s",
					lab.ErrUnauthorized, lab.Printable(refused.Message)))
		case errors.As(err, &refused):
			return fail("on the machine: ss -ltnx",
				fmt.Errorf("%w: the machine cannot connect to it: %s", lab.ErrUnreachable, lab.Printable(refused.Message)))
		case !isClosed(l.lost) && !retry:
			return fail("", err)
		case !retry:
			return fail("", fmt.Errorf("%w: the connection to the machine was lost", lab.ErrUnreachable))
		}
		l.cut()
		<-l.lost
	}
}

// forward puts a pipe in front of a channel, because channels have no deadlines, and pgx cancels
// with them.
func (l *link) forward(far net.Conn, network, address string) net.Conn {
	near, inner := net.Pipe()
	done := make(chan struct{})
	l.spawn(func() { // from the machine
		_, _ = io.Copy(inner, far)
		inner.Close()
		far.Close()
		close(done)
	})
	l.spawn(func() { // to the machine
		_, _ = io.Copy(far, inner)
		far.Close()
	})
	l.spawn(func() { // if nobody reads the rest of the pipe
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

// forwardAddr is the address that was dialled: pgx dials it again to cancel a query.
type forwardAddr struct{ network, address string }

func (a forwardAddr) Network() string { return a.network }
func (a forwardAddr) String() string  { return a.address }
