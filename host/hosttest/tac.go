package hosttest

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func cmdTac(p *kernel.Process) int {
	return eachInput(p, p.Args[1:], func(_ string, d *kernel.File) error {
		b, err := p.ReadAll(d)
		ls := strings.SplitAfter(string(b), "\n")
		slices.Reverse(ls)
		p.Print(ls...)
		return err
	})
}
