package accounts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/posix"
)

const (
	useraddShort = "b:c:d:De:f:g:G:k:K:lmMNop:rR:s:u:UZ:"
	useraddLong  = "base-dir=>b comment=>c home-dir=>d home=>d defaults>D expiredate=>e inactive=>f gid=>g groups=>G " +
		"skel=>k key=>K no-log-init>l create-home>m no-create-home>M no-user-group>N non-unique>o password=>p system>r " +
		"root=>R shell=>s uid=>u user-group>U badname"
	useraddUsage = "[options] LOGIN\n       useradd -D\n       useradd -D [options]"
)

// useradd is one run of it.
type useradd struct {
	p        *kernel.Process
	o        *libc.Options
	f        *userFiles
	u        libc.User
	ownGroup bool     // a group of the user's name is made
	groups   []string // of -G
}

func cmdUseradd(p *kernel.Process) int {
	f, o, code := editAccounts(p, useraddShort, useraddLong, useraddUsage, 1)
	if f == nil {
		return code
	}
	if libc.Unsupported(p, o, "D", "K", "R", "Z") {
		return 1
	}
	a := &useradd{p: p, o: o, f: f}
	for _, step := range []func() int{a.readUser, a.chooseUID, a.chooseGroups, a.save} {
		if code := step(); code != 0 {
			return code
		}
	}
	if !o.Has("r") {
		a.addSubordinates()
	}
	if o.Has("m") && !o.Has("M") {
		return a.makeHome()
	}
	return 0
}

// readUser reads what the command line says of the user, and refuses what cannot be.
func (a *useradd) readUser() int {
	p, o, name := a.p, a.o, a.o.Args[0]
	if !accountName(name) {
		return refuse(p, 3, "invalid user name '%s': use --badname to ignore", name)
	}
	if a.f.user(name) != nil {
		return refuse(p, 9, "user '%s' already exists", name)
	}
	a.u = libc.User{Name: name, Passwd: "x", Gecos: o.Get("c"), Home: "/home/" + name, Shell: "/bin/sh"}
	if o.Has("b") {
		if !strings.HasPrefix(o.Get("b"), "/") {
			return refuse(p, 3, "invalid base directory '%s'", o.Get("b"))
		}
		a.u.Home = o.Get("b") + "/" + name
	}
	if o.Has("d") {
		a.u.Home = o.Get("d")
		if !strings.HasPrefix(a.u.Home, "/") {
			return refuse(p, 3, "invalid home directory '%s'", a.u.Home)
		}
	}
	if strings.ContainsAny(a.u.Gecos, ":\n") {
		return refuse(p, 3, "invalid comment '%s'", a.u.Gecos)
	}
	if o.Has("s") {
		a.u.Shell = o.Get("s")
		if a.u.Shell != "" && a.u.Shell[0] != '/' && a.u.Shell[0] != '*' {
			return refuse(p, 3, "invalid shell '%s'", a.u.Shell)
		}
		if st, err := p.Stat(a.u.Shell); a.u.Shell != "" && (err != nil || st.IsDir()) {
			p.Errorf("Warning: missing or non-executable shell '%s'", a.u.Shell)
		}
	}
	return 0
}

func (a *useradd) chooseUID() int {
	if !a.o.Has("u") {
		a.u.UID = freeID(a.o.Has("r"), a.f.uidUsed)
		return 0
	}
	n, ok := kernel.ParseUint(a.o.Get("u"))
	if !ok {
		return refuse(a.p, 3, "invalid user ID '%s'", a.o.Get("u"))
	}
	a.u.UID = uint32(n)
	if a.f.uidUsed(a.u.UID) && !a.o.Has("o") {
		return refuse(a.p, 4, "UID %d is not unique", a.u.UID)
	}
	return 0
}

// chooseGroups finds the primary group, which is the user's own without -g and -N, and the groups of -G.
func (a *useradd) chooseGroups() int {
	p, o, f := a.p, a.o, a.f
	a.ownGroup = !o.Has("g") && !o.Has("N")
	switch {
	case o.Has("g"):
		g := f.groupNamed(o.Get("g"))
		if g == nil {
			return refuse(p, 6, "group '%s' does not exist", o.Get("g"))
		}
		a.u.GID = g.GID
	case a.ownGroup:
		if f.group(a.u.Name) != nil {
			return refuse(p, 9, "group %s exists - if you want to add this user to that group, use -g.", a.u.Name)
		}
		a.u.GID = a.u.UID
		if f.gidUsed(a.u.GID) {
			a.u.GID = freeID(o.Has("r"), f.gidUsed)
		}
	default:
		a.u.GID = 100 // users
	}
	var ok bool
	if a.groups, ok = f.groupNames(o.Get("G")); !ok {
		return 6
	}
	return 0
}

// save writes the user to the account files.
func (a *useradd) save() int {
	o, f, name := a.o, a.f, a.u.Name
	expiry, err := expiryDay(o.Get("e"))
	if err != nil {
		return refuse(a.p, 3, "invalid date '%s'", o.Get("e"))
	}
	f.users = append(f.users, a.u)
	password := "!"
	if o.Has("p") {
		password = o.Get("p")
	}
	limits := []string{"0", "99999", "7"}
	if o.Has("r") {
		limits = []string{"", "", ""}
	}
	f.shadow = append(slices.DeleteFunc(f.shadow, func(s []string) bool { return s[0] == name }),
		[]string{name, password, today(a.p), limits[0], limits[1], limits[2], o.Get("f"), expiry, ""})
	if a.ownGroup {
		f.addGroup(libc.Group{Name: name, Passwd: "x", GID: a.u.GID})
	}
	for _, g := range a.groups {
		f.member(f.group(g), name, true)
	}
	return f.save()
}

// addSubordinates gives the user 65,536 subordinate UIDs and GIDs after the last that are taken (subuid(5)).
func (a *useradd) addSubordinates() {
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		b, _ := a.p.ReadFile(file)
		start := 100000
		for l := range strings.SplitSeq(string(b), "\n") {
			if x := strings.Split(l, ":"); len(x) == 3 {
				first, _ := strconv.Atoi(x[1])
				n, _ := strconv.Atoi(x[2])
				start = max(start, first+n)
			}
		}
		text := string(b) + fmt.Sprintf("%s:%d:65536\n", a.u.Name, start)
		libc.ReplaceFile(a.p, file, []byte(text), 0o644)
	}
}

// makeHome makes the home directory with the files of the skeleton directory.
func (a *useradd) makeHome() int {
	p, home := a.p, a.u.Home
	if _, err := p.Stat(home); err == nil {
		return refuse(p, 0, "warning: the home directory %s already exists.\n"+
			"useradd: Not copying any file from skel directory into it.", home)
	}
	if err := libc.MkdirOne(p, home, true, nil, false); err != nil {
		return refuse(p, 12, "cannot create directory %s", home)
	}
	p.Chmod(home, 0o755)
	skel := "/etc/skel"
	if a.o.Has("k") {
		skel = a.o.Get("k")
	}
	if names, err := p.ReadDir(skel); err == nil {
		for _, n := range names {
			posix.CopyArchive(p, libc.JoinPath(skel, n), libc.JoinPath(home, n))
		}
	}
	libc.Walk(p, home, true, func(name string, _ kernel.Stat) error {
		return p.Chown(name, int64(a.u.UID), int64(a.u.GID), false)
	})
	return 0
}
