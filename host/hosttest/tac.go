package hosttest

import (
	"slices"
	"strings"
)

func cmdTac(p *proc) int {
	return p.eachInput(p.Args[1:], func(_ string, d *description) error {
		b, err := p.readAll(d)
		ls := strings.SplitAfter(string(b), "\n")
		slices.Reverse(ls)
		p.print(ls...)
		return err
	})
}
