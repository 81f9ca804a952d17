package hosttest

import (
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
)

func randomName(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}

func cmdMktemp(p *proc) int {
	o, ok := p.getopt("dp:qtu", "directory>d tmpdir[=>p quiet>q dry-run>u suffix=")
	if !ok {
		return p.usage(1)
	}
	tmpl := "tmp.XXXXXXXXXX"
	dir := ""
	if o.has("p") || len(o.args) == 0 || o.has("t") {
		dir = o.get("p")
		if dir == "" || o.has("t") && p.Getenv("TMPDIR") != "" {
			if t := p.Getenv("TMPDIR"); t != "" {
				dir = t
			} else if dir == "" {
				dir = "/tmp"
			}
		}
	}
	if len(o.args) > 1 {
		p.errorf("too many templates")
		return p.usage(1)
	}
	if len(o.args) == 1 {
		tmpl = o.args[0]
	}
	suffix := o.get("suffix")
	body := tmpl
	if !o.has("suffix") {
		if i := strings.LastIndex(tmpl, "X"); i >= 0 {
			suffix = tmpl[i+1:]
			body = tmpl[:i+1]
		}
	}
	stem := strings.TrimRight(body, "X")
	n := len(body) - len(stem)
	if n < 3 {
		p.errorf("too few X's in template %s", quote(tmpl))
		return 1
	}
	if dir != "" && len(o.args) == 1 && strings.HasPrefix(tmpl, "/") {
		p.errorf("invalid template, %s; with --tmpdir, it may not be absolute", quote(tmpl))
		return 1
	}
	for range 100 {
		name := stem + randomName(n) + suffix
		if dir != "" {
			name = join(dir, name)
		}
		var err error
		switch {
		case o.has("u"):
		case o.has("d"):
			err = p.mkdir(name, 0o700)
		default:
			var d *description
			if d, err = p.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
				d.release()
			}
		}
		if err == syscall.EEXIST {
			continue
		}
		if err != nil {
			if !o.has("q") {
				what := "file"
				if o.has("d") {
					what = "directory"
				}
				full := body + suffix
				if dir != "" {
					full = join(dir, full)
				}
				p.errorf("failed to create %s via template %s: %s", what, quote(full), strerror(err))
			}
			return 1
		}
		p.print(name, "\n")
		return 0
	}
	return 1
}
