package accounts

import (
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdWhoami(p *kernel.Process) int {
	u := libc.UserByID(p.Kernel, p.UID)
	if u == nil {
		return refuse(p, 1, "cannot find name for user ID %d", p.UID)
	}
	p.Print(u.Name, "\n")
	return 0
}

func cmdID(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "agGnruzZ", "group>g groups>G name>n real>r user>u zero>z")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "z", "Z") {
		return 1
	}
	if len(o.Args) > 1 {
		return refuse(p, 1, "hosttest: several users are not supported")
	}
	uid, gid, groups := p.UID, p.GID, p.Groups
	if len(o.Args) > 0 {
		u := libc.UserByName(p.Kernel, o.Args[0])
		if n, ok := kernel.ParseUint(o.Args[0]); u == nil && ok {
			u = libc.UserByID(p.Kernel, uint32(n))
		}
		if u == nil {
			return refuse(p, 1, "%s: no such user", libc.Quote(o.Args[0]))
		}
		uid, gid, groups = u.UID, u.GID, libc.GroupsOf(p.Kernel, u.Name)
	}
	all := []uint32{gid}
	for _, g := range groups {
		if !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	show := func(name func(uint32) string, ids ...uint32) {
		var words []string
		for _, id := range ids {
			if o.Has("n") {
				words = append(words, name(id))
			} else {
				words = append(words, strconv.Itoa(int(id)))
			}
		}
		p.Print(strings.Join(words, " "), "\n")
	}
	switch {
	case o.Has("u"):
		show(func(id uint32) string { return libc.UserName(p.Kernel, id) }, uid)
	case o.Has("g"):
		show(func(id uint32) string { return libc.GroupName(p.Kernel, id) }, gid)
	case o.Has("G"):
		show(func(id uint32) string { return libc.GroupName(p.Kernel, id) }, all...)
	case o.Has("n") || o.Has("r"):
		return refuse(p, 1, "cannot print only names or real IDs in default format")
	default:
		p.Printf("uid=%d(%s) gid=%d(%s) groups=", uid, libc.UserName(p.Kernel, uid), gid, libc.GroupName(p.Kernel, gid))
		for i, g := range all {
			if i > 0 {
				p.Print(",")
			}
			p.Printf("%d(%s)", g, libc.GroupName(p.Kernel, g))
		}
		p.Print("\n")
	}
	return 0
}

func cmdGroups(p *kernel.Process) int {
	who := p.Args[1:]
	show := func(gid uint32, groups []uint32) {
		names := []string{libc.GroupName(p.Kernel, gid)}
		for _, g := range groups {
			if n := libc.GroupName(p.Kernel, g); !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
		p.Print(strings.Join(names, " "), "\n")
	}
	if len(who) == 0 {
		show(p.GID, p.Groups)
		return 0
	}
	code := 0
	for _, w := range who {
		u := libc.UserByName(p.Kernel, w)
		if u == nil {
			p.Errorf("%s: no such user", libc.Quote(w))
			code = 1
			continue
		}
		p.Print(w, " : ")
		show(u.GID, libc.GroupsOf(p.Kernel, w))
	}
	return code
}
