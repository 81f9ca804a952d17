package utillinux

import (
	"strconv"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdSetsid(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "+cfw", "ctty>c fork>f wait>w")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "c") {
		return 1
	}
	if len(o.Args) == 0 {
		p.Errorf("no command specified")
		return libc.Usage(p, 1)
	}
	run := func(c *kernel.Process) int {
		c.Setsid()
		return libc.Execvp(c, o.Args, c.Env)
	}
	if o.Has("f") || psField(p, "pgid") == strconv.Itoa(p.PID) {
		c := p.Fork(run)
		if !o.Has("w") {
			return 0
		}
		st := p.WaitFor(c)
		if st.Signal != 0 {
			p.Warnf("setsid: child %d did not exit normally: Success\n", c.PID)
			return st.Signal
		}
		return st.Code
	}
	return run(p)
}
