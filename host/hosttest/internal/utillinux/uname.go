package utillinux

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdUname(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "asnrvmpio",
		"all>a kernel-name>s nodename>n kernel-release>r kernel-version>v machine>m processor>p hardware-platform>i "+
			"operating-system>o")
	if !ok {
		return libc.Usage(p, 1)
	}
	if len(o.Args) > 0 {
		p.Errorf("extra operand %s", libc.Quote(o.Args[0]))
		return libc.Usage(p, 1)
	}
	parts := []struct{ f, v string }{{"s", "Linux"}, {"n", p.Kernel.Hostname()}, {"r", p.Kernel.Config.Release},
		{"v", "#1 SMP PREEMPT Debian 1:6.12.25-1+rpt1 (2025-04-30)"}, {"m", p.Kernel.Machine()}, {"p", "unknown"},
		{"i", "unknown"}, {"o", "GNU/Linux"}}
	var out []string
	for _, x := range parts {
		if o.Has(x.f) || o.Has("a") && x.f != "p" && x.f != "i" || len(o.Order) == 0 && x.f == "s" {
			out = append(out, x.v)
		}
	}
	p.Print(strings.Join(out, " "), "\n")
	return 0
}

func cmdUptime(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "ps", "pretty>p since>s")
	if !ok {
		return 1
	}
	up := p.Kernel.Uptime()
	switch {
	case o.Has("s"):
		p.Print(p.Kernel.Now().Add(-up).In(libc.Location(p.Kernel)).Format("2006-01-02 15:04:05"), "\n")
	case o.Has("p"):
		p.Printf("up %d minutes\n", int(up.Minutes()))
	default:
		p.Printf(" %s up %d min,  0 users,  load average: 0.08, 0.03, 0.01\n",
			p.Kernel.Now().In(libc.Location(p.Kernel)).Format("15:04:05"), int(up.Minutes()))
	}
	return 0
}

func cmdNproc(p *kernel.Process) int {
	p.Printf("%d\n", p.Kernel.Config.CPUs)
	return 0
}
