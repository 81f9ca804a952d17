package hosttest

import (
	"bytes"
	"strconv"
	"strings"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
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
func rawFile(t *kernel.Tree, path string) []byte {
	s, err := t.Must(kernel.RootCred, "/", path, true)
	if err != nil {
		return nil
	}
	i := s.At.Inode()
	return i.Data
}

// database parses /etc/passwd and /etc/group. The tree is locked.
func databaseLocked(k *kernel.Kernel) ([]account, []groupLine) {
	pw, gr := rawFile(k.Tree, "/etc/passwd"), rawFile(k.Tree, "/etc/group")
	a := kernel.Local[accountMemo](k)
	a.mu.Lock()
	defer a.mu.Unlock()
	if !same(a.passwd, pw) || !same(a.group, gr) {
		a.passwd, a.group = bytes.Clone(pw), bytes.Clone(gr)
		a.users, a.groups = parsePasswd(string(pw)), parseGroup(string(gr))
	}
	return a.users, a.groups
}

func same(a, b []byte) bool { return bytes.Equal(a, b) }

func database(k *kernel.Kernel) ([]account, []groupLine) {
	k.Tree.Lock()
	defer k.Tree.Unlock()
	return databaseLocked(k)
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

func userByName(k *kernel.Kernel, name string) *account {
	users, _ := database(k)
	for i := range users {
		if users[i].name == name {
			return &users[i]
		}
	}
	return nil
}

func userByID(k *kernel.Kernel, uid uint32) *account {
	users, _ := database(k)
	for i := range users {
		if users[i].uid == uid {
			return &users[i]
		}
	}
	return nil
}

func groupByName(k *kernel.Kernel, name string) *groupLine {
	_, groups := database(k)
	for i := range groups {
		if groups[i].name == name {
			return &groups[i]
		}
	}
	return nil
}

func groupByID(k *kernel.Kernel, gid uint32) *groupLine {
	_, groups := database(k)
	for i := range groups {
		if groups[i].gid == gid {
			return &groups[i]
		}
	}
	return nil
}

// groupsOf gives the supplementary groups of a user.
func groupsOf(k *kernel.Kernel, user string) []uint32 {
	k.Tree.Lock()
	defer k.Tree.Unlock()
	return groupsOfLocked(k, user)
}

func groupsOfLocked(k *kernel.Kernel, user string) []uint32 {
	_, groups := databaseLocked(k)
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
func userName(k *kernel.Kernel, uid uint32) string {
	if u := userByID(k, uid); u != nil {
		return u.name
	}
	return strconv.Itoa(int(uid))
}

func groupName(k *kernel.Kernel, gid uint32) string {
	if g := groupByID(k, gid); g != nil {
		return g.name
	}
	return strconv.Itoa(int(gid))
}

// shadowHash is how a password is kept in this machine's /etc/shadow. It is no real crypt(3) hash: chpasswd and sshd of
// this machine agree on it, which is all that is asked of it.
func shadowHash(password string) string { return "$y$j9T$hosttest$" + hexSum([]byte(password))[:43] }

// checkPassword compares with /etc/shadow.
func checkPassword(k *kernel.Kernel, user, password string) bool {
	b, err := k.FS().ReadFile("/etc/shadow")
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
