package hosttest

import (
	"fmt"
	"strings"
)

func cmdGetent(p *proc) int {
	o, ok := p.getopt("+is:", "service=>s no-idn>i")
	if !ok {
		return 1
	}
	if p.unsupported(o, "s") {
		return 1
	}
	if len(o.args) == 0 {
		p.errorf("wrong number of arguments")
		p.warn("Try `getent --help' or `getent --usage' for more information.\n")
		return 1
	}
	db, keys := o.args[0], o.args[1:]
	code := 0
	switch db {
	case "passwd":
		users, _ := p.k.database()
		if len(keys) == 0 {
			for _, u := range users {
				p.print(u.line(), "\n")
			}
			return 0
		}
		for _, k := range keys {
			u := (*account)(nil)
			if n, ok := parseUint(k); ok {
				u = p.k.userByID(uint32(n))
			} else {
				u = p.k.userByName(k)
			}
			if u == nil {
				code = 2
				continue
			}
			p.print(u.line(), "\n")
		}
	case "group":
		_, groups := p.k.database()
		if len(keys) == 0 {
			for _, g := range groups {
				p.print(g.line(), "\n")
			}
			return 0
		}
		for _, k := range keys {
			g := (*groupLine)(nil)
			if n, ok := parseUint(k); ok {
				g = p.k.groupByID(uint32(n))
			} else {
				g = p.k.groupByName(k)
			}
			if g == nil {
				code = 2
				continue
			}
			p.print(g.line(), "\n")
		}
	case "shadow", "gshadow":
		b, err := p.readFile("/etc/" + db)
		if err != nil {
			return 2
		}
		if len(keys) == 0 {
			p.print(string(b))
			return 0
		}
		for _, k := range keys {
			found := false
			for line := range strings.SplitSeq(string(b), "\n") {
				if strings.HasPrefix(line, k+":") {
					p.print(line, "\n")
					found = true
				}
			}
			if !found {
				code = 2
			}
		}
	case "hosts", "ahosts", "ahostsv4", "ahostsv6":
		b, _ := p.readFile("/etc/hosts")
		entries := parseHosts(string(b))
		if len(keys) == 0 {
			for _, e := range entries {
				p.printf("%-15s %s\n", e[0], strings.Join(e[1:], " "))
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
							p.printf("%-15s %s\n", e[0], strings.Join(e[1:], " "))
						} else {
							p.printf("%-15s STREAM %s\n%-15s DGRAM  \n%-15s RAW    \n", e[0], e[1], e[0], e[0])
						}
					}
				}
			}
			if !found {
				code = 2
			}
		}
	case "services":
		b, _ := p.readFile("/etc/services")
		for _, k := range keys {
			found := false
			for line := range strings.SplitSeq(string(b), "\n") {
				f := strings.Fields(line)
				if len(f) > 1 && (f[0] == k || strings.HasPrefix(f[1], k+"/")) && !found {
					found = true
					p.print(fmt.Sprintf("%-21s %s\n", f[0], f[1]))
				}
			}
			if !found {
				code = 2
			}
		}
	default:
		p.print("Try `getent --help' or `getent --usage' for more information.\n")
		p.warn("Unknown database: %s\n", db)
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
