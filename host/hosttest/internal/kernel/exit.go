package kernel

import "slices"

// Exit unwinds the goroutine of a process that has ended.
type Exit struct{ Code int }

// closeStdout writes what stdio would at exit.
func (p *Process) closeStdout(code int) int {
	if p.dead.Load() {
		return code
	}
	p.Flush()
	if p.WriteErr != nil {
		p.Errorf("write error: %s", Strerror(p.WriteErr))
		return 1
	}
	return code
}

// Finish ends the process, once.
func (p *Process) Finish(st WaitStatus) {
	p.mu.Lock()
	if p.dead.Swap(true) {
		p.mu.Unlock()
		return
	}
	p.Status = st
	cond := p.blocked
	cancel := p.cancel
	fds := p.FDs
	kids := slices.Clone(p.children)
	holds := p.holds
	onExit := p.onExit
	p.mu.Unlock()

	m := p.Kernel
	m.procMu.Lock()
	delete(m.procs, p.PID)
	for _, k := range kids {
		if k.PPID == p.PID {
			k.PPID = 1
		}
	}
	m.procMu.Unlock()
	for _, f := range fds {
		if f != nil {
			f.Release()
		}
	}
	for _, f := range holds {
		f.Release()
	}
	close(p.Done)
	if cancel != nil {
		cancel()
	}
	if cond != nil {
		cond.L.Lock()
		cond.Broadcast()
		cond.L.Unlock()
	}
	if p.parent != nil {
		p.parent.reap(p)
	}
	if onExit != nil {
		onExit(st)
	}
}

// reap forgets a child that has ended.
func (p *Process) reap(c *Process) {
	p.mu.Lock()
	if i := slices.Index(p.children, c); i >= 0 {
		p.children = slices.Delete(p.children, i, i+1)
	}
	p.mu.Unlock()
}

func (p *Process) Die(sig int) { p.Finish(WaitStatus{Signal: sig}) }

// Check leaves the goroutine of a process that was killed.
func (p *Process) Check() {
	if p.dead.Load() {
		panic(Exit{0})
	}
}
