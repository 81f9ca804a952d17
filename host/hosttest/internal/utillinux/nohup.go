package utillinux

import (
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdNohup(p *kernel.Process) int {
	if len(p.Args) < 2 {
		p.Errorf("missing operand")
		return libc.Usage(p, 125)
	}
	p.Ignore(kernel.SigHUP)
	return libc.Execvp(p, p.Args[1:], p.Env)
}
