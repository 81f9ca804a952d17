package hosttest

import (
	"slices"
	"strings"
	"sync"
)

// Signals as numbered on Linux.
const (
	sigHUP  = 1
	sigINT  = 2
	sigQUIT = 3
	sigABRT = 6
	sigKILL = 9
	sigUSR1 = 10
	sigUSR2 = 12
	sigPIPE = 13
	sigALRM = 14
	sigTERM = 15
	sigCHLD = 17
	sigCONT = 18
	sigSTOP = 19
)

var signalNames = [...]string{"EXIT", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
	"ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "POLL", "PWR", "SYS"}

// signalNumber reads "TERM", "SIGTERM" or "15"; -1 when it is none.
func signalNumber(s string) int {
	if n, ok := parseUint(s); ok && n < 65 {
		return int(n)
	}
	s = strings.TrimPrefix(strings.ToUpper(s), "SIG")
	return slices.Index(signalNames[:], s)
}

// signal delivers a signal as kill(2) does.
func (p *proc) signal(sig int) {
	if sig == 0 || p.dead.Load() {
		return
	}
	p.mu.Lock()
	switch {
	case sig == sigKILL:
	case p.ignored[sig], sig == sigCHLD, sig == sigCONT, sig == 23, sig == 28, sig >= 19 && sig <= 22:
		p.mu.Unlock()
		return
	case p.caught[sig]:
		p.pending = append(p.pending, sig)
		cond := p.blocked
		p.mu.Unlock()
		select {
		case p.sig <- struct{}{}:
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
	p.die(sig)
}

// interrupted tells whether a blocking call must return early.
func (p *proc) interrupted() bool {
	if p.dead.Load() {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pending) > 0
}

// blockOn notes what to wake when a signal comes; false when one is there already.
func (p *proc) blockOn(c *sync.Cond) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead.Load() || len(p.pending) > 0 {
		return false
	}
	p.blocked = c
	return true
}

func (p *proc) unblock() {
	p.mu.Lock()
	p.blocked = nil
	p.mu.Unlock()
}

func (p *proc) dropPending() {
	p.mu.Lock()
	p.pending = nil
	p.mu.Unlock()
}

// catch keeps signals for nextSignal instead of dying of them. One that is ignored stays so until resetSignal.
func (p *proc) catch(sigs ...int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.caught == nil {
		p.caught = map[int]bool{}
	}
	for _, s := range sigs {
		p.caught[s] = true
	}
}

// ignore is SIG_IGN.
func (p *proc) ignore(sigs ...int) {
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

// resetSignal is SIG_DFL.
func (p *proc) resetSignal(sig int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.caught, sig)
	delete(p.ignored, sig)
}

// pendingSignal is the caught signal that came first and was not taken yet, or 0.
func (p *proc) pendingSignal() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pending) == 0 {
		return 0
	}
	return p.pending[0]
}

// nextSignal takes the caught signal that came first, or gives 0.
func (p *proc) nextSignal() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pending) == 0 {
		return 0
	}
	sig := p.pending[0]
	p.pending = p.pending[1:]
	return sig
}

// processGroup lists the members of a process group.
func (k *Kernel) processGroup(pgid int) []*proc {
	all := k.processes()
	k.procMu.Lock()
	defer k.procMu.Unlock()
	return slices.DeleteFunc(all, func(p *proc) bool { return p.pgid != pgid })
}
