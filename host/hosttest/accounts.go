package hosttest

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
)

// An account is a line of /etc/passwd.
type account struct {
	name, passwd, gecos, home, shell string
	uid, gid                         uint32
}

// A groupLine is a line of /etc/group.
type groupLine struct {
	name    string
	passwd  string
	gid     uint32
	members []string
}

// accountMemo keeps the parsed files until they change.
type accountMemo struct {
	mu            sync.Mutex
	passwd, group []byte
	users         []account
	groups        []groupLine
}

// rawFile returns a file's data without copying; the tree is locked. It is never written in place by its holder.
func (t *tree) rawFile(path string) []byte {
	s, err := t.must(rootCred, "/", path, true)
	if err != nil {
		return nil
	}
	i := s.at.inode()
	return i.data
}

// database parses /etc/passwd and /etc/group. The tree is locked.
func (m *Kernel) databaseLocked() ([]account, []groupLine) {
	pw, gr := m.tree.rawFile("/etc/passwd"), m.tree.rawFile("/etc/group")
	a := local[accountMemo](m)
	a.mu.Lock()
	defer a.mu.Unlock()
	if !same(a.passwd, pw) || !same(a.group, gr) {
		a.passwd, a.group = bytes.Clone(pw), bytes.Clone(gr)
		a.users, a.groups = parsePasswd(string(pw)), parseGroup(string(gr))
	}
	return a.users, a.groups
}

func same(a, b []byte) bool { return bytes.Equal(a, b) }

func (m *Kernel) database() ([]account, []groupLine) {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	return m.databaseLocked()
}

func parsePasswd(s string) []account {
	var out []account
	for line := range strings.SplitSeq(s, "\n") {
		f := strings.Split(line, ":")
		if len(f) != 7 {
			continue
		}
		uid, e1 := strconv.ParseUint(f[2], 10, 32)
		gid, e2 := strconv.ParseUint(f[3], 10, 32)
		if e1 != nil || e2 != nil {
			continue
		}
		out = append(out, account{f[0], f[1], f[4], f[5], f[6], uint32(uid), uint32(gid)})
	}
	return out
}

func parseGroup(s string) []groupLine {
	var out []groupLine
	for line := range strings.SplitSeq(s, "\n") {
		f := strings.Split(line, ":")
		if len(f) != 4 {
			continue
		}
		gid, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil {
			continue
		}
		g := groupLine{name: f[0], passwd: f[1], gid: uint32(gid)}
		if f[3] != "" {
			g.members = strings.Split(f[3], ",")
		}
		out = append(out, g)
	}
	return out
}

func (a account) line() string {
	return a.name + ":" + a.passwd + ":" + strconv.Itoa(int(a.uid)) + ":" + strconv.Itoa(int(a.gid)) + ":" + a.gecos + ":" + a.home + ":" + a.shell
}

func (g groupLine) line() string {
	return g.name + ":" + g.passwd + ":" + strconv.Itoa(int(g.gid)) + ":" + strings.Join(g.members, ",")
}

func (m *Kernel) userByName(name string) *account {
	users, _ := m.database()
	for i := range users {
		if users[i].name == name {
			return &users[i]
		}
	}
	return nil
}

func (m *Kernel) userByID(uid uint32) *account {
	users, _ := m.database()
	for i := range users {
		if users[i].uid == uid {
			return &users[i]
		}
	}
	return nil
}

func (m *Kernel) groupByName(name string) *groupLine {
	_, groups := m.database()
	for i := range groups {
		if groups[i].name == name {
			return &groups[i]
		}
	}
	return nil
}

func (m *Kernel) groupByID(gid uint32) *groupLine {
	_, groups := m.database()
	for i := range groups {
		if groups[i].gid == gid {
			return &groups[i]
		}
	}
	return nil
}

// groupsOf gives the supplementary groups of a user.
func (m *Kernel) groupsOf(user string) []uint32 {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	return m.groupsOfLocked(user)
}

func (m *Kernel) groupsOfLocked(user string) []uint32 {
	_, groups := m.databaseLocked()
	var out []uint32
	for _, g := range groups {
		for _, u := range g.members {
			if u == user {
				out = append(out, g.gid)
			}
		}
	}
	return out
}

// userName is the name of an id, or the number.
func (m *Kernel) userName(uid uint32) string {
	if u := m.userByID(uid); u != nil {
		return u.name
	}
	return strconv.Itoa(int(uid))
}

func (m *Kernel) groupName(gid uint32) string {
	if g := m.groupByID(gid); g != nil {
		return g.name
	}
	return strconv.Itoa(int(gid))
}

// shadowHash is how a password is kept in this machine's /etc/shadow. It is no real crypt(3) hash: chpasswd and sshd of
// this machine agree on it, which is all that is asked of it.
func shadowHash(password string) string { return "$y$j9T$hosttest$" + hexSum([]byte(password))[:43] }

// checkPassword compares with /etc/shadow.
func (m *Kernel) checkPassword(user, password string) bool {
	b, err := m.FS().ReadFile("/etc/shadow")
	if err != nil || password == "" {
		return false
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		f := strings.Split(line, ":")
		if len(f) > 1 && f[0] == user {
			return f[1] == shadowHash(password)
		}
	}
	return false
}
