package host

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Machine is a machine reached over SSH. It connects on first use, keeps the connection until
// [Machine.Close], and reconnects if the connection is lost while nothing is running. It is safe for
// concurrent use; commands run one at a time.
type Machine struct {
	Target ssh.Target

	// Environment is the environment that the machine must belong to, which is recorded on it in
	// /etc/lab/environment. A machine with another name there cannot be planned; a machine with none
	// is claimed, by a change in its plan. Empty means that nothing is verified or claimed.
	Environment string

	// Events is told what is done that is no change of a plan, as [lab.EventDoing] of the target
	// "host/NAME": connecting, and observing; and when that has ended. Calls for several machines may
	// overlap. Nil means nobody is told.
	Events func(lab.Event)

	mu    sync.Mutex    // guards the fields below; not held during a round trip
	turn  chan struct{} // held while connecting or running a command; made on first use
	conn  *ssh.Conn
	ended ssh.Counters // of closed connections
	does  string       // what Events was told last
}

// Name returns the target's name, or its address if it has none.
func (m *Machine) Name() string { return cmp.Or(m.Target.Name, m.Target.Address) }

// take waits for exclusive use of the machine, which the caller must release.
func (m *Machine) take(ctx context.Context) (release func(), err error) {
	m.mu.Lock()
	if m.turn == nil {
		m.turn = make(chan struct{}, 1)
	}
	turn := m.turn
	m.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, lab.NotSent(&lab.Error{Op: "wait for another command on", Target: m.Name(), Err: context.Cause(ctx)})
	}
}

func (m *Machine) current() *ssh.Conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.conn
}

// connection returns the connection, and connects if there is none. The caller holds the turn.
func (m *Machine) connection(ctx context.Context) (*ssh.Conn, error) {
	if c := m.current(); c != nil {
		return c, nil
	}
	defer m.doing("connecting to " + m.Name())()
	c, err := ssh.Dial(ctx, m.Target)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn = c
	return c, nil
}

// Conn returns the connection, for what plans do not do: tunnels, large files, commands. It connects
// if needed.
func (m *Machine) Conn(ctx context.Context) (*ssh.Conn, error) {
	if c := m.current(); c != nil {
		return c, nil
	}
	release, err := m.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return m.connection(ctx)
}

// Run runs a command, see [ssh.Conn.Run].
func (m *Machine) Run(ctx context.Context, c ssh.Command) (*ssh.Result, error) {
	release, err := m.take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	conn, err := m.connection(ctx)
	if err != nil {
		return nil, err
	}
	return conn.Run(ctx, c)
}

// Close closes the connection, see [ssh.Conn.Close]. The machine reconnects if it is used again.
func (m *Machine) Close() error {
	m.mu.Lock()
	c := m.conn
	m.conn = nil
	m.mu.Unlock()
	if c == nil {
		return nil
	}
	err := c.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = sumCounters(m.ended, c.Counters())
	return err
}

// Counters returns what the machine has cost so far, over all its connections.
func (m *Machine) Counters() ssh.Counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.ended
	if m.conn != nil {
		s = sumCounters(s, m.conn.Counters())
	}
	return s
}

// Facts observes the machine and returns its facts.
func (m *Machine) Facts(ctx context.Context) (Facts, error) {
	o, err := m.observe(ctx, &Query{}, &lab.Masker{})
	if err != nil {
		return Facts{}, err
	}
	return o.Facts, nil
}

// observe answers the query with one exec.
func (m *Machine) observe(ctx context.Context, q *Query, masker *lab.Masker) (*Observation, error) {
	nonce := newNonce()
	p := newObservationParser(q)
	frames := &frameParser{nonce: nonce, header: p.header, data: p.data}
	stderr := tail{masker: masker}
	defer m.doing("observing " + m.Name())()
	res, err := m.Run(ctx, ssh.Command{Script: q.script(nonce), Stdout: frames, Stderr: &stderr, Root: true})
	if err != nil {
		return nil, err
	}
	_ = frames.Close() // it only flushes the parser
	o, err := p.finish()
	if err != nil || res.Exit != 0 {
		if err == nil {
			err = fmt.Errorf("exit status %d", res.Exit)
		}
		return nil, &lab.Error{Op: "observe", Target: m.Name(),
			Hint: "examine the machine: it needs a POSIX sh, coreutils, findutils, dpkg and systemd",
			Err:  fmt.Errorf("%w: %s", masker.Err(err), stderr.String())}
	}
	return o, nil
}

// doing tells Events what is being done, and returns what tells it that this has ended, and what goes
// on: a connection may be made for what is observed.
func (m *Machine) doing(what string) (end func()) {
	if m.Events == nil {
		return func() {}
	}
	tell := func(text string) (before string) {
		m.mu.Lock()
		before, m.does = m.does, text
		m.mu.Unlock()
		m.Events(lab.Event{Time: time.Now(), Kind: lab.EventDoing, Target: "host/" + m.Name(), Text: text})
		return before
	}
	before := tell(what)
	return func() { tell(before) }
}

func sumCounters(a, b ssh.Counters) ssh.Counters {
	return ssh.Counters{
		Connections: a.Connections + b.Connections, Execs: a.Execs + b.Execs,
		BytesSent: a.BytesSent + b.BytesSent, BytesReceived: a.BytesReceived + b.BytesReceived,
	}
}
