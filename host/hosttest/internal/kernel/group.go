package kernel

import "time"

// Looks is what ps shows of a process: its arguments, start, effective and real user.
func (p *Process) Looks() (args []string, started time.Time, uid, ruid uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Args, p.Started, p.UID, p.RUID
}

// Family is the parent, the group and the session of a process.
func (p *Process) Family() (ppid, pgid, sid int) {
	p.Kernel.procMu.Lock()
	defer p.Kernel.procMu.Unlock()
	return p.PPID, p.PGID, p.SID
}

// Setsid makes a process the leader of a session and a group of its own.
func (p *Process) Setsid() {
	p.Kernel.procMu.Lock()
	defer p.Kernel.procMu.Unlock()
	p.SID, p.PGID = p.PID, p.PID
}

// Setpgid makes a process the leader of a group of its own.
func (p *Process) Setpgid() {
	p.Kernel.procMu.Lock()
	defer p.Kernel.procMu.Unlock()
	p.PGID = p.PID
}
