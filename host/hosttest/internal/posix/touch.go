package posix

import (
	"os"
	"syscall"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// touching is what touch gives to each file. A time in nanoseconds; -1 leaves the one that is there.
type touching struct {
	p            *kernel.Process
	o            *libc.Options
	atime, mtime int64
	toNow        bool // both are the present
}

func cmdTouch(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "acd:fhmr:t:", "no-create>c date=>d no-dereference>h reference=>r time=")
	if !ok {
		return libc.Usage(p, 1)
	}
	if len(o.Args) == 0 {
		p.Errorf("missing file operand")
		return libc.Usage(p, 1)
	}
	t := &touching{p: p, o: o}
	if !t.readTimes() {
		return 1
	}
	code := 0
	for _, a := range o.Args {
		if !t.file(a) {
			code = 1
		}
	}
	return code
}

// readTimes reads the options that say which times to set, and to what.
func (t *touching) readTimes() bool {
	p, o := t.p, t.o
	now := p.Kernel.Now().UnixNano()
	t.atime, t.mtime, t.toNow = now, now, true
	if o.Has("r") {
		st, err := p.Stat(o.Get("r"))
		if err != nil {
			p.Errorf("failed to get attributes of %s: %s", libc.Quote(o.Get("r")), kernel.Strerror(err))
			return false
		}
		t.atime, t.mtime, t.toNow = st.Atime.UnixNano(), st.Mtime.UnixNano(), false
	}
	if o.Has("d") {
		at, err := parseDate(o.Get("d"), p.Kernel.Now())
		if err != nil {
			p.Errorf("invalid date format %s", libc.Quote(o.Get("d")))
			return false
		}
		t.atime, t.mtime, t.toNow = at.UnixNano(), at.UnixNano(), false
	}
	if o.Has("t") {
		s := o.Get("t")
		layout := map[int]string{12: "200601021504", 15: "200601021504.05", 10: "0601021504"}[len(s)]
		at, err := time.Parse(layout, s)
		if err != nil {
			p.Errorf("invalid date format %s", libc.Quote(s))
			return false
		}
		t.atime, t.mtime, t.toNow = at.UnixNano(), at.UnixNano(), false
	}
	onlyA, onlyM := o.Has("a"), o.Has("m")
	for _, v := range o.All("time") {
		what, ok := argMatch(p, v, "--time", []argSet{{"atime", "access", "use"}, {"mtime", "modify"}})
		if !ok {
			return false
		}
		onlyA, onlyM = onlyA || what == "atime", onlyM || what == "mtime"
	}
	if onlyA && !onlyM {
		t.mtime = -1
	}
	if onlyM && !onlyA {
		t.atime = -1
	}
	return true
}

// file sets the times of a file, and makes it when it is missing.
func (t *touching) file(name string) bool {
	p, o := t.p, t.o
	if name == "-" {
		if d := p.FDs[1]; d != nil && d.Stream == nil {
			p.Utimes(d.Path, t.atime, t.mtime, t.toNow, true)
		}
		return true
	}
	look := p.Stat
	if o.Has("h") {
		look = p.Lstat
	}
	if _, err := look(name); err == syscall.ENOENT {
		if o.Has("c") {
			return true
		}
		if o.Has("h") {
			p.Errorf("setting times of %s: %s", libc.Quote(name), kernel.Strerror(err))
			return false
		}
		d, err := p.Open(name, os.O_WRONLY|os.O_CREATE, 0o666)
		if err != nil {
			p.Errorf("cannot touch %s: %s", libc.Quote(name), kernel.Strerror(err))
			return false
		}
		d.Release()
		if t.toNow {
			return true
		}
	}
	if err := p.Utimes(name, t.atime, t.mtime, t.toNow, !o.Has("h")); err != nil {
		verb := "setting times of"
		if open := p.Access(name, kernel.MayWrite); open != nil {
			verb, err = "cannot touch", open
		}
		p.Errorf("%s %s: %s", verb, libc.Quote(name), kernel.Strerror(err))
		return false
	}
	return true
}
