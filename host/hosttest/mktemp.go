package hosttest

import (
	"math/rand/v2"
	"os"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func randomName(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}

func cmdMktemp(p *kernel.Process) int {
	o, ok := getopt(p, "dp:qtu", "directory>d tmpdir[=>p quiet>q dry-run>u suffix=")
	if !ok {
		return usage(p, 1)
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
		p.Errorf("too many templates")
		return usage(p, 1)
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
		p.Errorf("too few X's in template %s", quote(tmpl))
		return 1
	}
	if dir != "" && len(o.args) == 1 && strings.HasPrefix(tmpl, "/") {
		p.Errorf("invalid template, %s; with --tmpdir, it may not be absolute", quote(tmpl))
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
			if !o.has("q") {
				what := "file"
				if o.has("d") {
					what = "directory"
				}
				full := body + suffix
				if dir != "" {
					full = join(dir, full)
				}
				p.Errorf("failed to create %s via template %s: %s", what, quote(full), kernel.Strerror(err))
			}
			return 1
		}
		p.Print(name, "\n")
		return 0
	}
	return 1
}
