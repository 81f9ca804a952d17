package hosttest

import (
	"os"
	"syscall"
	"time"
)

func cmdTouch(p *proc) int {
	o, ok := p.getopt("acd:fhmr:t:", "no-create>c date=>d no-dereference>h reference=>r time=")
	if !ok {
		return p.usage(1)
	}
	if len(o.args) == 0 {
		p.errorf("missing file operand")
		return p.usage(1)
	}
	at := p.k.now().UnixNano()
	mt := at
	toNow := true
	if o.has("r") {
		st, err := p.stat(o.get("r"))
		if err != nil {
			p.errorf("failed to get attributes of %s: %s", quote(o.get("r")), strerror(err))
			return 1
		}
		at, mt, toNow = st.Atime.UnixNano(), st.Mtime.UnixNano(), false
	}
	if o.has("d") {
		t, err := parseDate(o.get("d"), p.k.now())
		if err != nil {
			p.errorf("invalid date format %s", quote(o.get("d")))
			return 1
		}
		at, mt, toNow = t.UnixNano(), t.UnixNano(), false
	}
	if o.has("t") {
		s := o.get("t")
		layout := map[int]string{12: "200601021504", 15: "200601021504.05", 10: "0601021504"}[len(s)]
		t, err := time.Parse(layout, s)
		if err != nil {
			p.errorf("invalid date format %s", quote(s))
			return 1
		}
		at, mt, toNow = t.UnixNano(), t.UnixNano(), false
	}
	onlyA, onlyM := o.has("a"), o.has("m")
	for _, v := range o.all("time") {
		what, ok := p.argMatch(v, "--time", []argSet{{"atime", "access", "use"}, {"mtime", "modify"}})
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
			if d := p.fds[1]; d != nil && d.stream == nil {
				p.utimes(d.path, at, mt, toNow, true)
			}
			continue
		}
		look := p.stat
		if o.has("h") {
			look = p.lstat
		}
		_, err := look(a)
		if err == syscall.ENOENT {
			if o.has("c", "h") {
				if o.has("h") && !o.has("c") {
					p.errorf("setting times of %s: %s", quote(a), strerror(err))
					code = 1
				}
				continue
			}
			d, err := p.open(a, os.O_WRONLY|os.O_CREATE, 0o666)
			if err != nil {
				p.errorf("cannot touch %s: %s", quote(a), strerror(err))
				code = 1
				continue
			}
			d.release()
			if toNow {
				continue
			}
		}
		if err := p.utimes(a, at, mt, toNow, !o.has("h")); err != nil {
			verb := "setting times of"
			if open := p.access(a, mayWrite); open != nil {
				verb, err = "cannot touch", open
			}
			p.errorf("%s %s: %s", verb, quote(a), strerror(err))
			code = 1
		}
	}
	return code
}
