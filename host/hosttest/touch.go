package hosttest

import (
	"os"
	"syscall"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func cmdTouch(p *kernel.Process) int {
	o, ok := getopt(p, "acd:fhmr:t:", "no-create>c date=>d no-dereference>h reference=>r time=")
	if !ok {
		return usage(p, 1)
	}
	if len(o.args) == 0 {
		p.Errorf("missing file operand")
		return usage(p, 1)
	}
	at := p.Kernel.Now().UnixNano()
	mt := at
	toNow := true
	if o.has("r") {
		st, err := p.Stat(o.get("r"))
		if err != nil {
			p.Errorf("failed to get attributes of %s: %s", quote(o.get("r")), kernel.Strerror(err))
			return 1
		}
		at, mt, toNow = st.Atime.UnixNano(), st.Mtime.UnixNano(), false
	}
	if o.has("d") {
		t, err := parseDate(o.get("d"), p.Kernel.Now())
		if err != nil {
			p.Errorf("invalid date format %s", quote(o.get("d")))
			return 1
		}
		at, mt, toNow = t.UnixNano(), t.UnixNano(), false
	}
	if o.has("t") {
		s := o.get("t")
		layout := map[int]string{12: "200601021504", 15: "200601021504.05", 10: "0601021504"}[len(s)]
		t, err := time.Parse(layout, s)
		if err != nil {
			p.Errorf("invalid date format %s", quote(s))
			return 1
		}
		at, mt, toNow = t.UnixNano(), t.UnixNano(), false
	}
	onlyA, onlyM := o.has("a"), o.has("m")
	for _, v := range o.all("time") {
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
	for _, a := range o.args {
		if a == "-" {
			if d := p.FDs[1]; d != nil && d.Stream == nil {
				p.Utimes(d.Path, at, mt, toNow, true)
			}
			continue
		}
		look := p.Stat
		if o.has("h") {
			look = p.Lstat
		}
		_, err := look(a)
		if err == syscall.ENOENT {
			if o.has("c", "h") {
				if o.has("h") && !o.has("c") {
					p.Errorf("setting times of %s: %s", quote(a), kernel.Strerror(err))
					code = 1
				}
				continue
			}
			d, err := p.Open(a, os.O_WRONLY|os.O_CREATE, 0o666)
			if err != nil {
				p.Errorf("cannot touch %s: %s", quote(a), kernel.Strerror(err))
				code = 1
				continue
			}
			d.Release()
			if toNow {
				continue
			}
		}
		if err := p.Utimes(a, at, mt, toNow, !o.has("h")); err != nil {
			verb := "setting times of"
			if open := p.Access(a, kernel.MayWrite); open != nil {
				verb, err = "cannot touch", open
			}
			p.Errorf("%s %s: %s", verb, quote(a), kernel.Strerror(err))
			code = 1
		}
	}
	return code
}
