package host

import (
	"context"
	"fmt"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Machine is a machine reached over SSH. It connects when it is first asked something, keeps the connection until [Machine.Close], and
// connects again when the connection was lost and nothing was under way. It is safe for concurrent use; what it is asked is done one at a time.
type Machine struct {
	Target ssh.Target

	// Environment is the environment that the machine must belong to. A machine says so in /etc/lab/environment: another name there is
	// refused before anything is planned, and a machine that has none is claimed, by a change that the plan shows. Empty means that nothing is
	// checked and nothing claimed.
	Environment string

	mu    sync.Mutex    // of what follows; not held while the machine is waited for
	turn  chan struct{} // held by who connects or runs a script; made when it is first wanted
	conn  *ssh.Conn
	ended ssh.Counters // of connections that are gone
}

// environmentFile holds the name of the environment that a machine belongs to.
const environmentFile = "/etc/lab/environment"

func (m *Machine) name() string {
	if m.Target.Name != "" {
		return m.Target.Name
	}
	return m.Target.Address
}

// Name returns the target's name, or its address when it has none.
func (m *Machine) Name() string { return m.name() }

// take waits until nobody else is at the machine. The caller gives the turn back.
func (m *Machine) take(ctx context.Context) (giveBack func(), err error) {
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
		return nil, lab.NotSent(&lab.Error{Op: "wait for what else runs on", Target: m.name(), Err: context.Cause(ctx)})
	}
}

func (m *Machine) current() *ssh.Conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.conn
}

// connection returns the connection, made when there is none. The caller has the turn.
func (m *Machine) connection(ctx context.Context) (*ssh.Conn, error) {
	if c := m.current(); c != nil {
		return c, nil
	}
	c, err := ssh.Dial(ctx, m.Target)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn = c
	return c, nil
}

// Conn returns the connection, for what the plan of a machine does not do: a tunnel, a big file, a command.
func (m *Machine) Conn(ctx context.Context) (*ssh.Conn, error) {
	if c := m.current(); c != nil {
		return c, nil
	}
	giveBack, err := m.take(ctx)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	return m.connection(ctx)
}

// Run runs a command, see [ssh.Conn.Run].
func (m *Machine) Run(ctx context.Context, c ssh.Command) (*ssh.Result, error) { return m.run(ctx, c) }

func (m *Machine) run(ctx context.Context, c ssh.Command) (*ssh.Result, error) {
	giveBack, err := m.take(ctx)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	conn, err := m.connection(ctx)
	if err != nil {
		return nil, err
	}
	return conn.Run(ctx, c)
}

// Close closes the connection, see [ssh.Conn.Close]. The machine may be used again.
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
	m.ended = addStats(m.ended, c.Counters())
	return err
}

// Counters returns what the machine has cost since it was made, over all its connections.
func (m *Machine) Counters() ssh.Counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.ended
	if m.conn != nil {
		s = addStats(s, m.conn.Counters())
	}
	return s
}

// Facts observes the machine and returns what every observation tells.
func (m *Machine) Facts(ctx context.Context) (Facts, error) {
	o, err := m.observe(ctx, &Query{}, &lab.Masker{})
	if err != nil {
		return Facts{}, err
	}
	return o.Facts, nil
}

// observe asks the questions by one exec.
func (m *Machine) observe(ctx context.Context, q *Query, masker *lab.Masker) (*Observation, error) {
	nonce := newNonce()
	p := newObservationParser(q)
	frames := &frameParser{nonce: nonce, header: p.header, data: p.data}
	var stderr tail
	res, err := m.run(ctx, ssh.Command{Script: q.script(nonce), Stdout: frames, Stderr: &stderr, Root: true})
	if err != nil {
		return nil, err
	}
	_ = frames.Close() // it only passes on what is left
	o, err := p.finish()
	if err != nil || res.Exit != 0 {
		if err == nil {
			err = fmt.Errorf("exit status %d", res.Exit)
		}
		return nil, &lab.Error{Op: "observe", Target: m.name(), Hint: "look at the machine: it needs a POSIX sh, coreutils, findutils, dpkg and systemd",
			Err: fmt.Errorf("%w: %s", maskError(masker, err), masker.Mask(stderr.String()))}
	}
	return o, nil
}

// Plan reads the machine, by one exec, and returns what must be done so that it is as wanted. It writes nothing. With globs, only the
// resources are planned whose ID matches one of them, see [lab.MatchID], by itself or as the plan has it: "file:*",
// "host/pi1/file:*".
//
// A state that is wrong in itself is [lab.Problems], and nothing is dialled. A machine of another environment is an [lab.ErrRefused].
func (m *Machine) Plan(ctx context.Context, want State, globs ...string) (*lab.Plan, error) {
	if err := want.Validate(); err != nil {
		return nil, err
	}
	j, err := m.newJob(want, globs)
	if err != nil {
		return nil, err
	}
	o, err := m.observe(ctx, j.questions(), j.masker)
	if err != nil {
		return nil, err
	}
	changes, faults := j.plan(o)
	if err := j.joined(faults); err != nil {
		return nil, err
	}
	j.changes = changes
	j.boot = o.Facts.BootID
	step := lab.Step{Name: j.step(), Run: j.run}
	for _, c := range j.changes {
		lc := lab.Change{ID: c.id, Action: c.op.Action, Cause: j.masker.Mask(c.op.Cause), Diff: j.masker.Mask(c.op.Diff), Risk: c.op.Risk}
		for _, d := range c.after {
			lc.After = append(lc.After, j.changes[d].id)
		}
		step.Changes = append(step.Changes, lc)
	}
	if len(step.Changes) == 0 {
		return lab.NewPlan()
	}
	return lab.NewPlan(step)
}

func addStats(a, b ssh.Counters) ssh.Counters {
	return ssh.Counters{Connections: a.Connections + b.Connections, Execs: a.Execs + b.Execs, BytesSent: a.BytesSent + b.BytesSent, BytesReceived: a.BytesReceived + b.BytesReceived}
}
