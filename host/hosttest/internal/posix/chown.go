package posix

import (
	"fmt"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// owner reads USER[:GROUP], by name or number; -1 is unchanged.
func owner(p *kernel.Process, s string) (uid, gid int64, err error) {
	uid, gid = -1, -1
	user, group, has := strings.Cut(s, ":")
	if u, g, dotted := strings.Cut(s, "."); dotted && !has && libc.UserByName(p.Kernel, s) == nil {
		if _, _, err := owner(p, u+":"+g); err == nil {
			p.Warnf("%s: warning: '.' should be ':': %s\n", p.Name(), libc.Quote(s))
			user, group, has = u, g, true
		}
	}
	if user != "" {
		u := libc.UserByName(p.Kernel, user)
		if u != nil {
			uid = int64(u.UID)
		} else if n, ok := parseID(user); ok {
			uid = n
		} else {
			return 0, 0, fmt.Errorf("invalid user: %s", libc.Quote(s))
		}
		if has && group == "" {
			if u == nil {
				u = libc.UserByID(p.Kernel, uint32(uid))
			}
			if u == nil {
				return 0, 0, fmt.Errorf("invalid spec: %s", libc.Quote(s))
			}
			gid = int64(u.GID)
		}
	}
	if group != "" {
		if gid, err = groupID(p, group); err != nil {
			return 0, 0, fmt.Errorf("invalid group: %s", libc.Quote(s))
		}
	}
	return uid, gid, nil
}

func groupID(p *kernel.Process, s string) (int64, error) {
	if g := libc.GroupByName(p.Kernel, s); g != nil {
		return int64(g.GID), nil
	}
	if n, ok := parseID(s); ok {
		return n, nil
	}
	return 0, fmt.Errorf("invalid group: %s", libc.Quote(s))
}

// parseID reads the number of a user or group: 2^32-1 stands for none.
func parseID(s string) (int64, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "+"), 10, 32)
	return int64(n), err == nil && n != 1<<32-1
}

func cmdChown(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "RchfvHLP",
		"recursive>R no-dereference>h dereference changes>c quiet>f silent>f verbose>v reference= from=")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "c", "v", "H", "L") {
		return 1
	}
	rest := o.Args
	uid, gid := int64(-1), int64(-1)
	if o.Has("reference") {
		st, err := p.Stat(o.Get("reference"))
		if err != nil {
			p.Errorf("failed to get attributes of %s: %s", libc.Quote(o.Get("reference")), kernel.Strerror(err))
			return 1
		}
		uid, gid = int64(st.UID), int64(st.GID)
	} else {
		if len(rest) == 0 {
			p.Errorf("missing operand")
			return libc.Usage(p, 1)
		}
		var err error
		if p.Name() == "chgrp" {
			if rest[0] != "" {
				gid, err = groupID(p, rest[0])
			}
		} else {
			uid, gid, err = owner(p, rest[0])
		}
		if err != nil {
			p.Errorf("%v", err)
			return 1
		}
		if len(rest) == 1 {
			p.Errorf("missing operand after %s", libc.Quote(rest[0]))
			return libc.Usage(p, 1)
		}
		rest = rest[1:]
	}
	onlyUID, onlyGID := int64(-1), int64(-1)
	if o.Has("from") {
		var err error
		if onlyUID, onlyGID, err = owner(p, o.Get("from")); err != nil {
			p.Errorf("%v", err)
			return 1
		}
	}
	c := &chownRun{p: p, o: o, uid: uid, gid: gid, onlyUID: onlyUID, onlyGID: onlyGID}
	for _, a := range rest {
		top := true
		libc.Walk(p, a, o.Has("R"), func(name string, st kernel.Stat) error {
			err := c.file(name, st, top)
			top = false
			return err
		})
	}
	return c.code
}

// A chownRun is the state of one chown or chgrp. An id < 0 is left, or, in --from, means any.
type chownRun struct {
	p                *kernel.Process
	o                *libc.Options
	uid, gid         int64
	onlyUID, onlyGID int64
	code             int
}

// file changes the owner of a file; top tells that it is an operand.
func (c *chownRun) file(name string, st kernel.Stat, top bool) error {
	p, deep, noFollow := c.p, c.o.Has("R"), c.o.Has("h")
	is := st
	if st.IsSymlink() && !noFollow && !deep {
		is, _ = p.Stat(name)
	}
	if st.Path != "" && (c.onlyUID >= 0 && c.onlyUID != int64(is.UID) || c.onlyGID >= 0 && c.onlyGID != int64(is.GID)) {
		return nil
	}
	follow := !noFollow && !deep || deep && top && !st.IsSymlink()
	err := p.Chown(name, c.uid, c.gid, follow)
	if err == nil {
		return nil
	}
	c.code = 1
	if c.o.Has("f") {
		return err
	}
	what := "changing ownership of"
	switch {
	case st.Path == "":
		what = "cannot access"
	case follow && st.IsSymlink():
		what = "cannot dereference"
	case p.Name() == "chgrp" || c.uid < 0:
		what = "changing group of"
	}
	p.Errorf("%s %s: %s", what, libc.Quote(name), kernel.Strerror(err))
	return err
}
