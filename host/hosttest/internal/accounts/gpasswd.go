package accounts

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdGpasswd(p *kernel.Process) int {
	f, o, code := editAccounts(p, "a:d:M:A:rR", "add=>a delete=>d members=>M remove-password>r restrict>R", "[option] GROUP", 1)
	if f == nil {
		return code
	}
	if libc.Unsupported(p, o, "A", "r") {
		return 1
	}
	g := f.group(o.Args[0])
	if g == nil {
		return refuse(p, 3, "group '%s' does not exist in /etc/group", o.Args[0])
	}
	user := o.Get("a", "d")
	if o.Has("a") && f.user(user) == nil {
		return refuse(p, 3, "user '%s' does not exist", user)
	}
	switch {
	case o.Has("R"):
		f.restrict(g.Name)
	case o.Has("a"):
		p.Printf("Adding user %s to group %s\n", user, g.Name)
		f.member(g, user, true)
	case o.Has("d"):
		p.Printf("Removing user %s from group %s\n", user, g.Name)
		if !slices.Contains(g.Members, user) {
			return refuse(p, 3, "user '%s' is not a member of '%s'", user, g.Name)
		}
		f.member(g, user, false)
	case o.Has("M"):
		f.emptyGroup(g)
		for m := range strings.FieldsFuncSeq(o.Get("M"), func(r rune) bool { return r == ',' }) {
			if f.user(m) == nil {
				return refuse(p, 3, "user '%s' does not exist", m)
			}
			f.member(g, m, true)
		}
	}
	return f.save()
}
