package systemd

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// mountUnitName escapes a path as systemd-escape -p does.
func mountUnitName(where string) string { return escapeUnitPath(where) + ".mount" }

func escapeUnitPath(p string) string {
	p = strings.Trim(path.Clean(p), "/")
	if p == "" {
		return "-"
	}
	var b strings.Builder
	for i := range len(p) {
		c := p[i]
		switch {
		case c == '/':
			b.WriteByte('-')
		case c == '_' || c == ':' || c == '.' && i > 0 || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}

func unescapeUnitPath(s string) string {
	if s == "-" {
		return "/"
	}
	var b strings.Builder
	b.WriteByte('/')
	for i := 0; i < len(s); i++ {
		if s[i] == '-' {
			b.WriteByte('/')
			continue
		}
		if strings.HasPrefix(s[i:], `\x`) && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func cmdEscape(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "pum", "path>p unescape>u mangle>m suffix= template=")
	if !ok {
		return 1
	}
	for i, a := range o.Args {
		v := a
		switch {
		case o.Has("u") && o.Has("p"):
			v = unescapeUnitPath(a)
		case o.Has("p"):
			v = escapeUnitPath(a)
		case o.Has("u"):
			v = strings.TrimPrefix(unescapeUnitPath(a), "/")
		default:
			v = strings.ReplaceAll(escapeUnitPath(strings.ReplaceAll(a, "/", "\x00")), `\x00`, "-")
		}
		if s := o.Get("suffix"); s != "" {
			v += "." + s
		}
		if t := o.Get("template"); t != "" {
			v = strings.Replace(t, "@.", "@"+v+".", 1)
		}
		if i > 0 {
			p.Print(" ")
		}
		p.Print(v)
	}
	p.Print("\n")
	return 0
}
