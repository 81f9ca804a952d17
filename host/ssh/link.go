package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// link is one connection to a machine, with the connections to the jumps that it goes through.
type link struct {
	hops   []*hop        // the jumps, the first dialled first, and then the machine
	client *ssh.Client   // of the machine
	lost   chan struct{} // closed when the connection to the machine is lost

	mu      sync.Mutex
	closing bool
	workers sync.WaitGroup
}

// hop is the connection to one machine of the chain.
type hop struct {
	client  *ssh.Client
	wire    *wire
	hostKey string // fingerprint
}

// spawn runs f, which ends when the link is lost, in a goroutine that close waits for.
func (l *link) spawn(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing { // close is waiting already, or has returned
		go f()
		return
	}
	l.workers.Go(f)
}

// markInUse records that the machine executes something: see [wire.acknowledge].
func (l *link) markInUse() {
	for _, h := range l.hops {
		h.wire.markInUse()
	}
}

func (l *link) close() {
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
	if len(l.hops) == 0 {
		return
	}
	l.cut()
	for _, h := range l.hops {
		h.client.Close()
	}
	l.workers.Wait()
}

// cut closes the TCP connection that all others go through. To close one of the others would be to
// write to the machine before it, which blocks forever if that does not respond and much is waiting
// to be sent.
func (l *link) cut() { l.hops[0].wire.Close() }

// dial connects through the jumps and logs in.
func (c *Conn) dial(ctx context.Context) (*link, error) {
	l := &link{}
	if err := c.extend(ctx, l, append(slices.Clone(c.target.Jump), c.target)...); err != nil {
		l.close()
		return nil, err
	}
	c.register(l)
	return l, nil
}

// extend logs in to machines, each through the one before it, and appends them to the chain.
func (c *Conn) extend(ctx context.Context, l *link, targets ...Target) error {
	for _, t := range targets {
		addr, err := HostPort(t.Address)
		if err != nil {
			return lab.NotSent(&lab.Error{Op: "dial", Target: t.name(), Path: t.Address,
				Err: fmt.Errorf("%w: %w", lab.ErrInvalid, err)})
		}
		h, err := c.login(ctx, l, t, addr, func(ctx context.Context) (net.Conn, error) {
			return c.connect(ctx, l, t, addr)
		})
		if err != nil {
			return err
		}
		l.add(h)
	}
	return nil
}

// add appends a machine to the chain.
func (l *link) add(h *hop) {
	l.spawn(func() { h.wire.acknowledge(h.client) })
	l.spawn(func() {
		_ = h.client.Wait()
		close(h.wire.lost)
	})
	l.hops = append(l.hops, h)
	l.client, l.lost = h.client, h.wire.lost
}

// register counts a chain that is complete, and keeps it alive.
func (c *Conn) register(l *link) {
	c.connections.Add(1)
	interval := c.target.KeepAlive
	if interval == 0 {
		interval = defaultKeepAlive
	}
	if interval > 0 {
		l.spawn(func() { keepAlive(l, interval) })
	}
}

// connect opens the connection for SSH to one machine of the chain: directly, or through the machine
// before it.
func (c *Conn) connect(ctx context.Context, l *link, t Target, addr string) (net.Conn, error) {
	fail := func(hint string, err error) error {
		return lab.NotSent(&lab.Error{Op: "dial", Target: t.name(), Path: addr, Hint: hint, Err: err})
	}
	if len(l.hops) == 0 {
		nc, err := c.target.Boundary.DialContext(ctx, "tcp", addr)
		if at, ok := ctx.Deadline(); err != nil && ok && !time.Now().Before(at) {
			<-ctx.Done() // the dialer watches the clock, and may have given up before the context has ended
		}
		switch {
		case err == nil:
			return nc, nil
		case errors.Is(err, lab.ErrRefused):
			return nil, fail("", err)
		case ctx.Err() != nil:
			return nil, fail("", context.Cause(ctx))
		}
		return nil, fail("is it on, and is sshd running? nc -vz "+ncAddress(addr),
			fmt.Errorf("%w: %w", lab.ErrUnreachable, err))
	}
	if err := c.target.Boundary.CheckRemote(addr); err != nil {
		return nil, fail("", err)
	}
	jump := l.hops[len(l.hops)-1]
	nc, err := dialThrough(ctx, jump.client, jump.wire.lost, "tcp", addr)
	var refused *ssh.OpenChannelError
	switch {
	case err == nil:
		return nc, nil
	case ctx.Err() != nil:
		return nil, fail("", context.Cause(ctx))
	case errors.As(err, &refused) && refused.Reason == ssh.Prohibited:
		return nil, fail("allow it in the jump's sshd_config: AllowTcpForwarding local",
			fmt.Errorf("%w: the jump forwards no connections: %s", lab.ErrUnauthorized, lab.Printable(refused.Message)))
	case errors.As(err, &refused):
		return nil, fail("log in to the jump and try from there: nc -vz "+ncAddress(addr),
			fmt.Errorf("%w: the jump cannot connect to it: %s", lab.ErrUnreachable, lab.Printable(refused.Message)))
	}
	return nil, fail("", fmt.Errorf("%w: the connection to the jump was lost", lab.ErrUnreachable))
}

// dialThrough dials from the machine that client is connected to. It returns when that connection is
// lost: see [errLost].
func dialThrough(ctx context.Context, client *ssh.Client, lost <-chan struct{}, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-lost:
			cancel(errLost)
		case <-ctx.Done():
		}
	}()
	nc, err := client.DialContext(ctx, network, address)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nc, err
}

// ncAddress returns an address as the arguments of nc.
func ncAddress(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host + " " + port
}
