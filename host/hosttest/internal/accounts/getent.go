package accounts

import (
	"fmt"
	"slices"
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
	switch db {
	case "passwd":
		return getentPasswd(p, keys)
	case "group":
		return getentGroup(p, keys)
	case "shadow", "gshadow":
		return getentShadow(p, "/etc/"+db, keys)
	case "hosts":
		return getentHosts(p, keys, hostLine)
	case "ahosts", "ahostsv4", "ahostsv6":
		return getentHosts(p, keys, hostSockets)
	case "services":
		return getentServices(p, keys)
	}
	p.Print("Try `getent --help' or `getent --usage' for more information.\n")
	p.Warnf("Unknown database: %s\n", db)
	return 1
}

// printKeys prints what find knows of each key, and returns the exit code of getent, which tells of a key that is not
// there.
func printKeys(p *kernel.Process, keys []string, find func(key string) (text string)) int {
	code := 0
	for _, k := range keys {
		text := find(k)
		if text == "" {
			code = 2
			continue
		}
		p.Print(text)
	}
	return code
}

func getentPasswd(p *kernel.Process, keys []string) int {
	if len(keys) == 0 {
		users, _ := libc.Database(p.Kernel)
		for _, u := range users {
			p.Print(u.Line(), "\n")
		}
		return 0
	}
	return printKeys(p, keys, func(key string) string {
		u := (*libc.User)(nil)
		if n, ok := kernel.ParseUint(key); ok {
			u = libc.UserByID(p.Kernel, uint32(n))
		} else {
			u = libc.UserByName(p.Kernel, key)
		}
		if u == nil {
			return ""
		}
		return u.Line() + "\n"
	})
}

func getentGroup(p *kernel.Process, keys []string) int {
	if len(keys) == 0 {
		_, groups := libc.Database(p.Kernel)
		for _, g := range groups {
			p.Print(g.Line(), "\n")
		}
		return 0
	}
	return printKeys(p, keys, func(key string) string {
		g := (*libc.Group)(nil)
		if n, ok := kernel.ParseUint(key); ok {
			g = libc.GroupByID(p.Kernel, uint32(n))
		} else {
			g = libc.GroupByName(p.Kernel, key)
		}
		if g == nil {
			return ""
		}
		return g.Line() + "\n"
	})
}

// getentShadow looks names up in /etc/shadow or /etc/gshadow, which most users cannot read.
func getentShadow(p *kernel.Process, file string, keys []string) int {
	b, err := p.ReadFile(file)
	if err != nil {
		return 2
	}
	if len(keys) == 0 {
		p.Print(string(b))
		return 0
	}
	return printKeys(p, keys, func(key string) (text string) {
		for line := range strings.SplitSeq(string(b), "\n") {
			if strings.HasPrefix(line, key+":") {
				text += line + "\n"
			}
		}
		return text
	})
}

// getentHosts looks names and addresses up in /etc/hosts. text prints an entry that a key found: the address and its
// names.
func getentHosts(p *kernel.Process, keys []string, text func(entry []string) string) int {
	b, _ := p.ReadFile("/etc/hosts")
	entries := libc.ParseHosts(string(b))
	if len(keys) == 0 {
		for _, e := range entries {
			p.Print(hostLine(e))
		}
		return 0
	}
	return printKeys(p, keys, func(key string) string {
		for _, e := range entries {
			if slices.Contains(e, key) {
				return text(e)
			}
		}
		return ""
	})
}

func hostLine(entry []string) string {
	return fmt.Sprintf("%-15s %s\n", entry[0], strings.Join(entry[1:], " "))
}

// hostSockets is an entry as ahosts prints it: a line for each type of socket.
func hostSockets(entry []string) string {
	return fmt.Sprintf("%-15s STREAM %s\n%-15s DGRAM  \n%-15s RAW    \n", entry[0], entry[1], entry[0], entry[0])
}

func getentServices(p *kernel.Process, keys []string) int {
	b, _ := p.ReadFile("/etc/services")
	return printKeys(p, keys, func(key string) string {
		for line := range strings.SplitSeq(string(b), "\n") {
			f := strings.Fields(line)
			if len(f) > 1 && (f[0] == key || strings.HasPrefix(f[1], key+"/")) {
				return fmt.Sprintf("%-21s %s\n", f[0], f[1])
			}
		}
		return ""
	})
}
