package kernel

import "time"

// Wait waits for a child. It returns false when a caught signal came first.
func (p *Process) Wait(c *Process) (WaitStatus, bool) {
	select {
	case <-c.Done:
		p.Check()
		return c.Status, true
	default:
	}
	select {
	case <-c.Done:
		p.Check()
		return c.Status, true
	case <-p.Done:
		panic(Exit{0})
	case <-p.Signals:
		return WaitStatus{}, false
	}
}

// WaitFor waits for a child whatever signals come.
func (p *Process) WaitFor(c *Process) WaitStatus {
	for {
		if st, ok := p.Wait(c); ok {
			return st
		}
	}
}

// Sleep returns false when a caught signal came first.
func (p *Process) Sleep(d time.Duration) bool {
	done := make(chan struct{})
	stop := p.Kernel.After(d, func() { close(done) })
	defer stop()
	select {
	case <-done:
		p.Check()
		return true
	case <-p.Done:
		panic(Exit{0})
	case <-p.Signals:
		return false
	}
}
