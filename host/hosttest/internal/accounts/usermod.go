package accounts

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func cmdUsermod(p *kernel.Process) int {
	o, ok := operand(p, "ab:c:d:e:f:g:G:l:Lmop:rR:s:u:UvV:w:W:Z:", "append>a comment=>c home=>d expiredate=>e inactive=>f gid=>g groups=>G login=>l lock>L move-home>m non-unique>o password=>p remove>r shell=>s uid=>u unlock>U add-subuids=>v add-subgids=>w badname>b", "[options] LOGIN")
	if !ok {
		return 2
	}
	if libc.Unsupported(p, o, "f", "R", "v", "V", "w", "W", "Z") {
		return 1
	}
	if o.Has("a") && !o.Has("G") || o.Has("a") && o.Has("r") {
		p.Errorf("-a flag is only allowed with the -G flag")
		p.Warnf("Usage: usermod [options] LOGIN\n")
		return 2
	}
	f, ok := openUserFiles(p, 1)
	if !ok {
		return 1
	}
	u := f.user(o.Args[0])
	if s := o.Get("s"); s != "" && s[0] != '/' {
		return refuse(p, 3, "invalid shell '%s'", s)
	}
	if u == nil {
		return refuse(p, 6, "user '%s' does not exist", o.Args[0])
	}
	if len(o.Order) == 0 {
		return refuse(p, 2, "no options")
	}
	oldUID, oldHome := u.UID, u.Home
	if o.Has("c") {
		u.Gecos = o.Get("c")
	}
	if o.Has("d") {
		u.Home = o.Get("d")
		if !strings.HasPrefix(u.Home, "/") {
			return refuse(p, 3, "homedir must be an absolute path")
		}
	}
	if o.Has("s") {
		u.Shell = o.Get("s")
	}
	if o.Has("u") {
		n, ok := kernel.ParseUint(o.Get("u"))
		if !ok {
			return refuse(p, 3, "invalid user ID '%s'", o.Get("u"))
		}
		if uint32(n) != u.UID && f.uidUsed(uint32(n)) && !o.Has("o") {
			return refuse(p, 4, "UID '%d' already exists", n)
		}
		if busyUser(p, u, uint32(n)) {
			return 8
		}
		u.UID = uint32(n)
	}
	if o.Has("g") {
		g := f.groupNamed(o.Get("g"))
		if g == nil {
			return refuse(p, 6, "group '%s' does not exist", o.Get("g"))
		}
		u.GID = g.GID
	}
	if o.Has("G") {
		want, ok := f.groupNames(o.Get("G"))
		if !ok {
			return 6
		}
		for i := range f.groups {
			g := &f.groups[i]
			in := slices.Contains(want, g.Name)
			switch {
			case o.Has("r"):
				if in {
					f.member(g, u.Name, false)
				}
			case in:
				f.member(g, u.Name, true)
			case !o.Has("a"):
				f.member(g, u.Name, false)
			}
		}
	}
	sh := f.shadowOf(u.Name)
	if sh != nil {
		switch {
		case o.Has("p"):
			sh[1] = o.Get("p")
			sh[2] = today(p)
		case o.Has("L"):
			lockPassword(sh)
		case o.Has("U"):
			if sh[1] == "!" {
				p.Errorf("unlocking the user's password would result in a passwordless account.\nYou should set a password with usermod -p to unlock this user's password.")
			} else {
				sh[1] = strings.TrimPrefix(sh[1], "!")
			}
		}
		if o.Has("e") {
			d, err := expiryDay(o.Get("e"))
			if err != nil {
				return refuse(p, 3, "invalid date '%s'", o.Get("e"))
			}
			sh[7] = d
		}
	}
	if o.Has("l") {
		n := o.Get("l")
		if f.user(n) != nil {
			return refuse(p, 9, "user '%s' already exists", n)
		}
		for i := range f.groups {
			if slices.Contains(f.groups[i].Members, u.Name) {
				f.member(&f.groups[i], u.Name, false)
				f.member(&f.groups[i], n, true)
			}
		}
		if sh != nil {
			sh[0] = n
		}
		u.Name = n
	}
	home, uid, gid := u.Home, u.UID, u.GID
	if code := f.save(); code != 0 {
		return code
	}
	if o.Has("m") && home != oldHome {
		if st, err := p.Stat(oldHome); err != nil || !st.IsDir() {
			return refuse(p, 0, "The previous home directory (%s) does not exist or is inaccessible. Move cannot be completed.", oldHome)
		}
		if err := p.Rename(oldHome, home); err != nil {
			return refuse(p, 12, "cannot rename directory %s to %s", oldHome, home)
		}
	}
	if uid != oldUID {
		libc.Walk(p, home, true, func(name string, st kernel.Stat) error {
			if st.UID == oldUID {
				return p.Chown(name, int64(uid), int64(gid), false)
			}
			return nil
		})
	}
	return 0
}

// busyUser refuses to change a user who runs something.
func busyUser(p *kernel.Process, u *libc.User, newID uint32) bool {
	if newID == u.UID {
		return false
	}
	for _, q := range p.Kernel.Processes() {
		if _, _, _, ruid := q.Looks(); ruid == u.UID {
			p.Errorf("user %s is currently used by process %d", u.Name, q.PID)
			return true
		}
	}
	return false
}
