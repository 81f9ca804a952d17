package posix

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdTac(p *kernel.Process) int {
	return libc.EachInput(p, p.Args[1:], func(_ string, d *kernel.File) error {
		b, err := p.ReadAll(d)
		ls := strings.SplitAfter(string(b), "\n")
		slices.Reverse(ls)
		p.Print(ls...)
		return err
	})
}
