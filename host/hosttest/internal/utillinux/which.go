package utillinux

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdYes(p *kernel.Process) int {
	line := "y\n"
	if len(p.Args) > 1 {
		line = strings.Join(p.Args[1:], " ") + "\n"
	}
	block := []byte(strings.Repeat(line, 1+4096/len(line)))
	for {
		if err := p.Write(1, block); err != nil {
			p.Errorf("standard output: %s", kernel.Strerror(err))
			return 1
		}
	}
}

func cmdWhich(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "as", "")
	if !ok {
		return 2
	}
	if libc.Unsupported(p, o, "a") {
		return 1
	}
	code := 0
	for _, a := range o.Args {
		f, err := libc.LookPath(p, a, p.Getenv("PATH"))
		if err != nil {
			code = 1
			continue
		}
		if !o.Has("s") {
			p.Print(f, "\n")
		}
	}
	if len(o.Args) == 0 {
		return 1
	}
	return code
}
