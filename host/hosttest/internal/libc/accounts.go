package libc

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// An User is a line of /etc/passwd.
type User struct {
	Name, Passwd, Gecos, Home, Shell string
	UID, GID                         uint32
}

// A Group is a line of /etc/group.
type Group struct {
	Name    string
	Passwd  string
	GID     uint32
	Members []string
}

// accountMemo keeps the parsed files until they change.
type accountMemo struct {
	mu            sync.Mutex
	passwd, group []byte
	users         []User
	groups        []Group
}

// RawFile returns a file's data without copying; the tree is locked. It is never written in place by its holder.
func RawFile(t *kernel.Tree, path string) []byte {
	s, err := t.Must(kernel.RootCred, "/", path, true)
	if err != nil {
		return nil
	}
	i := s.At.Inode()
	return i.Data
}

// database parses /etc/passwd and /etc/group. The tree is locked.
func databaseLocked(k *kernel.Kernel) ([]User, []Group) {
	pw, gr := RawFile(k.Tree, "/etc/passwd"), RawFile(k.Tree, "/etc/group")
	a := kernel.Local[accountMemo](k)
	a.mu.Lock()
	defer a.mu.Unlock()
	if !same(a.passwd, pw) || !same(a.group, gr) {
		a.passwd, a.group = bytes.Clone(pw), bytes.Clone(gr)
		a.users, a.groups = ParsePasswd(string(pw)), ParseGroup(string(gr))
	}
	return a.users, a.groups
}

func same(a, b []byte) bool { return bytes.Equal(a, b) }

func Database(k *kernel.Kernel) ([]User, []Group) {
	k.Tree.Lock()
	defer k.Tree.Unlock()
	return databaseLocked(k)
}

func ParsePasswd(s string) []User {
	var out []User
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
		out = append(out, User{f[0], f[1], f[4], f[5], f[6], uint32(uid), uint32(gid)})
	}
	return out
}

func ParseGroup(s string) []Group {
	var out []Group
	for line := range strings.SplitSeq(s, "\n") {
		f := strings.Split(line, ":")
		if len(f) != 4 {
			continue
		}
		gid, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil {
			continue
		}
		g := Group{Name: f[0], Passwd: f[1], GID: uint32(gid)}
		if f[3] != "" {
			g.Members = strings.Split(f[3], ",")
		}
		out = append(out, g)
	}
	return out
}

func (a User) Line() string {
	return a.Name + ":" + a.Passwd + ":" + strconv.Itoa(int(a.UID)) + ":" + strconv.Itoa(int(a.GID)) + ":" + a.Gecos +
		":" + a.Home + ":" + a.Shell
}

func (g Group) Line() string {
	return g.Name + ":" + g.Passwd + ":" + strconv.Itoa(int(g.GID)) + ":" + strings.Join(g.Members, ",")
}

func UserByName(k *kernel.Kernel, name string) *User {
	users, _ := Database(k)
	for i := range users {
		if users[i].Name == name {
			return &users[i]
		}
	}
	return nil
}

func UserByID(k *kernel.Kernel, uid uint32) *User {
	users, _ := Database(k)
	for i := range users {
		if users[i].UID == uid {
			return &users[i]
		}
	}
	return nil
}

func GroupByName(k *kernel.Kernel, name string) *Group {
	_, groups := Database(k)
	for i := range groups {
		if groups[i].Name == name {
			return &groups[i]
		}
	}
	return nil
}

func GroupByID(k *kernel.Kernel, gid uint32) *Group {
	_, groups := Database(k)
	for i := range groups {
		if groups[i].GID == gid {
			return &groups[i]
		}
	}
	return nil
}

// GroupsOf gives the supplementary groups of a user.
func GroupsOf(k *kernel.Kernel, user string) []uint32 {
	k.Tree.Lock()
	defer k.Tree.Unlock()
	return groupsOfLocked(k, user)
}

func groupsOfLocked(k *kernel.Kernel, user string) []uint32 {
	_, groups := databaseLocked(k)
	var out []uint32
	for _, g := range groups {
		for _, u := range g.Members {
			if u == user {
				out = append(out, g.GID)
			}
		}
	}
	return out
}

// UserName is the name of an id, or the number.
func UserName(k *kernel.Kernel, uid uint32) string {
	if u := UserByID(k, uid); u != nil {
		return u.Name
	}
	return strconv.Itoa(int(uid))
}

func GroupName(k *kernel.Kernel, gid uint32) string {
	if g := GroupByID(k, gid); g != nil {
		return g.Name
	}
	return strconv.Itoa(int(gid))
}

// ShadowHash is how a password is kept in this machine's /etc/shadow. It is no real crypt(3) hash: chpasswd and sshd of
// this machine agree on it, which is all that is asked of it.
func ShadowHash(password string) string {
	return "$y$j9T$hosttest$" + fmt.Sprintf("%x", sha256.Sum256([]byte(password)))[:43]
}

// CheckPassword compares with /etc/shadow.
func CheckPassword(k *kernel.Kernel, user, password string) bool {
	b, err := k.FS().ReadFile("/etc/shadow")
	if err != nil || password == "" {
		return false
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		f := strings.Split(line, ":")
		if len(f) > 1 && f[0] == user {
			return f[1] == ShadowHash(password)
		}
	}
	return false
}

// BecomeUser takes on a user's identity.
func BecomeUser(p *kernel.Process, u *User) {
	groups := GroupsOf(p.Kernel, u.Name)
	p.SetUser(u.UID, u.GID, groups)
}
