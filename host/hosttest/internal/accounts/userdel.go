package accounts

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/posix"
)

func cmdUserdel(p *kernel.Process) int {
	f, o, code := editAccounts(p, "frR:Z", "force>f remove>r", "[options] LOGIN", 1)
	if f == nil {
		return code
	}
	if libc.Unsupported(p, o, "R", "Z") {
		return 1
	}
	name := o.Args[0]
	u := f.user(name)
	if u == nil {
		return refuse(p, 6, "user '%s' does not exist", name)
	}
	if !o.Has("f") && busyUser(p, u, u.UID+1) {
		return 8
	}
	home, gid := u.Home, u.GID
	f.users = slices.DeleteFunc(f.users, func(x libc.User) bool { return x.Name == name })
	f.shadow = slices.DeleteFunc(f.shadow, func(s []string) bool { return s[0] == name })
	for i := range f.groups {
		f.member(&f.groups[i], name, false)
	}
	if g := f.group(name); g != nil && g.GID == gid {
		if slices.ContainsFunc(f.users, func(x libc.User) bool { return x.GID == gid }) || len(g.Members) > 0 {
			p.Errorf("group %s not removed because it is not the primary group of user %s.", name, name)
		} else {
			f.dropGroup(name)
		}
	}
	if code := f.save(); code != 0 {
		return code
	}
	dropSubordinates(p, name)
	if o.Has("r") {
		p.Errorf("%s mail spool (/var/mail/%s) not found", name, name)
		if _, err := p.Stat(home); err != nil {
			return refuse(p, 0, "%s home directory (%s) not found", name, home)
		}
		if !posix.RemoveAll(p, home) {
			return 12
		}
	}
	return 0
}

// dropSubordinates takes the subordinate UIDs and GIDs of a user away (subuid(5)).
func dropSubordinates(p *kernel.Process, name string) {
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		b, _ := p.ReadFile(file)
		kept := ""
		for l := range strings.Lines(string(b)) {
			if !strings.HasPrefix(l, name+":") {
				kept += l
			}
		}
		if kept != string(b) {
			libc.ReplaceFile(p, file, []byte(kept), 0o644)
		}
	}
}

// expiryDay turns a date into days since 1970, as shadow(5) keeps it; empty and -1 mean never.
func expiryDay(s string) (string, error) {
	if s == "" || s == "-1" {
		return "", nil
	}
	if n, ok := kernel.ParseUint(s); ok {
		return strconv.FormatUint(n, 10), nil // days since 1970
	}
	t, err := time.Parse("2006-01-02", s)
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(t.Unix()/86400, 10), nil
}
