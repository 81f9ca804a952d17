package accounts

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdGroupadd(p *kernel.Process) int {
	f, o, code := editAccounts(p, "fg:K:op:rR:U:",
		"force>f gid=>g key=>K non-unique>o password=>p system>r users=>U", "[options] GROUP", 10)
	if f == nil {
		return code
	}
	if libc.Unsupported(p, o, "K", "p", "R") {
		return 1
	}
	name := o.Args[0]
	if !accountName(name) {
		return refuse(p, 3, "'%s' is not a valid group name", name)
	}
	if f.group(name) != nil {
		if o.Has("f") {
			return 0
		}
		return refuse(p, 9, "group '%s' already exists", name)
	}
	g := libc.Group{Name: name, Passwd: "x"}
	if o.Has("g") {
		n, ok := kernel.ParseUint(o.Get("g"))
		if !ok {
			return refuse(p, 3, "invalid group ID '%s'", o.Get("g"))
		}
		g.GID = uint32(n)
		if f.gidUsed(g.GID) && !o.Has("o") {
			if !o.Has("f") {
				return refuse(p, 4, "GID '%d' already exists", n)
			}
			g.GID = freeID(o.Has("r"), f.gidUsed)
		}
	} else {
		g.GID = freeID(o.Has("r"), f.gidUsed)
	}
	f.addGroup(g)
	for u := range strings.SplitSeq(o.Get("U"), ",") {
		if u != "" {
			f.member(f.group(name), u, true)
		}
	}
	return f.save()
}

func cmdGroupmod(p *kernel.Process) int {
	f, o, code := editAccounts(p, "ag:n:op:R:U:",
		"append>a gid=>g new-name=>n non-unique>o password=>p users=>U", "[options] GROUP", 10)
	if f == nil {
		return code
	}
	if libc.Unsupported(p, o, "p", "R") {
		return 1
	}
	g := f.group(o.Args[0])
	if g == nil {
		return refuse(p, 6, "group '%s' does not exist", o.Args[0])
	}
	old := g.Name
	if o.Has("g") {
		n, ok := kernel.ParseUint(o.Get("g"))
		if !ok {
			return refuse(p, 3, "invalid group ID '%s'", o.Get("g"))
		}
		if x := f.groupID(uint32(n)); x != nil && x != g && !o.Has("o") {
			return refuse(p, 4, "GID '%d' already exists", n)
		}
		for i := range f.users {
			if f.users[i].GID == g.GID {
				f.users[i].GID = uint32(n)
			}
		}
		g.GID = uint32(n)
	}
	if o.Has("n") {
		if f.group(o.Get("n")) != nil {
			return refuse(p, 9, "group '%s' already exists", o.Get("n"))
		}
		g.Name = o.Get("n")
		for _, s := range f.gsh {
			if s[0] == old {
				s[0] = g.Name
			}
		}
	}
	if o.Has("U") {
		list := strings.FieldsFunc(o.Get("U"), func(r rune) bool { return r == ',' })
		if !o.Has("a") {
			f.emptyGroup(g)
		}
		for _, u := range list {
			f.member(g, u, true)
		}
	}
	return f.save()
}

func cmdGroupdel(p *kernel.Process) int {
	f, o, code := editAccounts(p, "fR:", "force>f", "[options] GROUP", 10)
	if f == nil {
		return code
	}
	if libc.Unsupported(p, o, "R") {
		return 1
	}
	g := f.group(o.Args[0])
	if g == nil {
		return refuse(p, 6, "group '%s' does not exist", o.Args[0])
	}
	if i := slices.IndexFunc(f.users, func(u libc.User) bool { return u.GID == g.GID }); i >= 0 && !o.Has("f") {
		return refuse(p, 8, "cannot remove the primary group of user '%s'", f.users[i].Name)
	}
	f.dropGroup(g.Name)
	return f.save()
}
