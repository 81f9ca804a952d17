package kernel

import (
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Signals as numbered on Linux.
const (
	SigHUP  = 1
	SigINT  = 2
	SigQUIT = 3
	SigABRT = 6
	SigKILL = 9
	SigUSR1 = 10
	SigUSR2 = 12
	SigPIPE = 13
	SigALRM = 14
	SigTERM = 15
	sigCHLD = 17
	sigCONT = 18
	sigSTOP = 19
)

var SignalNames = [...]string{"EXIT", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV",
	"USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
	"VTALRM", "PROF", "WINCH", "POLL", "PWR", "SYS"}

// SignalNumber reads "TERM", "SIGTERM" or "15"; -1 when it is none.
func SignalNumber(s string) int {
	if n, ok := ParseUint(s); ok && n < 65 {
		return int(n)
	}
	s = strings.TrimPrefix(strings.ToUpper(s), "SIG")
	return slices.Index(SignalNames[:], s)
}

// Signal delivers a signal as kill(2) does.
func (p *Process) Signal(sig int) {
	if sig == 0 || p.dead.Load() {
		return
	}
	p.mu.Lock()
	switch {
	case sig == SigKILL:
	case p.ignored[sig], sig == sigCHLD, sig == sigCONT, sig == 23, sig == 28, sig >= 19 && sig <= 22:
		p.mu.Unlock()
		return
	case p.caught[sig]:
		p.pending = append(p.pending, sig)
		cond := p.blocked
		p.mu.Unlock()
		select {
		case p.Signals <- struct{}{}:
		default:
		}
		if cond != nil {
			cond.L.Lock()
			cond.Broadcast()
			cond.L.Unlock()
		}
		return
	}
	p.mu.Unlock()
	p.Die(sig)
}

// interrupted tells whether a blocking call must return early.
func (p *Process) interrupted() bool {
	if p.dead.Load() {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pending) > 0
}

// BlockOn notes what to wake when a signal comes; false when one is there already.
func (p *Process) BlockOn(c *sync.Cond) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead.Load() || len(p.pending) > 0 {
		return false
	}
	p.blocked = c
	return true
}

func (p *Process) Unblock() {
	p.mu.Lock()
	p.blocked = nil
	p.mu.Unlock()
}

func (p *Process) dropPending() {
	p.mu.Lock()
	p.pending = nil
	p.mu.Unlock()
}

// Catch keeps signals for nextSignal instead of dying of them. One that is ignored stays so until resetSignal.
func (p *Process) Catch(sigs ...int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.caught == nil {
		p.caught = map[int]bool{}
	}
	for _, s := range sigs {
		p.caught[s] = true
	}
}

// Ignore is SIG_IGN.
func (p *Process) Ignore(sigs ...int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ignored == nil {
		p.ignored = map[int]bool{}
	}
	for _, s := range sigs {
		p.ignored[s] = true
		delete(p.caught, s)
	}
}

// ResetSignal is SIG_DFL.
func (p *Process) ResetSignal(sig int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.caught, sig)
	delete(p.ignored, sig)
}

// PendingSignal is the caught signal that came first and was not taken yet, or 0.
func (p *Process) PendingSignal() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pending) == 0 {
		return 0
	}
	return p.pending[0]
}

// NextSignal takes the caught signal that came first, or gives 0.
func (p *Process) NextSignal() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pending) == 0 {
		return 0
	}
	sig := p.pending[0]
	p.pending = p.pending[1:]
	return sig
}

// ProcessGroup lists the members of a process group.
func (k *Kernel) ProcessGroup(pgid int) []*Process {
	all := k.Processes()
	k.procMu.Lock()
	defer k.procMu.Unlock()
	return slices.DeleteFunc(all, func(p *Process) bool { return p.PGID != pgid })
}

// Kill is kill(2): pid 0 is the own group, -1 everybody else, and less the group -pid.
func (p *Process) Kill(pid, sig int) error {
	var hit []*Process
	switch {
	case pid == 0:
		_, pgid, _ := p.Family()
		hit = p.Kernel.ProcessGroup(pgid)
	case pid < -1:
		hit = p.Kernel.ProcessGroup(-pid)
	default:
		for _, q := range p.Kernel.Processes() {
			if pid > 0 && q.PID == pid || pid == -1 && q.PID > 1 && q != p {
				hit = append(hit, q)
			}
		}
	}
	if len(hit) == 0 {
		return syscall.ESRCH
	}
	denied := 0
	self := false
	for _, q := range hit {
		_, _, uid, ruid := q.Looks()
		if p.UID != 0 && p.UID != ruid && p.UID != uid {
			denied++
			continue
		}
		if q == p {
			self = true
			continue
		}
		q.Signal(sig)
	}
	if self {
		p.Signal(sig)
		p.Check()
	}
	if denied == len(hit) {
		return syscall.EPERM
	}
	return nil
}
