package hosttest

import (
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func cmdGetent(p *kernel.Process) int {
	o, ok := getopt(p, "+is:", "service=>s no-idn>i")
	if !ok {
		return 1
	}
	if unsupported(p, o, "s") {
		return 1
	}
	if len(o.args) == 0 {
		p.Errorf("wrong number of arguments")
		p.Warnf("Try `getent --help' or `getent --usage' for more information.\n")
		return 1
	}
	db, keys := o.args[0], o.args[1:]
	code := 0
	switch db {
	case "passwd":
		users, _ := database(p.Kernel)
		if len(keys) == 0 {
			for _, u := range users {
				p.Print(u.line(), "\n")
			}
			return 0
		}
		for _, k := range keys {
			u := (*account)(nil)
			if n, ok := kernel.ParseUint(k); ok {
				u = userByID(p.Kernel, uint32(n))
			} else {
				u = userByName(p.Kernel, k)
			}
			if u == nil {
				code = 2
				continue
			}
			p.Print(u.line(), "\n")
		}
	case "group":
		_, groups := database(p.Kernel)
		if len(keys) == 0 {
			for _, g := range groups {
				p.Print(g.line(), "\n")
			}
			return 0
		}
		for _, k := range keys {
			g := (*groupLine)(nil)
			if n, ok := kernel.ParseUint(k); ok {
				g = groupByID(p.Kernel, uint32(n))
			} else {
				g = groupByName(p.Kernel, k)
			}
			if g == nil {
				code = 2
				continue
			}
			p.Print(g.line(), "\n")
		}
	case "shadow", "gshadow":
		b, err := p.ReadFile("/etc/" + db)
		if err != nil {
			return 2
		}
		if len(keys) == 0 {
			p.Print(string(b))
			return 0
		}
		for _, k := range keys {
			found := false
			for line := range strings.SplitSeq(string(b), "\n") {
				if strings.HasPrefix(line, k+":") {
					p.Print(line, "\n")
					found = true
				}
			}
			if !found {
				code = 2
			}
		}
	case "hosts", "ahosts", "ahostsv4", "ahostsv6":
		b, _ := p.ReadFile("/etc/hosts")
		entries := parseHosts(string(b))
		if len(keys) == 0 {
			for _, e := range entries {
				p.Printf("%-15s %s\n", e[0], strings.Join(e[1:], " "))
			}
			return 0
		}
		for _, k := range keys {
			found := false
			for _, e := range entries {
				for _, n := range e {
					if n == k && !found {
						found = true
						if db == "hosts" {
							p.Printf("%-15s %s\n", e[0], strings.Join(e[1:], " "))
						} else {
							p.Printf("%-15s STREAM %s\n%-15s DGRAM  \n%-15s RAW    \n", e[0], e[1], e[0], e[0])
						}
					}
				}
			}
			if !found {
				code = 2
			}
		}
	case "services":
		b, _ := p.ReadFile("/etc/services")
		for _, k := range keys {
			found := false
			for line := range strings.SplitSeq(string(b), "\n") {
				f := strings.Fields(line)
				if len(f) > 1 && (f[0] == k || strings.HasPrefix(f[1], k+"/")) && !found {
					found = true
					p.Print(fmt.Sprintf("%-21s %s\n", f[0], f[1]))
				}
			}
			if !found {
				code = 2
			}
		}
	default:
		p.Print("Try `getent --help' or `getent --usage' for more information.\n")
		p.Warnf("Unknown database: %s\n", db)
		return 1
	}
	return code
}

func parseHosts(s string) [][]string {
	var out [][]string
	for line := range strings.SplitSeq(s, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if f := strings.Fields(line); len(f) > 1 {
			out = append(out, f)
		}
	}
	return out
}
