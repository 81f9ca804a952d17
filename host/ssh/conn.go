package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Conn is a machine that we are logged in to. When the connection is lost, what was under way ends with an error, and the next call
// connects again. It is safe for concurrent use; sshd allows 10 things at once by default (MaxSessions).
type Conn struct {
	target Target

	gate   chan struct{} // held by who looks at or changes the two below
	link   *link         // nil before the first connection and after Close
	closed bool

	connections, execs, sent, received atomic.Int64
}

// Counters is what a connection has cost so far.
type Counters struct {
	Connections   int64 // logins at the machine itself, jumps not counted
	Execs         int64 // scripts that were started, those that end a cancelled one included
	BytesSent     int64 // to the machine on the wire, encrypted
	BytesReceived int64 // from the machine on the wire, encrypted
}

// Dial connects and logs in. Its errors are an [lab.ErrInvalid] with everything that is wrong with the target, [lab.ErrUnreachable],
// [lab.ErrHostKey], [lab.ErrUnauthorized], and [lab.ErrRefused] for an address outside the boundary; all are safe to retry.
func Dial(ctx context.Context, t Target) (*Conn, error) {
	if err := t.Validate(); err != nil {
		return nil, lab.NotSent(&lab.Error{Op: "dial", Target: t.name(), Err: err})
	}
	c := &Conn{target: t, gate: make(chan struct{}, 1)}
	if _, err := c.live(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Target returns what the connection was made with.
func (c *Conn) Target() Target { return c.target }

// Counters returns the counters.
func (c *Conn) Counters() Counters {
	return Counters{c.connections.Load(), c.execs.Load(), c.sent.Load(), c.received.Load()}
}

// HostKey returns the fingerprint of the key that the machine proved to have, "SHA256:..."; empty after Close.
func (c *Conn) HostKey() string {
	c.gate <- struct{}{}
	defer func() { <-c.gate }()
	if c.link == nil {
		return ""
	}
	return c.link.hops[len(c.link.hops)-1].hostKey
}

// Close ends the connection, what runs through it included. A script that runs is not killed: cancel its context for that.
func (c *Conn) Close() error {
	c.gate <- struct{}{}
	defer func() { <-c.gate }()
	c.closed = true
	if c.link != nil {
		c.link.close()
		c.link = nil
	}
	return nil
}

// errClosed is the cause when a Conn is used after Close.
var errClosed = errors.New("the connection was closed here")

// live returns the connection, and makes a new one when there is none.
func (c *Conn) live(ctx context.Context) (*link, error) {
	select {
	case c.gate <- struct{}{}:
	case <-ctx.Done():
		return nil, lab.NotSent(&lab.Error{Op: "dial", Target: c.target.name(), Err: context.Cause(ctx)})
	}
	defer func() { <-c.gate }()
	if c.closed {
		return nil, lab.NotSent(&lab.Error{Op: "dial", Target: c.target.name(), Err: errClosed})
	}
	if c.link != nil && !c.link.isLost() {
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

// link is one connection, with those to the jumps that it goes through.
type link struct {
	hops   []*hop        // the jumps, first dialled first, and the machine
	client *ssh.Client   // of the machine
	lost   chan struct{} // closed when the connection to the machine is gone

	mu      sync.Mutex
	closing bool
	ended   sync.WaitGroup // what works for the link
}

// work runs f, which ends when the link is lost; close waits for it.
func (l *link) work(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing { // nobody can wait any more: it ends by itself
		go f()
		return
	}
	l.ended.Go(f)
}

// hop is the connection to one machine of the chain.
type hop struct {
	client  *ssh.Client
	wire    *wire
	hostKey string // fingerprint
}

func (l *link) isLost() bool {
	select {
	case <-l.lost:
		return true
	default:
		return false
	}
}

// settle tells that the machine executes something: see [wire.acknowledge].
func (l *link) settle() {
	for _, h := range l.hops {
		h.wire.settle()
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
	l.ended.Wait()
}

// cut ends the connection that all others go through. To close one of those is to write to the machine before it, which waits without end when
// that does not answer and there is much to send already.
func (l *link) cut() { l.hops[0].wire.Close() }

// dial connects through the jumps and logs in.
func (c *Conn) dial(ctx context.Context) (*link, error) {
	l := &link{}
	for _, t := range append(slices.Clone(c.target.Jump), c.target) {
		addr, err := HostPort(t.Address)
		if err != nil {
			l.close()
			return nil, lab.NotSent(&lab.Error{Op: "dial", Target: t.name(), Path: t.Address, Err: fmt.Errorf("%w: %w", lab.ErrInvalid, err)})
		}
		h, err := c.login(ctx, l, t, addr, func(ctx context.Context) (net.Conn, error) { return c.connect(ctx, l, t, addr) })
		if err != nil {
			l.close()
			return nil, err
		}
		l.add(h)
	}
	c.use(l)
	return l, nil
}

// add appends a machine to the chain.
func (l *link) add(h *hop) {
	l.work(func() { h.wire.acknowledge(h.client) })
	l.work(func() {
		_ = h.client.Wait()
		close(h.wire.lost)
	})
	l.hops = append(l.hops, h)
	l.client, l.lost = h.client, h.wire.lost
}

// use begins to use a chain that is complete.
func (c *Conn) use(l *link) {
	c.connections.Add(1)
	every := c.target.KeepAlive
	if every == 0 {
		every = defaultKeepAlive
	}
	if every > 0 {
		l.work(func() { keepAlive(l, &c.received, every) })
	}
}

// login connects to one machine of the chain and logs in.
func (c *Conn) login(ctx context.Context, l *link, t Target, addr string, connect func(context.Context) (net.Conn, error)) (*hop, error) {
	keys, err := t.HostKeys.keyring(t.name(), addr)
	if err != nil {
		return nil, err
	}
	limit := t.connectTimeout()
	timeout := fmt.Errorf("%w: %w after %s", lab.ErrUnreachable, lab.ErrTimeout, limit)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, timeout)
	defer cancel()
	login, err := t.Auth.login(ctx, t.name())
	if err != nil {
		return nil, err
	}
	defer login.close()
	nc, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: nc, arrived: make(chan struct{}, 1), settled: make(chan struct{}), lost: make(chan struct{})}
	if len(l.hops) == len(c.target.Jump) { // the machine itself
		w.sent, w.received = &c.sent, &c.received
	} else {
		w.sent, w.received = new(atomic.Int64), new(atomic.Int64)
	}
	stop := context.AfterFunc(ctx, func() {
		if len(l.hops) > 0 {
			l.cut() // a channel of a jump that is silent would not end by closing it
		}
		w.Close()
	})
	sc, channels, requests, err := ssh.NewClientConn(w, addr, &ssh.ClientConfig{
		User:              t.User,
		Auth:              login.methods,
		HostKeyCallback:   keys.check,
		HostKeyAlgorithms: keys.algorithms(),
		ClientVersion:     "SSH-2.0-lab",
	})
	if !stop() && err == nil {
		sc.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, loginError(ctx, t, addr, login, keys, err)
	}
	return &hop{ssh.NewClient(sc, channels, requests), w, keys.shown}, nil
}

// connect opens the connection that SSH is spoken over.
func (c *Conn) connect(ctx context.Context, l *link, t Target, addr string) (net.Conn, error) {
	fail := func(hint string, err error) error {
		return lab.NotSent(&lab.Error{Op: "dial", Target: t.name(), Path: addr, Hint: hint, Err: err})
	}
	if len(l.hops) == 0 {
		nc, err := c.target.Boundary.DialContext(ctx, "tcp", addr)
		if at, ok := ctx.Deadline(); err != nil && ok && !time.Now().Before(at) {
			<-ctx.Done() // the dialer goes by the clock, and may have given up before the context has
		}
		switch {
		case err == nil:
			return nc, nil
		case errors.Is(err, lab.ErrRefused):
			return nil, fail("", err)
		case ctx.Err() != nil:
			return nil, fail("", context.Cause(ctx))
		}
		return nil, fail("is it on, and does sshd run? nc -vz "+ncAddress(addr), fmt.Errorf("%w: %w", lab.ErrUnreachable, err))
	}
	if err := c.target.Boundary.CheckRemote(addr); err != nil {
		return nil, fail("", err)
	}
	jump := l.hops[len(l.hops)-1]
	nc, err := dialThrough(ctx, jump.client, jump.wire.lost, "tcp", addr)
	var open *ssh.OpenChannelError
	switch {
	case err == nil:
		return nc, nil
	case ctx.Err() != nil:
		return nil, fail("", context.Cause(ctx))
	case errors.As(err, &open) && open.Reason == ssh.Prohibited:
		return nil, fail("allow it in the jump's sshd_config: AllowTcpForwarding local", fmt.Errorf("%w: the jump forwards nothing: %s", lab.ErrUnauthorized, lab.Printable(open.Message)))
	case errors.As(err, &open):
		return nil, fail("log in to the jump and try from there: nc -vz "+ncAddress(addr), fmt.Errorf("%w: the jump has no connection to it: %s", lab.ErrUnreachable, lab.Printable(open.Message)))
	}
	return nil, fail("", fmt.Errorf("%w: the connection to the jump was lost", lab.ErrUnreachable))
}

// dialThrough dials from the machine that client is connected to. It returns when that connection is lost: see [errLost].
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

// ncAddress writes an address as nc wants it.
func ncAddress(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host + " " + port
}

// loginError says why the key exchange or the login did not succeed.
func loginError(ctx context.Context, t Target, addr string, l *login, k *keyring, err error) error {
	e := &lab.Error{Op: "log in", Target: t.name(), Path: t.User + "@" + addr}
	var negotiation *ssh.AlgorithmNegotiationError
	text := strings.TrimPrefix(err.Error(), "ssh: handshake failed: ")
	switch {
	case k.err != nil:
		return k.err
	case ctx.Err() != nil:
		e.Err = context.Cause(ctx)
	case errors.As(err, &negotiation):
		e.Hint = "update its OpenSSH"
		e.Err = fmt.Errorf("%w: %s", lab.ErrUnreachable, strings.TrimPrefix(text, "ssh: "))
	case k.shown == "":
		e.Hint = "is it an SSH server? nc " + ncAddress(addr) + " shows its greeting; sshd turns away too many logins at once (MaxStartups)"
		e.Err = fmt.Errorf("%w: the connection ended before the machine had shown its host key: %s", lab.ErrUnreachable, text)
	case strings.Contains(text, "unable to authenticate"), strings.Contains(text, "ssh: disconnect"), strings.Contains(text, "ssh: no common public key"), strings.Contains(text, "which is not for a password"):
		keys := "no key"
		if len(l.keys) > 0 {
			keys = strings.Join(l.keys, "; ")
		}
		methods := strings.TrimPrefix(text, "ssh: ")
		if _, after, ok := strings.Cut(text, "attempted methods ["); ok {
			tried, _, _ := strings.Cut(after, "]")
			methods = "tried " + strings.TrimPrefix(strings.ReplaceAll(tried, " ", ", "), "none, ")
			if tried == "none" {
				methods = "the machine takes none of the methods there are keys or passwords for"
			}
		}
		e.Hint = "put the public key into ~" + t.User + "/.ssh/authorized_keys on the machine; its journal says why it refuses: journalctl -u ssh"
		e.Err = fmt.Errorf("%w: %s; offered %s", lab.ErrUnauthorized, methods, keys)
	default:
		e.Err = fmt.Errorf("%w: the connection ended during the login: %s", lab.ErrUnreachable, text)
	}
	return lab.NotSent(e)
}

// maxMissed is how many signs of life may be missed in a row.
const maxMissed = 3

// keepAlive asks for a sign of life every so often, and cuts the connection when too many are missed. Bytes that arrive are one too.
func keepAlive(l *link, received *atomic.Int64, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	answered := make(chan struct{}, 1)
	waiting, missed, seen := false, 0, received.Load()
	for {
		select {
		case <-l.lost:
			return
		case <-answered:
			waiting = false
		case <-tick.C:
			now := received.Load()
			if waiting && now == seen {
				missed++
			} else {
				missed = 0
			}
			seen = now
			if missed >= maxMissed {
				l.cut()
				return
			}
			if !waiting {
				waiting = true
				go func() {
					_, _, _ = l.client.SendRequest("keepalive@openssh.com", true, nil)
					answered <- struct{}{}
				}()
			}
		}
	}
}

// wire is the connection that SSH is spoken over.
type wire struct {
	net.Conn
	sent, received *atomic.Int64

	broken  atomic.Bool   // nothing more can be read
	lost    chan struct{} // closed when the SSH connection has ended
	arrived chan struct{} // something did
	settled chan struct{} // closed when the first channel is in use
	once    sync.Once
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.received.Add(int64(n))
	if err != nil {
		w.broken.Store(true)
	}
	select {
	case w.arrived <- struct{}{}:
	default:
	}
	return n, err
}

// Write fails once Read has failed: what asks for an answer learns so that none will come. See [errLost].
func (w *wire) Write(p []byte) (int, error) {
	if w.broken.Load() {
		return 0, net.ErrClosed
	}
	n, err := w.Conn.Write(p)
	w.sent.Add(int64(n))
	return n, err
}

// settle tells that the first channel is in use.
func (w *wire) settle() { w.once.Do(func() { close(w.settled) }) }

// acknowledge answers whatever arrives between the login and the first use of a channel with a packet that asks for nothing. It saves 40 ms
// of Linux and 100 of macOS: sshd, which turns Nagle's algorithm off only when it executes something (ssh_packet_set_interactive in do_exec),
// announces its host keys first, and holds its next packet back until that is acknowledged, which our kernel delays when we send nothing.
func (w *wire) acknowledge(client *ssh.Client) {
	for {
		select {
		case <-w.arrived:
			_, _, _ = client.SendRequest("keepalive@openssh.com", false, nil)
		case <-w.settled:
			return
		case <-w.lost:
			return
		}
	}
}
