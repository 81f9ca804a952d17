package utillinux

import (
	"os"
	"strconv"
	"syscall"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const (
	flockShort = "+sexnoFuw:c:E:"
	flockLong  = "shared>s exclusive>x unlock>u nonblocking>n nb>n timeout=>w wait=>w conflict-exit-code=>E close>o " +
		"no-fork>F " +
		"command=>c verbose"
)

func cmdFlock(p *kernel.Process) int {
	o, ok := libc.Getopt(p, flockShort, flockLong)
	if !ok {
		return libc.Usage(p, 64)
	}
	conflict := 1
	if o.Has("E") {
		n, err := strconv.Atoi(o.Get("E"))
		if err != nil || n < 0 || n > 255 {
			p.Errorf("exit code out of range (expected 0 to 255)")
			return 64
		}
		conflict = n
	}
	if len(o.Args) == 0 {
		p.Errorf("not enough arguments")
		return libc.Usage(p, 64)
	}
	d, cmd, code := flockFile(p, o)
	if d == nil {
		return code
	}
	if o.Has("u") {
		p.Kernel.Tree.Funlock(d)
		d.Release()
		return 0
	}
	var deadline time.Time
	if o.Has("w") {
		s, err := strconv.ParseFloat(o.Get("w"), 64)
		if err != nil {
			p.Errorf("invalid timeout value: '%s'", o.Get("w"))
			return 64
		}
		deadline = p.Kernel.Now().Add(time.Duration(s * float64(time.Second)))
	}
	for !p.Kernel.Tree.Flock(d, !o.Has("s")) {
		if o.Has("n") || !deadline.IsZero() && !p.Kernel.Now().Before(deadline) {
			d.Release()
			return conflict
		}
		waitLock(p, deadline)
	}
	if cmd == nil {
		d.Release()
		return 0
	}
	return flockRun(p, o, d, cmd)
}

// flockFile opens what is locked: a descriptor of this process, or a file that is locked while a command runs. On an
// error there is none, and code is the exit code.
func flockFile(p *kernel.Process, o *libc.Options) (d *kernel.File, cmd []string, code int) {
	args := o.Args
	if n, ok := kernel.ParseUint(args[0]); ok && len(args) == 1 && !o.Has("c") {
		if n >= uint64(len(p.FDs)) || p.FDs[n] == nil {
			p.Errorf("%d: Bad file descriptor", n)
			return nil, nil, 65
		}
		d = p.FDs[n].Ref()
	} else {
		cmd = args[1:]
		if o.Has("c") {
			cmd = []string{"/bin/sh", "-c", o.Get("c")}
		}
		if len(cmd) > 1 && cmd[0] == "-c" {
			cmd = []string{"/bin/sh", "-c", cmd[1]}
		}
		if len(cmd) == 0 {
			p.Errorf("bad file descriptor: '%s'", args[0])
			return nil, nil, 64
		}
		var err error
		if d, err = p.Open(args[0], os.O_RDONLY|os.O_CREATE, 0o666); err == syscall.EISDIR {
			d, err = p.Open(args[0], os.O_RDONLY, 0)
		}
		if err != nil {
			p.Errorf("cannot open lock file %s: %s", args[0], kernel.Strerror(err))
			return nil, nil, 66
		}
	}
	if d.Stream != nil {
		d.Release()
		p.Errorf("%s: Bad file descriptor", args[0])
		return nil, nil, 65
	}
	return d, cmd, 0
}

// flockRun runs the command with the lock.
func flockRun(p *kernel.Process, o *libc.Options, d *kernel.File, cmd []string) int {
	if o.Has("F") {
		p.SetFD(9, d) // the lock lives as long as the command's process
		return libc.Execvp(p, cmd, p.Env)
	}
	if !o.Has("o") {
		p.SetFD(9, d.Ref())
	}
	c := libc.Spawn(p, cmd, p.Env, nil)
	// The lock is released with the last descriptor: when this process ends, and not before.
	p.Hold(d)
	if !o.Has("o") {
		p.SetFD(9, nil)
	}
	st := p.WaitFor(c)
	return st.ExitCode()
}

// waitLock waits until some lock is released.
func waitLock(p *kernel.Process, deadline time.Time) {
	if !deadline.IsZero() {
		p.Sleep(min(10*time.Millisecond, max(time.Millisecond, deadline.Sub(p.Kernel.Now()))))
		return
	}
	t := p.Kernel.Tree
	t.Lock()
	if p.BlockOn(t.Freed) {
		t.Freed.Wait()
		p.Unblock()
	}
	t.Unlock()
	p.Check()
}
