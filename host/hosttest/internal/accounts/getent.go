package accounts

import (
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdGetent(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "is:", "service=>s no-idn>i")
	if !ok {
		return 1
	}
	if libc.Unsupported(p, o, "s") {
		return 1
	}
	if len(o.Args) == 0 {
		p.Errorf("wrong number of arguments")
		p.Warnf("Try `getent --help' or `getent --usage' for more information.\n")
		return 1
	}
	db, keys := o.Args[0], o.Args[1:]
	code := 0
	switch db {
	case "passwd":
		users, _ := libc.Database(p.Kernel)
		if len(keys) == 0 {
			for _, u := range users {
				p.Print(u.Line(), "\n")
			}
			return 0
		}
		for _, k := range keys {
			u := (*libc.User)(nil)
			if n, ok := kernel.ParseUint(k); ok {
				u = libc.UserByID(p.Kernel, uint32(n))
			} else {
				u = libc.UserByName(p.Kernel, k)
			}
			if u == nil {
				code = 2
				continue
			}
			p.Print(u.Line(), "\n")
		}
	case "group":
		_, groups := libc.Database(p.Kernel)
		if len(keys) == 0 {
			for _, g := range groups {
				p.Print(g.Line(), "\n")
			}
			return 0
		}
		for _, k := range keys {
			g := (*libc.Group)(nil)
			if n, ok := kernel.ParseUint(k); ok {
				g = libc.GroupByID(p.Kernel, uint32(n))
			} else {
				g = libc.GroupByName(p.Kernel, k)
			}
			if g == nil {
				code = 2
				continue
			}
			p.Print(g.Line(), "\n")
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
		entries := libc.ParseHosts(string(b))
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
