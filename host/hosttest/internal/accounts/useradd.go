package accounts

import (
	"fmt"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/posix"
)

func cmdUseradd(p *kernel.Process) int {
	f, o, code := editAccounts(p, "b:c:d:De:f:g:G:k:K:lmMNop:rR:s:u:UZ:", "base-dir=>b comment=>c home-dir=>d home=>d defaults>D expiredate=>e inactive=>f gid=>g groups=>G skel=>k key=>K no-log-init>l create-home>m no-create-home>M no-user-group>N non-unique>o password=>p system>r root=>R shell=>s uid=>u user-group>U badname", "[options] LOGIN\n       useradd -D\n       useradd -D [options]", 1)
	if f == nil {
		return code
	}
	if libc.Unsupported(p, o, "D", "K", "R", "Z") {
		return 1
	}
	name := o.Args[0]
	if !accountName(name) {
		return refuse(p, 3, "invalid user name '%s': use --badname to ignore", name)
	}
	if f.user(name) != nil {
		return refuse(p, 9, "user '%s' already exists", name)
	}
	u := libc.User{Name: name, Passwd: "x", Gecos: o.Get("c"), Home: "/home/" + name, Shell: "/bin/sh"}
	if o.Has("b") {
		if !strings.HasPrefix(o.Get("b"), "/") {
			return refuse(p, 3, "invalid base directory '%s'", o.Get("b"))
		}
		u.Home = o.Get("b") + "/" + name
	}
	if o.Has("d") {
		u.Home = o.Get("d")
		if !strings.HasPrefix(u.Home, "/") {
			return refuse(p, 3, "invalid home directory '%s'", u.Home)
		}
	}
	if strings.ContainsAny(u.Gecos, ":\n") {
		return refuse(p, 3, "invalid comment '%s'", u.Gecos)
	}
	if o.Has("s") {
		u.Shell = o.Get("s")
		if u.Shell != "" && u.Shell[0] != '/' && u.Shell[0] != '*' {
			return refuse(p, 3, "invalid shell '%s'", u.Shell)
		}
		if st, err := p.Stat(u.Shell); u.Shell != "" && (err != nil || st.IsDir()) {
			p.Errorf("Warning: missing or non-executable shell '%s'", u.Shell)
		}
	}
	if o.Has("u") {
		n, ok := kernel.ParseUint(o.Get("u"))
		if !ok {
			return refuse(p, 3, "invalid user ID '%s'", o.Get("u"))
		}
		u.UID = uint32(n)
		if f.uidUsed(u.UID) && !o.Has("o") {
			return refuse(p, 4, "UID %d is not unique", u.UID)
		}
	} else {
		u.UID = freeID(o.Has("r"), f.uidUsed)
	}
	own := !o.Has("g") && !o.Has("N")
	if o.Has("g") {
		g := f.groupNamed(o.Get("g"))
		if g == nil {
			return refuse(p, 6, "group '%s' does not exist", o.Get("g"))
		}
		u.GID = g.GID
	} else if own {
		if f.group(name) != nil {
			return refuse(p, 9, "group %s exists - if you want to add this user to that group, use -g.", name)
		}
		u.GID = u.UID
		if f.gidUsed(u.GID) {
			u.GID = freeID(o.Has("r"), f.gidUsed)
		}
	} else {
		u.GID = 100
	}
	extra, ok := f.groupNames(o.Get("G"))
	if !ok {
		return 6
	}
	expiry, err := expiryDay(o.Get("e"))
	if err != nil {
		return refuse(p, 3, "invalid date '%s'", o.Get("e"))
	}
	f.users = append(f.users, u)
	pw := "!"
	if o.Has("p") {
		pw = o.Get("p")
	}
	limits := []string{"0", "99999", "7"}
	if o.Has("r") {
		limits = []string{"", "", ""}
	}
	f.shadow = append(f.shadow, []string{name, pw, today(p), limits[0], limits[1], limits[2], o.Get("f"), expiry, ""})
	if own {
		f.addGroup(libc.Group{Name: name, Passwd: "x", GID: u.GID})
	}
	for _, g := range extra {
		f.member(f.group(g), name, true)
	}
	if code := f.save(); code != 0 {
		return code
	}
	if !o.Has("r") {
		for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
			b, _ := p.ReadFile(file)
			start := 100000
			for l := range strings.SplitSeq(string(b), "\n") {
				if x := strings.Split(l, ":"); len(x) == 3 {
					a, _ := strconv.Atoi(x[1])
					n, _ := strconv.Atoi(x[2])
					start = max(start, a+n)
				}
			}
			libc.ReplaceFile(p, file, []byte(string(b)+fmt.Sprintf("%s:%d:65536\n", name, start)), 0o644)
		}
	}
	if o.Has("m") && !o.Has("M") {
		if _, err := p.Stat(u.Home); err == nil {
			return refuse(p, 0, "warning: the home directory %s already exists.\nuseradd: Not copying any file from skel directory into it.", u.Home)
		}
		if err := libc.MkdirOne(p, u.Home, true, nil, false); err != nil {
			return refuse(p, 12, "cannot create directory %s", u.Home)
		}
		p.Chmod(u.Home, 0o755)
		skel := "/etc/skel"
		if o.Has("k") {
			skel = o.Get("k")
		}
		if names, err := p.ReadDir(skel); err == nil {
			for _, n := range names {
				posix.CopyArchive(p, libc.JoinPath(skel, n), libc.JoinPath(u.Home, n))
			}
		}
		libc.Walk(p, u.Home, true, func(name string, _ kernel.Stat) error { return p.Chown(name, int64(u.UID), int64(u.GID), false) })
	}
	return 0
}
