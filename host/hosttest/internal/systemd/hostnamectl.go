package systemd

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdHostnamectl(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "H:M:", "static pretty transient no-ask-password json= help")
	if !ok {
		return 1
	}
	if libc.Unsupported(p, o, "H", "M", "json") {
		return 1
	}
	static := func() string {
		b, _ := p.ReadFile("/etc/hostname")
		return strings.TrimSpace(string(b))
	}
	verb := "status"
	if len(o.Args) > 0 {
		verb = o.Args[0]
	}
	switch verb {
	case "status":
		switch {
		case o.Has("static"):
			p.Print(static(), "\n")
		case o.Has("transient"):
			p.Print(p.Kernel.Hostname(), "\n")
		case o.Has("pretty"):
			p.Print("\n")
		default:
			p.Printf(" Static hostname: %s\n       Icon name: computer\n      Machine ID: -\n         Boot ID: %s\n"+
				"Operating System: Debian GNU/Linux 12 (bookworm)\n          Kernel: Linux %s\n    Architecture: %s\n",
				static(), strings.ReplaceAll(p.Kernel.BootID(), "-", ""), p.Kernel.Config.Release, p.Kernel.Config.Arch)
		}
		return 0
	case "hostname", "set-hostname":
		if len(o.Args) < 2 {
			if verb == "hostname" {
				p.Print(static(), "\n")
				return 0
			}
			p.Warnf("Too few arguments.\n")
			return 1
		}
		h := o.Args[1]
		if p.UID != 0 {
			p.Warnf("Could not set static hostname: Interactive authentication required.\n")
			return 1
		}
		if !validHostname(h) {
			p.Warnf("Could not set static hostname: Invalid static hostname '%s'\n", h)
			return 1
		}
		if err := libc.ReplaceFile(p, "/etc/hostname", []byte(h+"\n"), 0o644); err != nil {
			p.Warnf("Could not set static hostname: %s\n", kernel.Strerror(err))
			return 1
		}
		p.Kernel.SetHostname(h)
		return 0
	}
	p.Warnf("Unknown command verb %s.\n", verb)
	return 1
}

// validHostname is what hostnamed takes for a static hostname.
func validHostname(h string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
	return h != "" && len(h) <= 64 && strings.Trim(h, letters) == "" &&
		!strings.HasPrefix(h, "-") && !strings.HasPrefix(h, ".") && !strings.HasSuffix(h, ".")
}
