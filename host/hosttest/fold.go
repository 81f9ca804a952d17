package hosttest

import (
	"strconv"
	"strings"
)

func cmdFold(p *Process) int {
	o, ok := p.getopt("bsw:", "bytes>b spaces>s width=>w")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "s") {
		return 1
	}
	w := 80
	if o.has("w") {
		w, _ = strconv.Atoi(o.get("w"))
	}
	return p.eachInput(o.args, func(_ string, d *description) error {
		b, err := p.readAll(d)
		for l := range strings.Lines(string(b)) {
			body, nl := strings.CutSuffix(l, "\n")
			for len(body) > w && w > 0 {
				p.print(body[:w], "\n")
				body = body[w:]
			}
			p.print(body)
			if nl {
				p.print("\n")
			}
		}
		return err
	})
}
