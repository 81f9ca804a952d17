package posix

import (
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdMkdir(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "m:pvZ", "mode=>m parents>p verbose>v")
	if !ok {
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 0 {
		p.Errorf("missing operand")
		return libc.Usage(p, 1)
	}
	var mode func(uint32, bool, uint32) uint32
	if o.Has("m") {
		f, err := libc.ParseMode(o.Get("m"))
		if err != nil {
			p.Errorf("invalid mode %s", libc.Quote(o.Get("m")))
			return 1
		}
		mode = f
	}
	code := 0
	for _, a := range o.Args {
		if err := libc.MkdirOne(p, a, o.Has("p"), mode, o.Has("v")); err != nil {
			libc.SayError(p, err)
			code = 1
		}
	}
	return code
}
