package utillinux

import (
	"strconv"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// duration reads sleep's and timeout's numbers: a decimal with s, m, h or d.
func duration(s string) (time.Duration, bool) {
	unit := time.Second
	if s != "" {
		if u := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour,
			'd': 24 * time.Hour}[s[len(s)-1]]; u != 0 {
			unit = u
			s = s[:len(s)-1]
		}
	}
	if s == "infinity" || s == "inf" {
		return 1<<63 - 1, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 {
		return 0, false
	}
	return time.Duration(f * float64(unit)), true
}

func cmdSleep(p *kernel.Process) int {
	if len(p.Args) < 2 {
		p.Errorf("missing operand")
		return libc.Usage(p, 1)
	}
	var total time.Duration
	for _, a := range p.Args[1:] {
		d, ok := duration(a)
		if !ok {
			p.Errorf("invalid time interval %s", libc.Quote(a))
			return libc.Usage(p, 1)
		}
		if d > 1<<62 {
			total = d
			break
		}
		total += d
	}
	if total > 0 {
		p.Sleep(total)
	}
	return 0
}

func cmdTimeout(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+k:s:v", "foreground kill-after=>k signal=>s preserve-status verbose>v")
	if !ok {
		return libc.Usage(p, 125)
	}
	if libc.Unsupported(p, o, "v") {
		return 125
	}
	if len(o.Args) < 2 {
		return libc.Usage(p, 125)
	}
	d, ok := duration(o.Args[0])
	if !ok {
		p.Errorf("invalid time interval %s", libc.Quote(o.Args[0]))
		return libc.Usage(p, 125)
	}
	sig := kernel.SigTERM
	if o.Has("s") {
		if sig = kernel.SignalNumber(o.Get("s")); sig < 0 {
			p.Errorf("%s: invalid signal", libc.Quote(o.Get("s")))
			return libc.Usage(p, 125)
		}
	}
	if !o.Has("foreground") {
		p.Setpgid()
	}
	// A signal to timeout is passed on to the command.
	p.Catch(kernel.SigTERM, kernel.SigINT, kernel.SigHUP, kernel.SigQUIT)
	c := libc.Spawn(p, o.Args[1:], p.Env, nil)
	timer := make(chan struct{})
	if d > 0 && d < 1<<62 {
		t := p.Kernel.After(d, func() { close(timer) })
		defer t()
	}
	send := func(s int) {
		c.Signal(s)
		if !o.Has("foreground") {
			for _, q := range p.Kernel.ProcessGroup(p.PID) {
				if q != p && q != c {
					q.Signal(s)
				}
			}
		}
	}
	timedOut := false
	for {
		select {
		case <-c.Done:
			p.Check()
			st := c.Status
			if timedOut && !o.Has("preserve-status") {
				if st.Signal == kernel.SigKILL {
					p.Die(kernel.SigKILL) // it signals its own group, itself included
					p.Check()
				}
				return 124
			}
			return st.ExitCode()
		case <-p.Done:
			panic(kernel.Exit{Code: 0})
		case <-p.Signals:
			for s := p.NextSignal(); s != 0; s = p.NextSignal() {
				send(s)
			}
		case <-timer:
			timer = nil
			timedOut = true
			send(sig)
			if k, ok := duration(o.Get("k")); ok && k > 0 {
				stop := p.Kernel.After(k, func() { send(kernel.SigKILL) })
				defer stop()
			}
		}
	}
}
