package sh

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

func cmdKill(p *kernel.Process) int {
	return kill(p, p.Args, func(f string, a ...any) { p.Warnf(f+"\n", a...) }, func(pid string, err error) { p.Errorf("(%s): %s", pid, kernel.Strerror(err)) })
}
