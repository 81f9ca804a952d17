package ssh

import (
	"context"
	"errors"
	"sync/atomic"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Conn is a machine that we are logged in to. If the connection is lost, whatever is in progress ends
// with an error, and the next call reconnects. It is safe for concurrent use; by default sshd allows 10
// sessions at the same time (MaxSessions).
type Conn struct {
	target Target

	sem    chan struct{} // guards the fields below; a mutex that a context can interrupt
	link   *link         // nil before the first connection and after Close
	closed bool

	connections, execs, sent, received atomic.Int64
}

// Counters tell what a connection has cost so far.
type Counters struct {
	Connections   int64 // logins at the machine itself, not counting jumps
	Execs         int64 // scripts that were started, including those that stop a cancelled script
	BytesSent     int64 // to the machine, on the wire, encrypted
	BytesReceived int64 // from the machine, on the wire, encrypted
}

// Dial connects and logs in. Its errors are [lab.ErrInvalid] with everything that is wrong with the
// target, [lab.ErrUnreachable], [lab.ErrHostKey], [lab.ErrUnauthorized], and [lab.ErrRefused] for
// an address outside the boundary. All of them are safe to retry.
func Dial(ctx context.Context, t Target) (*Conn, error) {
	if err := t.Validate(); err != nil {
		return nil, lab.NotSent(&lab.Error{Op: "dial", Target: t.name(), Err: err})
	}
	c := &Conn{target: t, sem: make(chan struct{}, 1)}
	if _, err := c.live(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Target returns the target that was dialled.
func (c *Conn) Target() Target { return c.target }

// Counters returns the current counters.
func (c *Conn) Counters() Counters {
	return Counters{c.connections.Load(), c.execs.Load(), c.sent.Load(), c.received.Load()}
}

// HostKey returns the fingerprint of the key that the machine proved to have, "SHA256:..."; empty after
// Close.
func (c *Conn) HostKey() string {
	c.sem <- struct{}{}
	defer func() { <-c.sem }()
	if c.link == nil {
		return ""
	}
	return c.link.hops[len(c.link.hops)-1].hostKey
}

// Close closes the connection and everything that goes through it. A script that is running is not
// stopped: cancel its context for that.
func (c *Conn) Close() error {
	c.sem <- struct{}{}
	defer func() { <-c.sem }()
	c.closed = true
	if c.link != nil {
		c.link.close()
		c.link = nil
	}
	return nil
}

// errClosed is the cause if a Conn is used after Close.
var errClosed = errors.New("the connection was closed")

// live returns the connection. It connects if there is none or if it was lost.
func (c *Conn) live(ctx context.Context) (*link, error) {
	select {
	case c.sem <- struct{}{}:
	case <-ctx.Done():
		return nil, lab.NotSent(&lab.Error{Op: "dial", Target: c.target.name(), Err: context.Cause(ctx)})
	}
	defer func() { <-c.sem }()
	if c.closed {
		return nil, lab.NotSent(&lab.Error{Op: "dial", Target: c.target.name(), Err: errClosed})
	}
	if c.link != nil && !isClosed(c.link.lost) {
		return c.link, nil
	}
	if c.link != nil {
		c.link.close()
		c.link = nil
	}
	l, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	c.link = l
	return l, nil
}
