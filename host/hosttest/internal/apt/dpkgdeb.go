package apt

import (
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdDpkgDeb(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "fIxcW", "field>f info>I show>W")
	if !ok || len(o.Args) == 0 {
		return 2
	}
	b, err := p.ReadFile(o.Args[0])
	if err != nil {
		p.Errorf("error: failed to read archive '%s': %s", o.Args[0], kernel.Strerror(err))
		return 2
	}
	pk, ok := packageOf(p.Kernel, b)
	if !ok {
		p.Errorf("error: '%s' is not a Debian format archive", o.Args[0])
		return 2
	}
	s := pk.stanza(p.Kernel.Config.Arch, "install ok installed")
	if len(o.Args) == 2 {
		p.Print(s.get(o.Args[1]), "\n")
		return 0
	}
	for _, k := range s.keys {
		if len(o.Args) == 1 || slices.Contains(o.Args[1:], k) {
			p.Print(k, ": ", s.get(k), "\n")
		}
	}
	return 0
}
