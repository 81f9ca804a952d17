package real

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is a child that is stopped when this process ends, in whatever way.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended
	err  error         // of Wait; valid once done is closed
}

// start runs cmd. When this process ends, even by SIGKILL, the child gets sig.
func start(cmd *exec.Cmd, sig syscall.Signal) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel sends the parent-death signal when the thread that forked ends
		// (golang.org/issue/27505), so that thread must live until the child ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		release, err := startBound(cmd, sig)
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		release()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// until does the same as [until], and stops waiting when the process ends.
func (p *process) until(ctx context.Context, what string, ready func() error) error {
	ctx, stop := whileRunning(ctx, p.done, func() error {
		return fmt.Errorf("%s exited: %v",
			p.cmd.Path, p.cmd.ProcessState)
	})
	defer stop()
	return until(ctx, what, ready)
}

// exited reports whether the child has ended.
func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop sends sig, waits up to grace for the child to end, and then kills it.
func (p *process) stop(sig os.Signal, grace time.Duration) error {
	if p == nil || p.exited() {
		return nil
	}
	if err := p.cmd.Process.Signal(sig); err != nil && !p.exited() {
		return fmt.Errorf("signal %s: %w", p.cmd.Path, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(grace):
	}
	if err := p.cmd.Process.Kill(); err != nil && !p.exited() {
		return fmt.Errorf("kill %s: %w", p.cmd.Path, err)
	}
	<-p.done
	return nil
}

// exitCode returns the child's exit code; -1 if a signal ended it.
func (p *process) exitCode() int { return p.cmd.ProcessState.ExitCode() }
