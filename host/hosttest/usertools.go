package hosttest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// accountTools are the programs of shadow-utils, and who one is.
func accountTools() map[string]tool {
	const s = "/usr/sbin"
	return map[string]tool{
		"getent": {"", cmdGetent}, "id": {"", cmdID}, "whoami": {"", cmdWhoami}, "groups": {"", cmdGroups},
		"useradd": {s, cmdUseradd}, "usermod": {s, cmdUsermod}, "userdel": {s, cmdUserdel}, "groupadd": {s, cmdGroupadd}, "groupmod": {s, cmdGroupmod}, "groupdel": {s, cmdGroupdel},
		"gpasswd": {"", cmdGpasswd}, "passwd": {"", cmdPasswd}, "chpasswd": {s, cmdChpasswd}, "chage": {"", cmdChage},
		"nologin": {s, func(p *Process) int { p.print("This account is currently not available.\n"); return 1 }},
	}
}

func cmdWhoami(p *Process) int {
	u := p.m.userByID(p.uid)
	if u == nil {
		p.errorf("cannot find name for user ID %d", p.uid)
		return 1
	}
	p.print(u.name, "\n")
	return 0
}

func cmdID(p *Process) int {
	o, ok := p.getopt("agGnruzZ", "group>g groups>G name>n real>r user>u zero>z")
	if !ok {
		return p.usage(1)
	}
	uid, gid, groups := p.uid, p.gid, p.groups
	if len(o.args) > 0 {
		u := p.m.userByName(o.args[0])
		if n, ok := parseUint(o.args[0]); u == nil && ok {
			u = p.m.userByID(uint32(n))
		}
		if u == nil {
			p.errorf("%s: no such user", quote(o.args[0]))
			return 1
		}
		uid, gid, groups = u.uid, u.gid, p.m.groupsOf(u.name)
	}
	all := []uint32{gid}
	for _, g := range groups {
		if !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	num := func(n uint32) string { return strconv.Itoa(int(n)) }
	switch {
	case o.has("u"):
		if o.has("n") {
			p.print(p.m.userName(uid), "\n")
		} else {
			p.print(num(uid), "\n")
		}
	case o.has("g"):
		if o.has("n") {
			p.print(p.m.groupName(gid), "\n")
		} else {
			p.print(num(gid), "\n")
		}
	case o.has("G"):
		for i, g := range all {
			if i > 0 {
				p.print(" ")
			}
			if o.has("n") {
				p.print(p.m.groupName(g))
			} else {
				p.print(num(g))
			}
		}
		p.print("\n")
	case o.has("n") || o.has("r"):
		p.errorf("cannot print only names or real IDs in default format")
		return 1
	default:
		p.printf("uid=%d(%s) gid=%d(%s) groups=", uid, p.m.userName(uid), gid, p.m.groupName(gid))
		for i, g := range all {
			if i > 0 {
				p.print(",")
			}
			p.printf("%d(%s)", g, p.m.groupName(g))
		}
		p.print("\n")
	}
	return 0
}

func cmdGroups(p *Process) int {
	who := p.Args[1:]
	show := func(gid uint32, groups []uint32) {
		names := []string{p.m.groupName(gid)}
		for _, g := range groups {
			if n := p.m.groupName(g); !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
		p.print(strings.Join(names, " "), "\n")
	}
	if len(who) == 0 {
		show(p.gid, p.groups)
		return 0
	}
	code := 0
	for _, w := range who {
		u := p.m.userByName(w)
		if u == nil {
			p.errorf("%s: no such user", quote(w))
			code = 1
			continue
		}
		p.print(w, " : ")
		show(u.gid, p.m.groupsOf(w))
	}
	return code
}

// userFiles edits the four account files together: shadow-utils locks them, writes new ones and renames.
type userFiles struct {
	p      *Process
	users  []account
	groups []groupLine
	shadow [][]string
	gsh    [][]string
	was    map[string]string
}

func (p *Process) openUserFiles() (*userFiles, bool) {
	if p.uid != 0 {
		p.errorf("Permission denied.")
		p.errorf("cannot lock /etc/passwd; try again later.")
		return nil, false
	}
	f := &userFiles{p: p, was: map[string]string{}}
	read := func(name string) string {
		b, _ := p.readFile(name)
		f.was[name] = string(b)
		return string(b)
	}
	f.users = slices.Clone(parsePasswd(read("/etc/passwd")))
	f.groups = parseGroup(read("/etc/group"))
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

func (f *userFiles) save() bool {
	text := map[string]string{}
	for _, u := range f.users {
		text["/etc/passwd"] += u.line() + "\n"
	}
	for _, g := range f.groups {
		text["/etc/group"] += g.line() + "\n"
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
		f.p.writeFile(name+"-", []byte(f.was[name]), 0o600)
		if err := f.p.replaceFile(name, []byte(text[name]), 0o644); err != nil {
			f.p.errorf("failure while writing changes to %s", name)
			return false
		}
	}
	return true
}

func (f *userFiles) user(name string) *account {
	for i := range f.users {
		if f.users[i].name == name {
			return &f.users[i]
		}
	}
	return nil
}

func (f *userFiles) group(name string) *groupLine {
	for i := range f.groups {
		if f.groups[i].name == name {
			return &f.groups[i]
		}
	}
	return nil
}

func (f *userFiles) groupID(gid uint32) *groupLine {
	for i := range f.groups {
		if f.groups[i].gid == gid {
			return &f.groups[i]
		}
	}
	return nil
}

func (f *userFiles) shadowOf(name string) []string {
	for _, s := range f.shadow {
		if s[0] == name {
			return s
		}
	}
	return nil
}

// member sets or removes a user in a group, in both files.
func (f *userFiles) member(g *groupLine, user string, in bool) {
	has := slices.Contains(g.members, user)
	if has == in {
		return
	}
	edit := func(list []string) []string {
		if in {
			return append(slices.Clone(list), user)
		}
		return slices.DeleteFunc(slices.Clone(list), func(m string) bool { return m == user })
	}
	g.members = edit(g.members)
	for _, s := range f.gsh {
		if s[0] == g.name && len(s) == 4 {
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
	return slices.ContainsFunc(f.users, func(u account) bool { return u.uid == id })
}

func (f *userFiles) gidUsed(id uint32) bool { return f.groupID(id) != nil }

// accountName is Debian's rule for names (no --badname).
func accountName(s string) bool {
	if s == "" || len(s) > 32 || s[0] == '-' || s[0] == '+' || s[0] == '~' || strings.ContainsAny(s, " \t\n:,/") {
		return false
	}
	return !isDigits(s) && s != "." && s != ".."
}

func (p *Process) today() string {
	return strconv.FormatInt(p.m.now().Unix()/86400, 10)
}

func cmdUseradd(p *Process) int {
	o, ok := p.getopt("b:c:d:De:f:g:G:k:K:lmMNop:rR:s:u:UZ:", "base-dir=>b comment=>c home-dir=>d home=>d defaults>D expiredate=>e inactive=>f gid=>g groups=>G skel=>k key=>K no-log-init>l create-home>m no-create-home>M no-user-group>N non-unique>o password=>p system>r root=>R shell=>s uid=>u user-group>U badname")
	if !ok || len(o.args) != 1 {
		p.warn("Usage: useradd [options] LOGIN\n       useradd -D\n       useradd -D [options]\n")
		return 2
	}
	f, ok := p.openUserFiles()
	if !ok {
		return 1
	}
	name := o.args[0]
	if !accountName(name) {
		p.errorf("invalid user name '%s': use --badname to ignore", name)
		return 3
	}
	if f.user(name) != nil {
		p.errorf("user '%s' already exists", name)
		return 9
	}
	u := account{name: name, passwd: "x", gecos: o.get("c"), home: "/home/" + name, shell: "/bin/sh"}
	if o.has("b") {
		u.home = o.get("b") + "/" + name
	}
	if o.has("d") {
		u.home = o.get("d")
	}
	if o.has("s") {
		u.shell = o.get("s")
		if u.shell != "" && u.shell[0] != '/' && u.shell[0] != '*' {
			p.errorf("invalid shell '%s'", u.shell)
			return 3
		}
		if st, err := p.stat(u.shell); u.shell != "" && (err != nil || st.IsDir()) {
			p.errorf("Warning: missing or non-executable shell '%s'", u.shell)
		}
	}
	if o.has("u") {
		n, ok := parseUint(o.get("u"))
		if !ok {
			p.errorf("invalid user ID '%s'", o.get("u"))
			return 3
		}
		u.uid = uint32(n)
		if f.uidUsed(u.uid) && !o.has("o") {
			p.errorf("UID %d is not unique", u.uid)
			return 4
		}
	} else {
		u.uid = freeID(o.has("r"), f.uidUsed)
	}
	own := !o.has("g") && !o.has("N")
	if o.has("g") {
		g := f.group(o.get("g"))
		if n, ok := parseUint(o.get("g")); ok {
			g = f.groupID(uint32(n))
		}
		if g == nil {
			p.errorf("group '%s' does not exist", o.get("g"))
			return 6
		}
		u.gid = g.gid
	} else if own {
		if f.group(name) != nil {
			p.errorf("group %s exists - if you want to add this user to that group, use -g.", name)
			return 9
		}
		u.gid = u.uid
		if f.gidUsed(u.gid) {
			u.gid = freeID(o.has("r"), f.gidUsed)
		}
	} else {
		u.gid = 100
	}
	var extra []string
	if o.get("G") != "" {
		extra = strings.Split(o.get("G"), ",")
	}
	for i, g := range extra {
		gr := f.group(g)
		if n, ok := parseUint(g); ok && gr == nil {
			gr = f.groupID(uint32(n))
		}
		if gr == nil {
			p.errorf("group '%s' does not exist", g)
			return 6
		}
		extra[i] = gr.name
	}
	expiry, err := expiryDay(o.get("e"))
	if err != nil {
		p.errorf("invalid date '%s'", o.get("e"))
		return 3
	}
	f.users = append(f.users, u)
	pw := "!"
	if o.has("p") {
		pw = o.get("p")
	}
	limits := []string{"0", "99999", "7"}
	if o.has("r") {
		limits = []string{"", "", ""}
	}
	f.shadow = append(f.shadow, []string{name, pw, p.today(), limits[0], limits[1], limits[2], o.get("f"), expiry, ""})
	if own {
		f.groups = append(f.groups, groupLine{name: name, passwd: "x", gid: u.gid})
		f.gsh = append(f.gsh, []string{name, "!", "", ""})
	}
	for _, g := range extra {
		f.member(f.group(g), name, true)
	}
	if !f.save() {
		return 1
	}
	if !o.has("r") {
		for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
			b, _ := p.readFile(file)
			start := 100000
			for l := range strings.SplitSeq(string(b), "\n") {
				if x := strings.Split(l, ":"); len(x) == 3 {
					a, _ := strconv.Atoi(x[1])
					n, _ := strconv.Atoi(x[2])
					start = max(start, a+n)
				}
			}
			p.replaceFile(file, []byte(string(b)+fmt.Sprintf("%s:%d:65536\n", name, start)), 0o644)
		}
	}
	if o.has("m") && !o.has("M") {
		if _, err := p.stat(u.home); err == nil {
			p.errorf("warning: the home directory %s already exists.\nuseradd: Not copying any file from skel directory into it.", u.home)
			return 0
		}
		if err := p.mkdirOne(u.home, true, nil, false); err != nil {
			p.errorf("cannot create directory %s", u.home)
			return 12
		}
		p.chmod(u.home, 0o755)
		skel := "/etc/skel"
		if o.has("k") {
			skel = o.get("k")
		}
		if names, err := p.readDir(skel); err == nil {
			archive := &options{set: map[string][]string{"a": {""}}}
			for _, n := range names {
				p.copyTree(archive, join(skel, n), join(u.home, n), false)
			}
		}
		p.recurse(u.home, true, func(name string, _ Stat) error { return p.chown(name, int64(u.uid), int64(u.gid), false) })
	}
	return 0
}

func cmdUsermod(p *Process) int {
	o, ok := p.getopt("ab:c:d:e:f:g:G:l:Lmop:rR:s:u:UvV:w:W:Z:", "append>a comment=>c home=>d expiredate=>e inactive=>f gid=>g groups=>G login=>l lock>L move-home>m non-unique>o password=>p remove>r shell=>s uid=>u unlock>U add-subuids=>v add-subgids=>w badname>b")
	if !ok || len(o.args) != 1 {
		p.warn("Usage: usermod [options] LOGIN\n")
		return 2
	}
	if o.has("a") && !o.has("G") || o.has("a") && o.has("r") {
		p.errorf("-a flag is only allowed with the -G flag")
		p.warn("Usage: usermod [options] LOGIN\n")
		return 2
	}
	f, ok := p.openUserFiles()
	if !ok {
		return 1
	}
	u := f.user(o.args[0])
	if s := o.get("s"); s != "" && s[0] != '/' {
		p.errorf("invalid shell '%s'", s)
		return 3
	}
	if u == nil {
		p.errorf("user '%s' does not exist", o.args[0])
		return 6
	}
	if len(o.order) == 0 {
		p.errorf("no options")
		return 2
	}
	oldUID, oldHome := u.uid, u.home
	if o.has("c") {
		u.gecos = o.get("c")
	}
	if o.has("d") {
		u.home = o.get("d")
	}
	if o.has("s") {
		u.shell = o.get("s")
	}
	if o.has("u") {
		n, ok := parseUint(o.get("u"))
		if !ok {
			p.errorf("invalid user ID '%s'", o.get("u"))
			return 3
		}
		if uint32(n) != u.uid && f.uidUsed(uint32(n)) && !o.has("o") {
			p.errorf("UID '%d' already exists", n)
			return 4
		}
		if p.busyUser(u, uint32(n)) {
			return 8
		}
		u.uid = uint32(n)
	}
	if o.has("g") {
		g := f.group(o.get("g"))
		if n, ok := parseUint(o.get("g")); ok {
			g = f.groupID(uint32(n))
		}
		if g == nil {
			p.errorf("group '%s' does not exist", o.get("g"))
			return 6
		}
		u.gid = g.gid
	}
	if o.has("G") {
		var want []string
		if o.get("G") != "" {
			for _, g := range strings.Split(o.get("G"), ",") {
				gr := f.group(g)
				if n, ok := parseUint(g); ok && gr == nil {
					gr = f.groupID(uint32(n))
				}
				if gr == nil {
					p.errorf("group '%s' does not exist", g)
					return 6
				}
				want = append(want, gr.name)
			}
		}
		for i := range f.groups {
			g := &f.groups[i]
			in := slices.Contains(want, g.name)
			switch {
			case o.has("r"):
				if in {
					f.member(g, u.name, false)
				}
			case in:
				f.member(g, u.name, true)
			case !o.has("a"):
				f.member(g, u.name, false)
			}
		}
	}
	sh := f.shadowOf(u.name)
	if sh != nil {
		switch {
		case o.has("p"):
			sh[1] = o.get("p")
			sh[2] = p.today()
		case o.has("L"):
			if !strings.HasPrefix(sh[1], "!") {
				sh[1] = "!" + sh[1]
			}
		case o.has("U"):
			if sh[1] == "!" {
				p.errorf("unlocking the user's password would result in a passwordless account.\nYou should set a password with usermod -p to unlock this user's password.")
			} else {
				sh[1] = strings.TrimPrefix(sh[1], "!")
			}
		}
		if o.has("e") {
			d, err := expiryDay(o.get("e"))
			if err != nil {
				p.errorf("invalid date '%s'", o.get("e"))
				return 3
			}
			sh[7] = d
		}
	}
	if o.has("l") {
		n := o.get("l")
		if f.user(n) != nil {
			p.errorf("user '%s' already exists", n)
			return 9
		}
		for i := range f.groups {
			if slices.Contains(f.groups[i].members, u.name) {
				f.member(&f.groups[i], u.name, false)
				f.member(&f.groups[i], n, true)
			}
		}
		if sh != nil {
			sh[0] = n
		}
		u.name = n
	}
	home, uid, gid := u.home, u.uid, u.gid
	if !f.save() {
		return 1
	}
	if o.has("m") && home != oldHome {
		if err := p.rename(oldHome, home); err != nil {
			p.errorf("cannot rename directory %s to %s", oldHome, home)
			return 12
		}
	}
	if uid != oldUID {
		p.recurse(home, true, func(name string, st Stat) error {
			if st.UID == oldUID {
				return p.chown(name, int64(uid), int64(gid), false)
			}
			return nil
		})
	}
	return 0
}

// busyUser refuses to change a user who runs something.
func (p *Process) busyUser(u *account, newID uint32) bool {
	if newID == u.uid {
		return false
	}
	for _, q := range p.m.processes() {
		q.mu.Lock()
		own := q.ruid == u.uid
		q.mu.Unlock()
		if own {
			p.errorf("user %s is currently used by process %d", u.name, q.PID)
			return true
		}
	}
	return false
}

func cmdUserdel(p *Process) int {
	o, ok := p.getopt("frR:Z", "force>f remove>r")
	if !ok || len(o.args) != 1 {
		p.warn("Usage: userdel [options] LOGIN\n")
		return 2
	}
	f, ok := p.openUserFiles()
	if !ok {
		return 1
	}
	name := o.args[0]
	u := f.user(name)
	if u == nil {
		p.errorf("user '%s' does not exist", name)
		return 6
	}
	if !o.has("f") && p.busyUser(u, u.uid+1) {
		return 8
	}
	home, gid := u.home, u.gid
	f.users = slices.DeleteFunc(f.users, func(x account) bool { return x.name == name })
	f.shadow = slices.DeleteFunc(f.shadow, func(s []string) bool { return s[0] == name })
	for i := range f.groups {
		f.member(&f.groups[i], name, false)
	}
	if g := f.group(name); g != nil && g.gid == gid {
		if slices.ContainsFunc(f.users, func(x account) bool { return x.gid == gid }) || len(g.members) > 0 {
			p.errorf("group %s not removed because it is not the primary group of user %s.", name, name)
		} else {
			f.groups = slices.DeleteFunc(f.groups, func(x groupLine) bool { return x.name == name })
			f.gsh = slices.DeleteFunc(f.gsh, func(s []string) bool { return s[0] == name })
		}
	}
	if !f.save() {
		return 1
	}
	if o.has("r") {
		p.errorf("%s mail spool (/var/mail/%s) not found", name, name)
		if _, err := p.stat(home); err != nil {
			p.errorf("%s home directory (%s) not found", name, home)
			return 0
		}
		if !p.removeTree(home, &options{set: map[string][]string{"r": {""}, "f": {""}}}) {
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
	t, err := time.Parse("2006-01-02", s)
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(t.Unix()/86400, 10), nil
}

func cmdGroupadd(p *Process) int {
	o, ok := p.getopt("fg:K:op:rR:U:", "force>f gid=>g key=>K non-unique>o password=>p system>r users=>U")
	if !ok || len(o.args) != 1 {
		p.warn("Usage: groupadd [options] GROUP\n")
		return 2
	}
	f, ok := p.openUserFiles()
	if !ok {
		return 10
	}
	name := o.args[0]
	if !accountName(name) {
		p.errorf("'%s' is not a valid group name", name)
		return 3
	}
	if f.group(name) != nil {
		if o.has("f") {
			return 0
		}
		p.errorf("group '%s' already exists", name)
		return 9
	}
	g := groupLine{name: name, passwd: "x"}
	if o.has("g") {
		n, ok := parseUint(o.get("g"))
		if !ok {
			p.errorf("invalid group ID '%s'", o.get("g"))
			return 3
		}
		g.gid = uint32(n)
		if f.gidUsed(g.gid) && !o.has("o") {
			if !o.has("f") {
				p.errorf("GID '%d' already exists", n)
				return 4
			}
			g.gid = freeID(o.has("r"), f.gidUsed)
		}
	} else {
		g.gid = freeID(o.has("r"), f.gidUsed)
	}
	f.groups = append(f.groups, g)
	f.gsh = append(f.gsh, []string{name, "!", "", ""})
	for u := range strings.SplitSeq(o.get("U"), ",") {
		if u != "" {
			f.member(f.group(name), u, true)
		}
	}
	if !f.save() {
		return 10
	}
	return 0
}

func cmdGroupmod(p *Process) int {
	o, ok := p.getopt("ag:n:op:R:U:", "append>a gid=>g new-name=>n non-unique>o password=>p users=>U")
	if !ok || len(o.args) != 1 {
		p.warn("Usage: groupmod [options] GROUP\n")
		return 2
	}
	f, ok := p.openUserFiles()
	if !ok {
		return 10
	}
	g := f.group(o.args[0])
	if g == nil {
		p.errorf("group '%s' does not exist", o.args[0])
		return 6
	}
	old := g.name
	if o.has("g") {
		n, ok := parseUint(o.get("g"))
		if !ok {
			p.errorf("invalid group ID '%s'", o.get("g"))
			return 3
		}
		if x := f.groupID(uint32(n)); x != nil && x != g && !o.has("o") {
			p.errorf("GID '%d' already exists", n)
			return 4
		}
		for i := range f.users {
			if f.users[i].gid == g.gid {
				f.users[i].gid = uint32(n)
			}
		}
		g.gid = uint32(n)
	}
	if o.has("n") {
		if f.group(o.get("n")) != nil {
			p.errorf("group '%s' already exists", o.get("n"))
			return 9
		}
		g.name = o.get("n")
		for _, s := range f.gsh {
			if s[0] == old {
				s[0] = g.name
			}
		}
	}
	if o.has("U") {
		list := strings.FieldsFunc(o.get("U"), func(r rune) bool { return r == ',' })
		if !o.has("a") {
			for _, m := range slices.Clone(g.members) {
				f.member(g, m, false)
			}
		}
		for _, u := range list {
			f.member(g, u, true)
		}
	}
	if !f.save() {
		return 10
	}
	return 0
}

func cmdGroupdel(p *Process) int {
	o, ok := p.getopt("fR:", "force>f")
	if !ok || len(o.args) != 1 {
		p.warn("Usage: groupdel [options] GROUP\n")
		return 2
	}
	f, ok := p.openUserFiles()
	if !ok {
		return 10
	}
	g := f.group(o.args[0])
	if g == nil {
		p.errorf("group '%s' does not exist", o.args[0])
		return 6
	}
	if i := slices.IndexFunc(f.users, func(u account) bool { return u.gid == g.gid }); i >= 0 && !o.has("f") {
		p.errorf("cannot remove the primary group of user '%s'", f.users[i].name)
		return 8
	}
	name := g.name
	f.groups = slices.DeleteFunc(f.groups, func(x groupLine) bool { return x.name == name })
	f.gsh = slices.DeleteFunc(f.gsh, func(s []string) bool { return s[0] == name })
	if !f.save() {
		return 10
	}
	return 0
}

func cmdGpasswd(p *Process) int {
	o, ok := p.getopt("a:d:M:A:rR", "add=>a delete=>d members=>M remove-password>r")
	if !ok || len(o.args) != 1 {
		p.warn("Usage: gpasswd [option] GROUP\n")
		return 2
	}
	f, ok := p.openUserFiles()
	if !ok {
		return 1
	}
	g := f.group(o.args[0])
	if g == nil {
		p.errorf("group '%s' does not exist in /etc/group", o.args[0])
		return 3
	}
	user := o.get("a", "d")
	if (o.has("a") || o.has("d")) && o.has("a") && f.user(user) == nil {
		p.errorf("user '%s' does not exist", user)
		return 3
	}
	switch {
	case o.has("a"):
		p.printf("Adding user %s to group %s\n", user, g.name)
		f.member(g, user, true)
	case o.has("d"):
		p.printf("Removing user %s from group %s\n", user, g.name)
		if !slices.Contains(g.members, user) {
			p.errorf("user '%s' is not a member of '%s'", user, g.name)
			return 3
		}
		f.member(g, user, false)
	case o.has("M"):
		for _, m := range slices.Clone(g.members) {
			f.member(g, m, false)
		}
		for m := range strings.FieldsFuncSeq(o.get("M"), func(r rune) bool { return r == ',' }) {
			if f.user(m) == nil {
				p.errorf("user '%s' does not exist", m)
				return 3
			}
			f.member(g, m, true)
		}
	}
	if !f.save() {
		return 1
	}
	return 0
}

func cmdPasswd(p *Process) int {
	o, ok := p.getopt("adeklSuqi:n:w:x:", "lock>l unlock>u delete>d status>S expire>e quiet>q")
	if !ok {
		p.warn("Usage: passwd [options] [LOGIN]\n")
		return 2
	}
	name := p.m.userName(p.ruid)
	if len(o.args) > 0 {
		name = o.args[0]
	}
	if p.m.userByName(name) == nil {
		p.errorf("user '%s' does not exist", name)
		return 1
	}
	if p.ruid != 0 {
		p.warn("passwd: Permission denied.\n")
		return 1
	}
	f, ok := p.openUserFiles()
	if !ok {
		return 1
	}
	sh := f.shadowOf(name)
	if sh == nil {
		return 1
	}
	switch {
	case o.has("S"):
		st := "P"
		if strings.HasPrefix(sh[1], "!") || strings.HasPrefix(sh[1], "*") {
			st = "L"
		} else if sh[1] == "" {
			st = "NP"
		}
		days, _ := strconv.ParseInt(sh[2], 10, 64)
		p.printf("%s %s %s %s %s %s -1\n", name, st, unixDay(days), sh[3], sh[4], sh[5])
		return 0
	case o.has("l"):
		if !strings.HasPrefix(sh[1], "!") {
			sh[1] = "!" + sh[1]
		}
		p.print("passwd: password changed.\n")
	case o.has("u"):
		if sh[1] == "!" {
			p.errorf("unlocking the password would result in a passwordless account.\nYou should set a password with usermod -p to unlock the password of this account.")
			return 3
		}
		sh[1] = strings.TrimPrefix(sh[1], "!")
		p.print("passwd: password changed.\n")
	case o.has("d"):
		sh[1] = ""
		p.print("passwd: password changed.\n")
	case o.has("e"):
		sh[2] = "0"
		p.print("passwd: password expiry information changed.\n")
	default:
		p.errorf("hosttest: there is no terminal to ask for a password: use chpasswd")
		return 1
	}
	if !f.save() {
		return 1
	}
	return 0
}

func unixDay(n int64) string { return strftime("%Y-%m-%d", timeUnix(n*86400)) }

func cmdChpasswd(p *Process) int {
	o, ok := p.getopt("c:emR:s:", "crypt-method=>c encrypted>e md5>m sha-rounds=>s")
	if !ok {
		p.warn("Usage: chpasswd [options]\n")
		return 2
	}
	f, ok := p.openUserFiles()
	if !ok {
		return 1
	}
	var b []byte
	buf := make([]byte, 4096)
	for {
		n, err := p.read(0, buf)
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
			p.errorf("line %d: missing new password", n)
			bad = true
			continue
		}
		sh := f.shadowOf(name)
		if sh == nil && !o.has("e", "c", "m") {
			// PAM changes each password by itself.
			p.errorf("(user %s) pam_chauthtok() failed, error:\nAuthentication token manipulation error", name)
			p.errorf("(line %d, user %s) password not changed", n, name)
			failed = true
			continue
		}
		if sh == nil {
			p.errorf("line %d: user '%s' does not exist", n, name)
			bad = true
			continue
		}
		if o.has("e") {
			sh[1] = pw
		} else {
			sh[1] = shadowHash(pw)
		}
		sh[2] = p.today()
	}
	if bad && o.has("e", "c", "m") {
		p.errorf("error detected, changes ignored")
		return 1
	}
	if !f.save() || bad || failed {
		return 1
	}
	return 0
}

func cmdChage(p *Process) int {
	o, ok := p.getopt("d:E:I:lm:M:W:", "lastday=>d expiredate=>E inactive=>I list>l mindays=>m maxdays=>M warndays=>W")
	if !ok || len(o.args) != 1 {
		p.warn("Usage: chage [options] LOGIN\n")
		return 2
	}
	if p.uid != 0 {
		p.errorf("Permission denied.")
		return 1
	}
	f, ok := p.openUserFiles()
	if !ok {
		return 1
	}
	sh := f.shadowOf(o.args[0])
	if sh == nil {
		p.errorf("user '%s' does not exist in /etc/passwd", o.args[0])
		return 1
	}
	for opt, i := range map[string]int{"d": 2, "m": 3, "M": 4, "W": 5, "I": 6, "E": 7} {
		if o.has(opt) {
			sh[i] = o.get(opt)
			if sh[i] == "-1" {
				sh[i] = ""
			}
		}
	}
	if o.has("l") {
		p.printf("Minimum number of days between password change\t\t: %s\nMaximum number of days between password change\t\t: %s\nNumber of days of warning before password expires\t: %s\n", sh[3], sh[4], sh[5])
		return 0
	}
	if !f.save() {
		return 1
	}
	return 0
}
