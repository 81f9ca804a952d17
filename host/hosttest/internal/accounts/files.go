package accounts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// userFiles edits the four account files together: shadow-utils locks them, writes new ones and renames.
type userFiles struct {
	p      *kernel.Process
	busy   int // the program's exit code when the files cannot be had or written
	users  []libc.User
	groups []libc.Group
	shadow [][]string
	gsh    [][]string
	was    map[string]string
}

func openUserFiles(p *kernel.Process, busy int) (*userFiles, bool) {
	if p.UID != 0 {
		p.Errorf("Permission denied.")
		p.Errorf("cannot lock /etc/passwd; try again later.")
		return nil, false
	}
	for _, name := range []string{"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"} {
		if !unlocked(p, name) {
			p.Errorf("cannot lock %s; try again later.", name)
			return nil, false
		}
	}
	f := &userFiles{p: p, busy: busy, was: map[string]string{}}
	read := func(name string) string {
		b, _ := p.ReadFile(name)
		f.was[name] = string(b)
		return string(b)
	}
	f.users = slices.Clone(libc.ParsePasswd(read("/etc/passwd")))
	f.groups = libc.ParseGroup(read("/etc/group"))
	split := func(s string) [][]string {
		var out [][]string
		for l := range strings.SplitSeq(s, "\n") {
			if l != "" {
				out = append(out, strings.Split(l, ":"))
			}
		}
		return out
	}
	f.shadow, f.gsh = split(read("/etc/shadow")), split(read("/etc/gshadow"))
	return f, true
}

// unlocked reports whether nobody holds the lock of an account file. A lock file of a process that is gone is removed;
// one without a process counts as held (do_lock_file in lib/commonio.c of shadow-utils).
func unlocked(p *kernel.Process, name string) bool {
	b, err := p.ReadFile(name + ".lock")
	if err != nil {
		return true
	}
	held := strings.TrimRight(string(b), "\x00\n")
	if held == "" {
		p.Errorf("existing lock file %s.lock without a PID", name)
		return false
	}
	pid, ok := kernel.ParseUint(held)
	if !ok {
		p.Errorf("existing lock file %s.lock with an invalid PID '%s'", name, held)
		return false
	}
	if _, err := p.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil {
		p.Errorf("lock %s.lock already used by PID %d", name, pid)
		return false
	}
	p.Unlink(name + ".lock")
	return true
}

// save writes what has changed, and returns the exit code.
func (f *userFiles) save() int {
	text := map[string]string{}
	for _, u := range f.users {
		text["/etc/passwd"] += u.Line() + "\n"
	}
	for _, g := range f.groups {
		text["/etc/group"] += g.Line() + "\n"
	}
	for _, s := range f.shadow {
		text["/etc/shadow"] += strings.Join(s, ":") + "\n"
	}
	for _, s := range f.gsh {
		text["/etc/gshadow"] += strings.Join(s, ":") + "\n"
	}
	for _, name := range []string{"/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"} {
		if text[name] == f.was[name] {
			continue
		}
		f.p.WriteFile(name+"-", []byte(f.was[name]), 0o600)
		if err := libc.ReplaceFile(f.p, name, []byte(text[name]), 0o644); err != nil {
			return refuse(f.p, f.busy, "failure while writing changes to %s", name)
		}
	}
	return 0
}

// operand reads the options and the one name that a program of shadow-utils takes.
func operand(p *kernel.Process, short, long, usage string) (*libc.Options, bool) {
	o, ok := libc.Getopt(p, short, long)
	if !ok || len(o.Args) != 1 {
		p.Warnf("Usage: %s %s\n", p.Name(), usage)
		return nil, false
	}
	return o, true
}

// editAccounts is how most programs of shadow-utils begin. When there is no userFiles, the program ends with the code.
func editAccounts(p *kernel.Process, short, long, usage string, busy int) (*userFiles, *libc.Options, int) {
	o, ok := operand(p, short, long, usage)
	if !ok {
		return nil, nil, 2
	}
	f, ok := openUserFiles(p, busy)
	if !ok {
		return nil, nil, busy
	}
	return f, o, 0
}

// refuse says why a program does not go on, and returns its exit code.
func refuse(p *kernel.Process, code int, format string, a ...any) int {
	p.Errorf(format, a...)
	return code
}

func (f *userFiles) user(name string) *libc.User {
	for i := range f.users {
		if f.users[i].Name == name {
			return &f.users[i]
		}
	}
	return nil
}

func (f *userFiles) group(name string) *libc.Group {
	for i := range f.groups {
		if f.groups[i].Name == name {
			return &f.groups[i]
		}
	}
	return nil
}

func (f *userFiles) groupID(gid uint32) *libc.Group {
	for i := range f.groups {
		if f.groups[i].GID == gid {
			return &f.groups[i]
		}
	}
	return nil
}

// groupNamed finds a group by its id or its name.
func (f *userFiles) groupNamed(s string) *libc.Group {
	if n, ok := kernel.ParseUint(s); ok {
		return f.groupID(uint32(n))
	}
	return f.group(s)
}

// groupNames are the groups of a list with commas, by name. It says so when one does not exist.
func (f *userFiles) groupNames(list string) ([]string, bool) {
	if list == "" {
		return nil, true
	}
	names := strings.Split(list, ",")
	for i, s := range names {
		g := f.groupNamed(s)
		if g == nil {
			f.p.Errorf("group '%s' does not exist", s)
			return nil, false
		}
		names[i] = g.Name
	}
	return names, true
}

func (f *userFiles) addGroup(g libc.Group) {
	f.groups = append(f.groups, g)
	f.gsh = append(f.gsh, []string{g.Name, "!", "", ""})
}

// restrict makes a group have no password, in an entry of gshadow that is created if there is none.
func (f *userFiles) restrict(name string) {
	for _, s := range f.gsh {
		if s[0] == name {
			s[1] = "!"
			return
		}
	}
	f.gsh = append(f.gsh, []string{name, "!", "", ""})
}

func (f *userFiles) dropGroup(name string) {
	f.groups = slices.DeleteFunc(f.groups, func(g libc.Group) bool { return g.Name == name })
	f.gsh = slices.DeleteFunc(f.gsh, func(s []string) bool { return s[0] == name })
}

// emptyGroup takes all members out of a group.
func (f *userFiles) emptyGroup(g *libc.Group) {
	for _, m := range slices.Clone(g.Members) {
		f.member(g, m, false)
	}
}

func (f *userFiles) shadowOf(name string) []string {
	for _, s := range f.shadow {
		if s[0] == name {
			return s
		}
	}
	return nil
}

// lockPassword makes a line of /etc/shadow match no password.
func lockPassword(shadow []string) {
	if !strings.HasPrefix(shadow[1], "!") {
		shadow[1] = "!" + shadow[1]
	}
}

// member sets or removes a user in a group, in both files.
func (f *userFiles) member(g *libc.Group, user string, in bool) {
	has := slices.Contains(g.Members, user)
	if has == in {
		return
	}
	edit := func(list []string) []string {
		if in {
			return append(slices.Clone(list), user)
		}
		return slices.DeleteFunc(slices.Clone(list), func(m string) bool { return m == user })
	}
	g.Members = edit(g.Members)
	for _, s := range f.gsh {
		if s[0] == g.Name && len(s) == 4 {
			var list []string
			if s[3] != "" {
				list = strings.Split(s[3], ",")
			}
			if slices.Contains(list, user) != in {
				s[3] = strings.Join(edit(list), ",")
			}
		}
	}
}

// freeID finds an id: system ids are taken from the top, others from the bottom, both after what exists.
func freeID(system bool, used func(uint32) bool) uint32 {
	if system {
		for id := uint32(999); id >= 100; id-- {
			if !used(id) {
				return id
			}
		}
	}
	id := uint32(1000)
	for x := uint32(1000); x < 60000; x++ {
		if used(x) {
			id = x + 1
		}
	}
	return id
}

func (f *userFiles) uidUsed(id uint32) bool {
	return slices.ContainsFunc(f.users, func(u libc.User) bool { return u.UID == id })
}

func (f *userFiles) gidUsed(id uint32) bool { return f.groupID(id) != nil }

// accountName is Debian's rule for names (no --badname).
func accountName(s string) bool {
	if s == "" || len(s) > 32 || s[0] == '-' || s[0] == '+' || s[0] == '~' || strings.ContainsAny(s, " \t\n:,/") {
		return false
	}
	return !libc.IsDigits(s) && s != "." && s != ".."
}

func today(p *kernel.Process) string {
	return strconv.FormatInt(p.Kernel.Now().Unix()/86400, 10)
}
