package kernel

import "slices"

// NewProcess registers a process without running it. What parent lends is inherited as by fork(2).
func (k *Kernel) NewProcess(parent *Process) *Process {
	p := &Process{Kernel: k, Started: k.Now(), Signals: make(chan struct{}, 1), Done: make(chan struct{})}
	if parent != nil {
		p.Args, p.Env, p.Dir = parent.Args, parent.Env, parent.Dir
		p.PPID, p.PGID, p.SID = parent.PID, parent.PGID, parent.SID
		p.UID, p.GID, p.RUID, p.Groups, p.Umask = parent.UID, parent.GID, parent.RUID, parent.Groups, parent.Umask
		p.Exe, p.Unit, p.parent = parent.Exe, parent.Unit, parent
		p.mounts = parent.mounts
		for i, f := range parent.FDs {
			if f != nil {
				p.FDs[i] = f.Ref()
			}
		}
		parent.mu.Lock()
		if len(parent.ignored) > 0 {
			p.ignored = map[int]bool{}
			for s := range parent.ignored {
				p.ignored[s] = true
			}
		}
		parent.children = append(parent.children, p)
		parent.mu.Unlock()
	} else {
		p.PPID, p.Umask, p.Dir = 1, 0o022, "/"
	}
	k.procMu.Lock()
	k.nextPID++
	p.PID = k.nextPID
	if parent == nil {
		p.PGID, p.SID = p.PID, p.PID
	}
	off := k.Off()
	if !off {
		k.procs[p.PID] = p
	}
	// A process that is killed forks no more: who was killed has no child that nobody has seen.
	orphan := parent != nil && parent.dead.Load()
	k.procMu.Unlock()
	if off || orphan {
		p.Die(SigKILL)
	}
	return p
}

// Fork runs f in a child process, on a goroutine of its own.
func (p *Process) Fork(f Program) *Process {
	p.Check()
	c := p.Kernel.NewProcess(p)
	c.Go(f)
	return c
}

func (p *Process) Go(f Program) {
	p.begun.Store(true)
	if !p.Kernel.begin() {
		p.Die(SigKILL)
		return
	}
	go func() {
		defer p.Kernel.running.Done()
		p.run(f)
	}()
}

// begin counts one more that runs, unless the machine goes down: halt waits for those that it has seen.
func (k *Kernel) begin() bool {
	k.procMu.Lock()
	defer k.procMu.Unlock()
	if k.Off() {
		return false
	}
	k.running.Add(1)
	return true
}

// Give hands the standard descriptors to a process that does not run yet, with the caller's references. One that is
// dead already lets go of them.
func (p *Process) Give(fds ...*File) {
	p.mu.Lock()
	dead := p.dead.Load()
	if !dead {
		copy(p.FDs[:], fds)
	}
	p.mu.Unlock()
	if dead {
		for _, f := range fds {
			f.Release()
		}
	}
}

func (p *Process) run(f Program) {
	p.begun.Store(true)
	code := 0
	defer func() {
		// children that were made and never run, because this process was killed meanwhile, hold its files
		p.mu.Lock()
		kids := slices.Clone(p.children)
		p.mu.Unlock()
		for _, k := range kids {
			if !k.begun.Load() {
				k.Finish(WaitStatus{Signal: SigKILL})
			}
		}
		if r := recover(); r != nil {
			e, ok := r.(Exit)
			if !ok {
				panic(r)
			}
			code = e.Code
		}
		p.Finish(WaitStatus{Code: code & 255})
	}()
	code = f(p)
	code = p.closeStdout(code)
}
