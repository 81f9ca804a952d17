package posix

import (
	"os"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdMktemp(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "dp:qtu", "directory>d tmpdir[=>p quiet>q dry-run>u suffix=")
	if !ok {
		return libc.Usage(p, 1)
	}
	tmpl := "tmp.XXXXXXXXXX"
	dir := ""
	if o.Has("p") || len(o.Args) == 0 || o.Has("t") {
		dir = o.Get("p")
		if dir == "" || o.Has("t") && p.Getenv("TMPDIR") != "" {
			if t := p.Getenv("TMPDIR"); t != "" {
				dir = t
			} else if dir == "" {
				dir = "/tmp"
			}
		}
	}
	if len(o.Args) > 1 {
		p.Errorf("too many templates")
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 1 {
		tmpl = o.Args[0]
	}
	suffix := o.Get("suffix")
	body := tmpl
	if !o.Has("suffix") {
		if i := strings.LastIndex(tmpl, "X"); i >= 0 {
			suffix = tmpl[i+1:]
			body = tmpl[:i+1]
		}
	}
	stem := strings.TrimRight(body, "X")
	n := len(body) - len(stem)
	if n < 3 {
		p.Errorf("too few X's in template %s", libc.Quote(tmpl))
		return 1
	}
	if dir != "" && len(o.Args) == 1 && strings.HasPrefix(tmpl, "/") {
		p.Errorf("invalid template, %s; with --tmpdir, it may not be absolute", libc.Quote(tmpl))
		return 1
	}
	for range 100 {
		name := stem + libc.RandomName(n) + suffix
		if dir != "" {
			name = libc.JoinPath(dir, name)
		}
		var err error
		switch {
		case o.Has("u"):
		case o.Has("d"):
			err = p.Mkdir(name, 0o700)
		default:
			var d *kernel.File
			if d, err = p.Open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
				d.Release()
			}
		}
		if err == syscall.EEXIST {
			continue
		}
		if err != nil {
			if !o.Has("q") {
				what := "file"
				if o.Has("d") {
					what = "directory"
				}
				full := body + suffix
				if dir != "" {
					full = libc.JoinPath(dir, full)
				}
				p.Errorf("failed to create %s via template %s: %s", what, libc.Quote(full), kernel.Strerror(err))
			}
			return 1
		}
		p.Print(name, "\n")
		return 0
	}
	return 1
}
