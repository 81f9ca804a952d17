package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Run runs a script and returns its outcome, whatever its exit status: see [Result.Err]. An error means
// that the script did not run to its end:
//
//   - [lab.ErrUnreachable]: the connection was lost. [lab.SafeToRetry] tells whether the script
//     certainly did not start.
//   - [lab.ErrUnauthorized]: sudo refused. The script did not start.
//   - [lab.ErrBlocked]: another process holds the lock, or the machine opens no further session
//     (MaxSessions of sshd_config(5)). The script did not start.
//   - ctx's cause: ctx ended. The script and all processes of its session got SIGTERM, and SIGKILL if
//     they were still there after 3 s. Run has waited for that, for 30 s at most. If they could not be
//     stopped, because the connection was lost too, the error says so.
//
// A script that holds the lock loses its connection, as by a network that fails, if nothing of ours arrives
// for six times [Target.KeepAlive]: a machine does not stay locked because we have vanished.
//
// Processes that the script leaves running are not stopped. If they keep the script's outputs open, Run
// returns after 2 s without output. A script gets the machine's own environment: no variable, locale or
// working directory is sent.
func (c *Conn) Run(ctx context.Context, cmd Command) (*Result, error) {
	fail := func(err error) (*Result, error) {
		return nil, lab.NotSent(&lab.Error{Op: "run script", Target: c.target.name(), Err: err})
	}
	isRoot := c.target.User == "root"
	switch {
	case strings.Contains(cmd.Script, "\x00"):
		return fail(fmt.Errorf("%w: a script cannot contain a NUL byte", lab.ErrInvalid))
	case cmd.Lock && !cmd.Root && !isRoot:
		return fail(fmt.Errorf("%w: only root can hold the lock", lab.ErrInvalid))
	case ctx.Err() != nil:
		return fail(context.Cause(ctx))
	}
	s := newSession(c, cmd, cmd.Root && !isRoot)
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	defer s.detach()
	r, err := s.wait(ctx)
	if errors.Is(err, errLocked) {
		err = c.blocked(ctx, err)
	}
	return r, err
}

// How long to wait for what usually takes no time.
const (
	// sudoTimeout is from the exec to sudo's prompt or the script's start. PAM may wait for a directory
	// service.
	sudoTimeout = 30 * time.Second

	// killGrace is for a script to start, before it is stopped.
	killGrace = 3 * time.Second

	// killTimeout is for stopping a script, reconnecting included: 8 s of kill.sh, and the rest for
	// a busy machine.
	killTimeout = 30 * time.Second

	// closeGrace is for a channel to close.
	closeGrace = 3 * time.Second

	// outputGrace is for more output after the shell has exited: processes that it left running may
	// keep its outputs open.
	outputGrace = 2 * time.Second
)

// wait waits for the end of the script, or stops it.
func (s *session) wait(ctx context.Context) (*Result, error) {
	started, exited := s.started, s.exited
	var sudoSilent, outputSilent <-chan time.Time
	if s.password {
		t := time.NewTimer(sudoTimeout)
		defer t.Stop()
		sudoSilent = t.C
	}
	for {
		var cause error
		select {
		case <-s.closed:
		case <-started:
			started, sudoSilent = nil, nil
			continue
		case <-exited:
			exited, outputSilent = nil, time.After(outputGrace)
			continue
		case <-outputSilent:
			if left := outputGrace - min(s.stdout.idle(), s.stderr.idle()); left > 0 {
				outputSilent = time.After(left)
				continue
			}
		case <-ctx.Done():
			cause = context.Cause(ctx)
		case cause = <-s.failed:
		case <-sudoSilent:
			cause = errSudoSilent
		}
		if isClosed(s.exited) {
			s.close()
		}
		if isClosed(s.closed) {
			return s.result()
		}
		if cause == nil {
			cause = fmt.Errorf("%w: the machine stopped responding", lab.ErrUnreachable)
		}
		return s.stop(ctx, cause)
	}
}

// result returns the outcome. Call it when s.closed is closed.
func (s *session) result() (*Result, error) {
	e := &lab.Error{Op: "run script", Target: s.conn.target.name()}
	switch {
	case s.exit < 0 && s.signal == "":
		<-s.sent
		if !s.sentAll {
			e.Err = fmt.Errorf("%w: the connection was lost before the script was sent", lab.ErrUnreachable)
			return nil, lab.NotSent(e)
		}
		e.Hint = "once the machine is reachable, run it again: it first looks at what was done"
		e.Err = fmt.Errorf("%w: the connection was lost while the script ran; its outcome is unknown", lab.ErrUnreachable)
		return nil, e
	case !isClosed(s.started):
		return nil, lab.NotSent(s.launchError())
	case s.stdout.destErr != nil:
		e.Err = fmt.Errorf("write the script's output: %w", s.stdout.destErr)
		return nil, e
	case s.stderr.destErr != nil:
		e.Err = fmt.Errorf("write the script's standard error: %w", s.stderr.destErr)
		return nil, e
	case s.exit == exitIncomplete && bytes.Contains(s.stderr.tail, []byte(s.marker)):
		e.Hint = "the startup files of the user's login shell must not read stdin: ~/.bashrc, ~/.zshenv, config.fish"
		e.Err = fmt.Errorf("%w: something on the machine consumed a part of the script", lab.ErrConflict)
		return nil, lab.NotSent(e)
	}
	return &Result{
		Exit: s.exit, Signal: s.signal, Stdout: s.stdout.collected.Bytes(), Stderr: s.stderr.collected.Bytes(),
		Truncated: s.stdout.truncated || s.stderr.truncated,
		target:    s.conn.target.name(), stderrCut: s.stderr.truncated,
	}, nil
}

// stop stops the script, waits until its processes are gone, and returns an error that says so.
func (s *session) stop(ctx context.Context, cause error) (*Result, error) {
	s.mu.Lock()
	s.cancelled = true
	sending := s.sending
	s.mu.Unlock()
	e := &lab.Error{Op: "run script", Target: s.conn.target.name()}
	if errors.Is(cause, errWrongPassword) {
		e.Hint = "log in and try it: sudo -k; sudo -v"
		cause = fmt.Errorf("%w: %w", lab.ErrUnauthorized, cause)
	}
	if errors.Is(cause, errSudoSilent) {
		e.Hint = "log in and see what sudo asks for: sudo -k; sudo -v"
		cause = fmt.Errorf("%w: %w within %s", lab.ErrTimeout, cause, sudoTimeout)
	}
	if !sending {
		s.close()
		e.Err = cause
		return nil, lab.NotSent(e)
	}
	if s.cmd.abandon {
		s.close()
		e.Err = cause
		return nil, e
	}
	waitEither(killGrace, s.started, s.closed)
	if isClosed(s.exited) {
		s.close()
	}
	if isClosed(s.exited) && isClosed(s.closed) {
		return s.result()
	}
	if !isClosed(s.started) {
		s.close()
		e.Err = fmt.Errorf("%w; the machine does not respond, so the script may still be running", cause)
		return nil, e
	}
	how, err := s.conn.kill(context.WithoutCancel(ctx), s)
	if err == nil {
		waitEither(closeGrace, s.closed, nil)
	}
	if how == "" && err == nil && isClosed(s.exited) && isClosed(s.closed) {
		return s.result() // it ended before it got a signal
	}
	s.close()
	switch {
	case err != nil:
		e.Hint = fmt.Sprintf("on the machine: ps -o pid,args -s %d", s.pid)
		e.Err = fmt.Errorf("%w; its processes may still be running, because they could not be stopped: %w", cause, err)
	case how == "":
		e.Err = fmt.Errorf("%w; its processes had already ended", cause)
	default:
		e.Err = fmt.Errorf("%w; its processes were %s", cause, how)
	}
	return nil, e
}
