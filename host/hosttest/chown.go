package hosttest

import (
	"fmt"
	"strconv"
	"strings"
)

// owner reads USER[:GROUP], by name or number; -1 is unchanged.
func (p *proc) owner(s string) (uid, gid int64, err error) {
	uid, gid = -1, -1
	user, group, has := strings.Cut(s, ":")
	if u, g, dotted := strings.Cut(s, "."); dotted && !has && p.k.userByName(s) == nil {
		if _, _, err := p.owner(u + ":" + g); err == nil {
			p.warn("%s: warning: '.' should be ':': %s\n", p.name(), quote(s))
			user, group, has = u, g, true
		}
	}
	if user != "" {
		u := p.k.userByName(user)
		if u != nil {
			uid = int64(u.uid)
		} else if n, ok := parseID(user); ok {
			uid = n
		} else {
			return 0, 0, fmt.Errorf("invalid user: %s", quote(s))
		}
		if has && group == "" {
			if u == nil {
				u = p.k.userByID(uint32(uid))
			}
			if u == nil {
				return 0, 0, fmt.Errorf("invalid spec: %s", quote(s))
			}
			gid = int64(u.gid)
		}
	}
	if group != "" {
		if gid, err = p.group(group); err != nil {
			return 0, 0, fmt.Errorf("invalid group: %s", quote(s))
		}
	}
	return uid, gid, nil
}

func (p *proc) group(s string) (int64, error) {
	if g := p.k.groupByName(s); g != nil {
		return int64(g.gid), nil
	}
	if n, ok := parseID(s); ok {
		return n, nil
	}
	return 0, fmt.Errorf("invalid group: %s", quote(s))
}

// parseID reads the number of a user or group: 2^32-1 stands for none.
func parseID(s string) (int64, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "+"), 10, 32)
	return int64(n), err == nil && n != 1<<32-1
}

func cmdChown(p *proc) int {
	o, ok := p.getopt("RchfvHLP", "recursive>R no-dereference>h dereference changes>c quiet>f silent>f verbose>v reference= from=")
	if !ok {
		return p.usage(1)
	}
	if p.unsupported(o, "c", "v", "H", "L") {
		return 1
	}
	rest := o.args
	uid, gid := int64(-1), int64(-1)
	if o.has("reference") {
		st, err := p.stat(o.get("reference"))
		if err != nil {
			p.errorf("failed to get attributes of %s: %s", quote(o.get("reference")), strerror(err))
			return 1
		}
		uid, gid = int64(st.UID), int64(st.GID)
	} else {
		if len(rest) == 0 {
			p.errorf("missing operand")
			return p.usage(1)
		}
		var err error
		if p.name() == "chgrp" {
			if rest[0] != "" {
				gid, err = p.group(rest[0])
			}
		} else {
			uid, gid, err = p.owner(rest[0])
		}
		if err != nil {
			p.errorf("%v", err)
			return 1
		}
		if len(rest) == 1 {
			p.errorf("missing operand after %s", quote(rest[0]))
			return p.usage(1)
		}
		rest = rest[1:]
	}
	onlyUID, onlyGID := int64(-1), int64(-1)
	if o.has("from") {
		var err error
		if onlyUID, onlyGID, err = p.owner(o.get("from")); err != nil {
			p.errorf("%v", err)
			return 1
		}
	}
	code := 0
	for _, a := range rest {
		top := true
		p.recurse(a, o.has("R"), func(name string, st Stat) error {
			is := st
			if st.IsSymlink() && !o.has("h", "R") {
				is, _ = p.stat(name)
			}
			if st.Path != "" && (onlyUID >= 0 && onlyUID != int64(is.UID) || onlyGID >= 0 && onlyGID != int64(is.GID)) {
				top = false
				return nil
			}
			follow := !o.has("h") && !o.has("R")
			if o.has("R") && top && !st.IsSymlink() {
				follow = true
			}
			top = false
			err := p.chown(name, uid, gid, follow)
			if err != nil {
				if !o.has("f") {
					switch {
					case st.Path == "":
						p.errorf("cannot access %s: %s", quote(name), strerror(err))
					case follow && st.IsSymlink():
						p.errorf("cannot dereference %s: %s", quote(name), strerror(err))
					case p.name() == "chgrp" || uid < 0:
						p.errorf("changing group of %s: %s", quote(name), strerror(err))
					default:
						p.errorf("changing ownership of %s: %s", quote(name), strerror(err))
					}
				}
				code = 1
			}
			return err
		})
	}
	return code
}
