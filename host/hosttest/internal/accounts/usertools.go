package accounts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/posix"
)

// Programs are the programs of shadow-utils, and who one is.
func Programs() map[string]kernel.Program {
	return map[string]kernel.Program{
		"getent": cmdGetent, "id": cmdID, "whoami": cmdWhoami, "sudo": cmdSudo, "/usr/sbin/visudo": cmdVisudo, "groups": cmdGroups,
		"/usr/sbin/useradd": cmdUseradd, "/usr/sbin/usermod": cmdUsermod, "/usr/sbin/userdel": cmdUserdel, "/usr/sbin/groupadd": cmdGroupadd, "/usr/sbin/groupmod": cmdGroupmod, "/usr/sbin/groupdel": cmdGroupdel,
		"gpasswd": cmdGpasswd, "passwd": cmdPasswd, "/usr/sbin/chpasswd": cmdChpasswd, "chage": cmdChage,
		"/usr/sbin/nologin": func(p *kernel.Process) int { p.Print("This account is currently not available.\n"); return 1 },
	}
}

func cmdWhoami(p *kernel.Process) int {
	u := libc.UserByID(p.Kernel, p.UID)
	if u == nil {
		return refuse(p, 1, "cannot find name for user ID %d", p.UID)
	}
	p.Print(u.Name, "\n")
	return 0
}

func cmdID(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "agGnruzZ", "group>g groups>G name>n real>r user>u zero>z")
	if !ok {
		return libc.Usage(p, 1)
	}
	if libc.Unsupported(p, o, "z", "Z") {
		return 1
	}
	if len(o.Args) > 1 {
		return refuse(p, 1, "hosttest: several users are not supported")
	}
	uid, gid, groups := p.UID, p.GID, p.Groups
	if len(o.Args) > 0 {
		u := libc.UserByName(p.Kernel, o.Args[0])
		if n, ok := kernel.ParseUint(o.Args[0]); u == nil && ok {
			u = libc.UserByID(p.Kernel, uint32(n))
		}
		if u == nil {
			return refuse(p, 1, "%s: no such user", libc.Quote(o.Args[0]))
		}
		uid, gid, groups = u.UID, u.GID, libc.GroupsOf(p.Kernel, u.Name)
	}
	all := []uint32{gid}
	for _, g := range groups {
		if !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	show := func(name func(uint32) string, ids ...uint32) {
		var words []string
		for _, id := range ids {
			if o.Has("n") {
				words = append(words, name(id))
			} else {
				words = append(words, strconv.Itoa(int(id)))
			}
		}
		p.Print(strings.Join(words, " "), "\n")
	}
	switch {
	case o.Has("u"):
		show(func(id uint32) string { return libc.UserName(p.Kernel, id) }, uid)
	case o.Has("g"):
		show(func(id uint32) string { return libc.GroupName(p.Kernel, id) }, gid)
	case o.Has("G"):
		show(func(id uint32) string { return libc.GroupName(p.Kernel, id) }, all...)
	case o.Has("n") || o.Has("r"):
		return refuse(p, 1, "cannot print only names or real IDs in default format")
	default:
		p.Printf("uid=%d(%s) gid=%d(%s) groups=", uid, libc.UserName(p.Kernel, uid), gid, libc.GroupName(p.Kernel, gid))
		for i, g := range all {
			if i > 0 {
				p.Print(",")
			}
			p.Printf("%d(%s)", g, libc.GroupName(p.Kernel, g))
		}
		p.Print("\n")
	}
	return 0
}

func cmdGroups(p *kernel.Process) int {
	who := p.Args[1:]
	show := func(gid uint32, groups []uint32) {
		names := []string{libc.GroupName(p.Kernel, gid)}
		for _, g := range groups {
			if n := libc.GroupName(p.Kernel, g); !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
		p.Print(strings.Join(names, " "), "\n")
	}
	if len(who) == 0 {
		show(p.GID, p.Groups)
		return 0
	}
	code := 0
	for _, w := range who {
		u := libc.UserByName(p.Kernel, w)
		if u == nil {
			p.Errorf("%s: no such user", libc.Quote(w))
			code = 1
			continue
		}
		p.Print(w, " : ")
		show(u.GID, libc.GroupsOf(p.Kernel, w))
	}
	return code
}

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

func cmdGroupadd(p *kernel.Process) int {
	f, o, code := editAccounts(p, "fg:K:op:rR:U:", "force>f gid=>g key=>K non-unique>o password=>p system>r users=>U", "[options] GROUP", 10)
	if f == nil {
		return code
	}
	if libc.Unsupported(p, o, "K", "p", "R") {
		return 1
	}
	name := o.Args[0]
	if !accountName(name) {
		return refuse(p, 3, "'%s' is not a valid group name", name)
	}
	if f.group(name) != nil {
		if o.Has("f") {
			return 0
		}
		return refuse(p, 9, "group '%s' already exists", name)
	}
	g := libc.Group{Name: name, Passwd: "x"}
	if o.Has("g") {
		n, ok := kernel.ParseUint(o.Get("g"))
		if !ok {
			return refuse(p, 3, "invalid group ID '%s'", o.Get("g"))
		}
		g.GID = uint32(n)
		if f.gidUsed(g.GID) && !o.Has("o") {
			if !o.Has("f") {
				return refuse(p, 4, "GID '%d' already exists", n)
			}
			g.GID = freeID(o.Has("r"), f.gidUsed)
		}
	} else {
		g.GID = freeID(o.Has("r"), f.gidUsed)
	}
	f.addGroup(g)
	for u := range strings.SplitSeq(o.Get("U"), ",") {
		if u != "" {
			f.member(f.group(name), u, true)
		}
	}
	return f.save()
}

func cmdGroupmod(p *kernel.Process) int {
	f, o, code := editAccounts(p, "ag:n:op:R:U:", "append>a gid=>g new-name=>n non-unique>o password=>p users=>U", "[options] GROUP", 10)
	if f == nil {
		return code
	}
	if libc.Unsupported(p, o, "p", "R") {
		return 1
	}
	g := f.group(o.Args[0])
	if g == nil {
		return refuse(p, 6, "group '%s' does not exist", o.Args[0])
	}
	old := g.Name
	if o.Has("g") {
		n, ok := kernel.ParseUint(o.Get("g"))
		if !ok {
			return refuse(p, 3, "invalid group ID '%s'", o.Get("g"))
		}
		if x := f.groupID(uint32(n)); x != nil && x != g && !o.Has("o") {
			return refuse(p, 4, "GID '%d' already exists", n)
		}
		for i := range f.users {
			if f.users[i].GID == g.GID {
				f.users[i].GID = uint32(n)
			}
		}
		g.GID = uint32(n)
	}
	if o.Has("n") {
		if f.group(o.Get("n")) != nil {
			return refuse(p, 9, "group '%s' already exists", o.Get("n"))
		}
		g.Name = o.Get("n")
		for _, s := range f.gsh {
			if s[0] == old {
				s[0] = g.Name
			}
		}
	}
	if o.Has("U") {
		list := strings.FieldsFunc(o.Get("U"), func(r rune) bool { return r == ',' })
		if !o.Has("a") {
			f.emptyGroup(g)
		}
		for _, u := range list {
			f.member(g, u, true)
		}
	}
	return f.save()
}

func cmdGroupdel(p *kernel.Process) int {
	f, o, code := editAccounts(p, "fR:", "force>f", "[options] GROUP", 10)
	if f == nil {
		return code
	}
	if libc.Unsupported(p, o, "R") {
		return 1
	}
	g := f.group(o.Args[0])
	if g == nil {
		return refuse(p, 6, "group '%s' does not exist", o.Args[0])
	}
	if i := slices.IndexFunc(f.users, func(u libc.User) bool { return u.GID == g.GID }); i >= 0 && !o.Has("f") {
		return refuse(p, 8, "cannot remove the primary group of user '%s'", f.users[i].Name)
	}
	f.dropGroup(g.Name)
	return f.save()
}

func cmdGpasswd(p *kernel.Process) int {
	f, o, code := editAccounts(p, "a:d:M:A:rR", "add=>a delete=>d members=>M remove-password>r", "[option] GROUP", 1)
	if f == nil {
		return code
	}
	if libc.Unsupported(p, o, "A", "r", "R") {
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

func cmdPasswd(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "adeklSuqi:n:w:x:", "lock>l unlock>u delete>d status>S expire>e quiet>q")
	if !ok {
		p.Warnf("Usage: passwd [options] [LOGIN]\n")
		return 2
	}
	if libc.Unsupported(p, o, "k", "i", "n", "w", "x", "R") {
		return 1
	}
	name := libc.UserName(p.Kernel, p.RUID)
	if len(o.Args) > 0 {
		name = o.Args[0]
	}
	if libc.UserByName(p.Kernel, name) == nil {
		return refuse(p, 1, "user '%s' does not exist", name)
	}
	if p.RUID != 0 {
		p.Warnf("passwd: Permission denied.\n")
		return 1
	}
	f, ok := openUserFiles(p, 1)
	if !ok {
		return 1
	}
	sh := f.shadowOf(name)
	if sh == nil {
		return 1
	}
	switch {
	case o.Has("S"):
		st := "P"
		if strings.HasPrefix(sh[1], "!") || strings.HasPrefix(sh[1], "*") {
			st = "L"
		} else if sh[1] == "" {
			st = "NP"
		}
		days, _ := strconv.ParseInt(sh[2], 10, 64)
		p.Printf("%s %s %s %s %s %s -1\n", name, st, unixDay(days), sh[3], sh[4], sh[5])
		return 0
	case o.Has("l"):
		lockPassword(sh)
		p.Print("passwd: password changed.\n")
	case o.Has("u"):
		if sh[1] == "!" {
			return refuse(p, 3, "unlocking the password would result in a passwordless account.\nYou should set a password with usermod -p to unlock the password of this account.")
		}
		sh[1] = strings.TrimPrefix(sh[1], "!")
		p.Print("passwd: password changed.\n")
	case o.Has("d"):
		sh[1] = ""
		p.Print("passwd: password changed.\n")
	case o.Has("e"):
		sh[2] = "0"
		p.Print("passwd: password expiry information changed.\n")
	default:
		return refuse(p, 1, "hosttest: there is no terminal to ask for a password: use chpasswd")
	}
	return f.save()
}

func unixDay(n int64) string { return libc.Strftime("%Y-%m-%d", libc.TimeUnix(n*86400)) }

func cmdChpasswd(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "c:emR:s:", "crypt-method=>c encrypted>e md5>m sha-rounds=>s")
	if !ok {
		p.Warnf("Usage: chpasswd [options]\n")
		return 2
	}
	f, ok := openUserFiles(p, 1)
	if !ok {
		return 1
	}
	var b []byte
	buf := make([]byte, 4096)
	for {
		n, err := p.Read(0, buf)
		b = append(b, buf[:n]...)
		if err != nil {
			break
		}
	}
	bad, failed := false, false
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		name, pw, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		if !ok {
			p.Errorf("line %d: missing new password", n)
			bad = true
			continue
		}
		sh := f.shadowOf(name)
		if sh == nil && !o.Has("e", "c", "m") {
			// PAM changes each password by itself.
			p.Errorf("(user %s) pam_chauthtok() failed, error:\nAuthentication token manipulation error", name)
			p.Errorf("(line %d, user %s) password not changed", n, name)
			failed = true
			continue
		}
		if sh == nil {
			p.Errorf("line %d: user '%s' does not exist", n, name)
			bad = true
			continue
		}
		if o.Has("e") {
			sh[1] = pw
		} else {
			sh[1] = libc.ShadowHash(pw)
		}
		sh[2] = today(p)
	}
	if bad && o.Has("e", "c", "m") {
		return refuse(p, 1, "error detected, changes ignored")
	}
	return max(f.save(), libc.BoolToInt(bad || failed))
}

func cmdChage(p *kernel.Process) int {
	o, ok := operand(p, "d:E:I:lm:M:W:", "lastday=>d expiredate=>E inactive=>I list>l mindays=>m maxdays=>M warndays=>W", "[options] LOGIN")
	if !ok {
		return 2
	}
	if p.UID != 0 {
		return refuse(p, 1, "Permission denied.")
	}
	f, ok := openUserFiles(p, 1)
	if !ok {
		return 1
	}
	sh := f.shadowOf(o.Args[0])
	if sh == nil {
		return refuse(p, 1, "user '%s' does not exist in /etc/passwd", o.Args[0])
	}
	for opt, i := range map[string]int{"d": 2, "m": 3, "M": 4, "W": 5, "I": 6, "E": 7} {
		if o.Has(opt) {
			sh[i] = o.Get(opt)
			if sh[i] == "-1" {
				sh[i] = ""
			}
		}
	}
	if o.Has("l") {
		p.Printf("Minimum number of days between password change\t\t: %s\nMaximum number of days between password change\t\t: %s\nNumber of days of warning before password expires\t: %s\n", sh[3], sh[4], sh[5])
		return 0
	}
	return f.save()
}
