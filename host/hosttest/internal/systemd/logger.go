package systemd

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdLogger(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "t:p:isS:f:", "tag=>t priority=>p id[=>i stderr>s")
	if !ok {
		return 1
	}
	tag := libc.UserName(p.Kernel, p.UID)
	if o.Has("t") {
		tag = o.Get("t")
	}
	var text []string
	if len(o.Args) > 0 {
		text = []string{strings.Join(o.Args, " ")}
	} else {
		d, err := libc.OpenInput(p, "-")
		if err != nil {
			return 1
		}
		b, _ := p.ReadAll(d)
		d.Release()
		text, _ = libc.Lines(b, '\n')
	}
	s := Of(p.Kernel)
	s.logLines(&unit{}, tag, p.PID, text)
	return 0
}
