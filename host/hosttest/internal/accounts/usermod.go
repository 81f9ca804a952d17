package accounts

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const (
	usermodShort = "ab:c:d:e:f:g:G:l:Lmop:rR:s:u:UvV:w:W:Z:"
	usermodLong  = "append>a comment=>c home=>d expiredate=>e inactive=>f gid=>g groups=>G login=>l lock>L move-home>m " +
		"non-unique>o password=>p remove>r shell=>s uid=>u unlock>U add-subuids=>v add-subgids=>w badname>b"
)

// usermod is one run of it.
type usermod struct {
	p       *kernel.Process
	o       *libc.Options
	f       *userFiles
	u       *libc.User // as it becomes
	oldUID  uint32
	oldHome string
}

func cmdUsermod(p *kernel.Process) int {
	o, ok := operand(p, usermodShort, usermodLong, "[options] LOGIN")
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
	m := &usermod{p: p, o: o, f: f, u: u, oldUID: u.UID, oldHome: u.Home}
	for _, edit := range []func() int{m.editUser, m.editGroups, m.editShadow, m.rename, f.save} {
		if code := edit(); code != 0 {
			return code
		}
	}
	if code, ok := m.moveHome(); !ok {
		return code
	}
	m.chownHome()
	return 0
}

// editUser changes the line of /etc/passwd, but for the name.
func (m *usermod) editUser() int {
	p, o, u := m.p, m.o, m.u
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
		if uint32(n) != u.UID && m.f.uidUsed(uint32(n)) && !o.Has("o") {
			return refuse(p, 4, "UID '%d' already exists", n)
		}
		if busyUser(p, u, uint32(n)) {
			return 8
		}
		u.UID = uint32(n)
	}
	if o.Has("g") {
		g := m.f.groupNamed(o.Get("g"))
		if g == nil {
			return refuse(p, 6, "group '%s' does not exist", o.Get("g"))
		}
		u.GID = g.GID
	}
	return 0
}

// editGroups sets the groups of -G, adds them with -a, or takes the user out of them with -r.
func (m *usermod) editGroups() int {
	if !m.o.Has("G") {
		return 0
	}
	names, ok := m.f.groupNames(m.o.Get("G"))
	if !ok {
		return 6
	}
	for i := range m.f.groups {
		g := &m.f.groups[i]
		named := slices.Contains(names, g.Name)
		switch {
		case m.o.Has("r"):
			if named {
				m.f.member(g, m.u.Name, false)
			}
		case named:
			m.f.member(g, m.u.Name, true)
		case !m.o.Has("a"):
			m.f.member(g, m.u.Name, false)
		}
	}
	return 0
}

// editShadow changes the password and the day on which the account expires.
func (m *usermod) editShadow() int {
	p, o, sh := m.p, m.o, m.f.shadowOf(m.u.Name)
	if sh == nil {
		return 0
	}
	switch {
	case o.Has("p"):
		sh[1] = o.Get("p")
		sh[2] = today(p)
	case o.Has("L"):
		lockPassword(sh)
	case o.Has("U"):
		if sh[1] == "!" {
			p.Errorf("unlocking the user's password would result in a passwordless account.\n" +
				"You should set a password with usermod -p to unlock this user's password.")
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
	return 0
}

// rename gives the user the name of -l in every file.
func (m *usermod) rename() int {
	if !m.o.Has("l") {
		return 0
	}
	name := m.o.Get("l")
	if m.f.user(name) != nil {
		return refuse(m.p, 9, "user '%s' already exists", name)
	}
	for i := range m.f.groups {
		if slices.Contains(m.f.groups[i].Members, m.u.Name) {
			m.f.member(&m.f.groups[i], m.u.Name, false)
			m.f.member(&m.f.groups[i], name, true)
		}
	}
	if sh := m.f.shadowOf(m.u.Name); sh != nil {
		sh[0] = name
	}
	m.u.Name = name
	return 0
}

// moveHome renames the home directory with -m. When it is false, usermod ends with the code.
func (m *usermod) moveHome() (code int, ok bool) {
	if !m.o.Has("m") || m.u.Home == m.oldHome {
		return 0, true
	}
	if st, err := m.p.Stat(m.oldHome); err != nil || !st.IsDir() {
		return refuse(m.p, 0, "The previous home directory (%s) does not exist or is inaccessible. "+
			"Move cannot be completed.", m.oldHome), false
	}
	if err := m.p.Rename(m.oldHome, m.u.Home); err != nil {
		return refuse(m.p, 12, "cannot rename directory %s to %s", m.oldHome, m.u.Home), false
	}
	return 0, true
}

// chownHome hands what the user owns in the home directory to the new UID.
func (m *usermod) chownHome() {
	if m.u.UID == m.oldUID {
		return
	}
	libc.Walk(m.p, m.u.Home, true, func(name string, st kernel.Stat) error {
		if st.UID == m.oldUID {
			return m.p.Chown(name, int64(m.u.UID), int64(m.u.GID), false)
		}
		return nil
	})
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
