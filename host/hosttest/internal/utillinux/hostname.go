package utillinux

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdHostname(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "sfidIAbF:y",
		"short>s fqdn>f long>f ip-address>i domain>d all-ip-addresses>I all-fqdns>A boot>b file=>F")
	if !ok {
		return 255
	}
	if libc.Unsupported(p, o, "A", "b", "y") {
		return 1
	}
	h := p.Kernel.Hostname()
	set := ""
	if len(o.Args) > 0 {
		set = o.Args[0]
	}
	if o.Has("F") {
		b, err := p.ReadFile(o.Get("F"))
		if err != nil {
			p.Errorf("%s: %s", o.Get("F"), kernel.Strerror(err))
			return 1
		}
		set = strings.TrimSpace(string(b))
	}
	if set != "" {
		if p.UID != 0 {
			p.Errorf("you must be root to change the host name")
			return 1
		}
		if p.Kernel.Mutate(nil) != nil {
			return 1
		}
		p.Kernel.SetHostname(set)
		return 0
	}
	short, domain, _ := strings.Cut(h, ".")
	switch {
	case o.Has("s"):
		p.Print(short, "\n")
	case o.Has("I"):
		p.Print(p.Kernel.Address(), " \n")
	case o.Has("i"):
		p.Print("127.0.1.1\n")
	case o.Has("d"):
		p.Print(domain, "\n")
	case o.Has("f"):
		b, _ := p.ReadFile("/etc/hosts")
		for _, e := range libc.ParseHosts(string(b)) {
			if slices.Contains(e[1:], h) {
				p.Print(e[1], "\n")
				return 0
			}
		}
		p.Errorf("Name or service not known")
		return 1
	default:
		p.Print(h, "\n")
	}
	return 0
}
