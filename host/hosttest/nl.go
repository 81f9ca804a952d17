package hosttest

import (
	"strings"
)

func cmdNl(p *Process) int {
	o, ok := p.getopt("b:w:s:n:", "body-numbering=>b number-width=>w number-separator=>s number-format=>n")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "w", "s", "n") {
		return 1
	}
	n := 0
	return p.eachInput(o.args, func(_ string, d *description) error {
		b, err := p.readAll(d)
		for l := range strings.Lines(string(b)) {
			if strings.TrimSuffix(l, "\n") == "" && o.get("b") != "a" {
				p.print("       ", l)
				continue
			}
			n++
			p.printf("%6d\t%s", n, l)
		}
		return err
	})
}
