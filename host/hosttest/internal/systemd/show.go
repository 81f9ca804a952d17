package systemd

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// A selection is what -p, -P and --value choose of the properties that "show" prints.
type selection struct {
	names []string // none are all
	value bool     // without the names
}

func selectionOf(o *libc.Options) selection {
	w := selection{value: o.Has("value", "P")}
	for _, v := range o.All("p", "P") {
		w.names = append(w.names, strings.Split(v, ",")...)
	}
	return w
}

// print prints a property if it is chosen.
func (w selection) print(p *kernel.Process, name, value string) {
	switch {
	case len(w.names) > 0 && !slices.Contains(w.names, name):
	case w.value:
		p.Print(value, "\n")
	default:
		p.Print(name, "=", value, "\n")
	}
}

func (c *systemctl) show(args []string) int {
	s, p := c.s, c.p
	s.mu.Lock()
	defer s.mu.Unlock()
	want := selectionOf(c.o)
	if len(args) == 0 {
		want.print(p, "Version", "252.38-1~deb12u1")
		want.print(p, "Architecture", map[string]string{"amd64": "x86-64", "arm64": "arm64"}[p.Kernel.Config.Arch])
		want.print(p, "SystemState", "running")
		want.print(p, "NFailedUnits", "0")
		return 0
	}
	firstUnit := true
	for _, a := range args {
		for _, u := range c.expand(a) {
			if !firstUnit {
				p.Print("\n")
			}
			firstUnit = false
			for _, kv := range s.properties(u) {
				if kv[1] != "" || len(want.names) > 0 || c.o.Has("a") {
					want.print(p, kv[0], kv[1])
				}
			}
		}
	}
	return 0
}
