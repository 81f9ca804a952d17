package posix

import (
	"os"
	"syscall"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdTouch(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "acd:fhmr:t:", "no-create>c date=>d no-dereference>h reference=>r time=")
	if !ok {
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 0 {
		p.Errorf("missing file operand")
		return libc.Usage(p, 1)
	}
	at := p.Kernel.Now().UnixNano()
	mt := at
	toNow := true
	if o.Has("r") {
		st, err := p.Stat(o.Get("r"))
		if err != nil {
			p.Errorf("failed to get attributes of %s: %s", libc.Quote(o.Get("r")), kernel.Strerror(err))
			return 1
		}
		at, mt, toNow = st.Atime.UnixNano(), st.Mtime.UnixNano(), false
	}
	if o.Has("d") {
		t, err := parseDate(o.Get("d"), p.Kernel.Now())
		if err != nil {
			p.Errorf("invalid date format %s", libc.Quote(o.Get("d")))
			return 1
		}
		at, mt, toNow = t.UnixNano(), t.UnixNano(), false
	}
	if o.Has("t") {
		s := o.Get("t")
		layout := map[int]string{12: "200601021504", 15: "200601021504.05", 10: "0601021504"}[len(s)]
		t, err := time.Parse(layout, s)
		if err != nil {
			p.Errorf("invalid date format %s", libc.Quote(s))
			return 1
		}
		at, mt, toNow = t.UnixNano(), t.UnixNano(), false
	}
	onlyA, onlyM := o.Has("a"), o.Has("m")
	for _, v := range o.All("time") {
		what, ok := argMatch(p, v, "--time", []argSet{{"atime", "access", "use"}, {"mtime", "modify"}})
		if !ok {
			return 1
		}
		onlyA, onlyM = onlyA || what == "atime", onlyM || what == "mtime"
	}
	if onlyA && !onlyM {
		mt = -1
	}
	if onlyM && !onlyA {
		at = -1
	}
	code := 0
	for _, a := range o.Args {
		if a == "-" {
			if d := p.FDs[1]; d != nil && d.Stream == nil {
				p.Utimes(d.Path, at, mt, toNow, true)
			}
			continue
		}
		look := p.Stat
		if o.Has("h") {
			look = p.Lstat
		}
		_, err := look(a)
		if err == syscall.ENOENT {
			if o.Has("c", "h") {
				if o.Has("h") && !o.Has("c") {
					p.Errorf("setting times of %s: %s", libc.Quote(a), kernel.Strerror(err))
					code = 1
				}
				continue
			}
			d, err := p.Open(a, os.O_WRONLY|os.O_CREATE, 0o666)
			if err != nil {
				p.Errorf("cannot touch %s: %s", libc.Quote(a), kernel.Strerror(err))
				code = 1
				continue
			}
			d.Release()
			if toNow {
				continue
			}
		}
		if err := p.Utimes(a, at, mt, toNow, !o.Has("h")); err != nil {
			verb := "setting times of"
			if open := p.Access(a, kernel.MayWrite); open != nil {
				verb, err = "cannot touch", open
			}
			p.Errorf("%s %s: %s", verb, libc.Quote(a), kernel.Strerror(err))
			code = 1
		}
	}
	return code
}
