package host

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Group is a group of accounts.
type Group struct {
	Order `yaml:",inline"`

	Name   string `yaml:"name,required"`
	GID    int    `yaml:"gid"`    // 0 means whichever is free; a group of another number is an error, since files have the number
	System bool   `yaml:"system"` // a new group's number is one of those for the system's own groups
	Absent bool   `yaml:"absent"`
}

// ID returns "group:NAME".
func (g Group) ID() string { return "group:" + g.Name }

// Validate implements [Resource].
func (g Group) Validate() (ps lab.Problems) {
	checkName(&ps, "name", g.Name)
	if g.GID < 0 || g.GID > 1<<31 {
		ps.Add("gid", "is not between 0 and 2^31")
	}
	if g.Absent && g.Name == "root" {
		ps.Add("absent", "the machine needs the group root")
	}
	return ps
}

func (g Group) provides() []string {
	if g.Absent {
		return nil
	}
	return []string{"group:" + g.Name}
}

func (g Group) needs() []string {
	if g.Absent {
		return []string{usersGone} // it cannot go while it is the group of one
	}
	return nil
}

// Observe implements [Resource].
func (g Group) Observe(q *Query) { q.Group(g.Name) }

// Plan implements [Resource].
func (g Group) Plan(o *Observation) ([]Op, error) {
	have, ok := o.Group(g.Name)
	switch {
	case g.Absent && !ok:
		return nil, nil
	case g.Absent:
		return []Op{{Action: lab.Delete, Cause: "is there", Script: "groupdel -- " + ssh.Quote(g.Name)}}, nil
	case !ok:
		var words []string
		if g.System {
			words = append(words, "-r")
		}
		if g.GID != 0 {
			words = append(words, "-g", fmt.Sprint(g.GID))
		}
		return []Op{{Action: lab.Create, Cause: "not found", Script: strings.Join(append(append([]string{"groupadd"}, words...), "--", ssh.Quote(g.Name)), " ")}}, nil
	case g.GID != 0 && g.GID != have.GID:
		return nil, &lab.Error{Op: "make group", Hint: "change the number by hand, with the files that have it", Err: fmt.Errorf("%w: its number is %d, not %d", lab.ErrConflict, have.GID, g.GID)}
	}
	return nil, nil
}

// User is an account. Fields that are empty are left as they are on an account that exists.
type User struct {
	Order `yaml:",inline"`

	Name         string        `yaml:"name,required"`
	UID          int           `yaml:"uid"`          // 0 means whichever is free; an account of another number is an error, since files have the number
	Group        string        `yaml:"group"`        // primary group; empty means the one of the same name for a new account, made with it unless it is there
	Groups       []string      `yaml:"groups"`       // supplementary groups that it must be in; others that it is in are left
	Comment      string        `yaml:"comment"`      // the full name (GECOS)
	Home         string        `yaml:"home"`         // empty means /home/NAME for a new account; the home of an account that exists is not moved
	Shell        string        `yaml:"shell"`        // empty means /bin/bash for a new account, /usr/sbin/nologin for a system account
	System       bool          `yaml:"system"`       // a new account's number is one of those for the system's own, and it gets no home
	PasswordHash lab.SecretRef `yaml:"passwordHash"` // a reference to the hash as crypt(5) writes it; empty leaves the password alone, which for a new account is none
	Absent       bool          `yaml:"absent"`       // the account must not be there; its files stay

	// Hash is the password's hash when the program holds it; a document names it with PasswordHash.
	Hash lab.Secret `yaml:"-"`
}

// ID returns "user:NAME".
func (u User) ID() string { return "user:" + u.Name }

// Validate implements [Resource].
func (u User) Validate() (ps lab.Problems) {
	checkName(&ps, "name", u.Name)
	if u.UID < 0 || u.UID > 1<<31 {
		ps.Add("uid", "is not between 0 and 2^31")
	}
	if u.Group != "" {
		checkName(&ps, "group", u.Group)
	}
	for i, g := range u.Groups {
		checkName(&ps, fmt.Sprintf("groups[%d]", i), g)
	}
	if strings.ContainsAny(u.Comment, ":\n\x00") {
		ps = append(ps, lab.Problem{Path: "comment", Text: u.Comment, Message: "holds a colon or a newline"})
	}
	if u.Home != "" {
		checkPath(&ps, "home", u.Home)
	}
	if u.Shell != "" {
		checkPath(&ps, "shell", u.Shell)
	}
	if h := u.Hash.Reveal(); strings.ContainsAny(h, ":\n\x00") || h != "" && h[0] != '$' && h[0] != '!' && h[0] != '*' {
		ps = append(ps, lab.Problem{Path: "passwordHash", Message: "is not a hash as crypt(5) writes it", Hint: "make one: mkpasswd -m yescrypt"})
	}
	if u.Absent && u.Name == "root" {
		ps.Add("absent", "the machine needs root")
	}
	return ps
}

// usersGone is the token of accounts that go.
const usersGone = "users-gone"

func (u User) provides() []string {
	if u.Absent {
		return []string{usersGone}
	}
	return []string{"user:" + u.Name, "group:" + u.ownGroup()}
}

// ownGroup returns the group that useradd makes with the account, or a name that no group has.
func (u User) ownGroup() string {
	if u.Group == "" {
		return u.Name
	}
	return ""
}

// primary returns the name of the group that is the primary one of a new account.
func (u User) primary() string {
	if u.Group == "" {
		return u.Name
	}
	return u.Group
}

func (u User) needs() (tokens []string) {
	if u.Absent {
		return []string{"keys:" + u.Name} // they go as long as there is an account
	}
	for _, g := range append([]string{u.primary()}, u.Groups...) {
		tokens = append(tokens, "group:"+g)
	}
	return tokens
}

// Secrets returns the password's hash.
func (u User) Secrets() []lab.Secret { return []lab.Secret{u.Hash} }

// Observe implements [Resource].
func (u User) Observe(q *Query) {
	q.User(u.Name)
	for _, g := range append([]string{u.primary()}, u.Groups...) {
		q.Group(g)
	}
}

// Plan implements [Resource].
func (u User) Plan(o *Observation) ([]Op, error) {
	have, ok := o.User(u.Name)
	if u.Absent {
		if !ok {
			return nil, nil
		}
		return []Op{{Action: lab.Delete, Cause: "is there", Script: "userdel -- " + ssh.Quote(u.Name)}}, nil
	}
	if ok && u.UID != 0 && u.UID != have.UID {
		return nil, &lab.Error{Op: "make user", Hint: "change the number by hand, with the files that have it", Err: fmt.Errorf("%w: its number is %d, not %d", lab.ErrConflict, have.UID, u.UID)}
	}
	var words, causes []string
	flag := func(cause string, w ...string) {
		words = append(words, w...)
		causes = append(causes, cause)
	}
	if !ok {
		words = append(words, "useradd")
		if u.UID != 0 {
			words = append(words, "-u", fmt.Sprint(u.UID))
		}
		home, shell := u.Home, u.Shell
		if u.System {
			words = append(words, "-r", "-M")
			if shell == "" {
				shell = "/usr/sbin/nologin"
			}
		} else {
			words = append(words, "-m")
			if shell == "" {
				shell = "/bin/bash"
			}
		}
		words = append(words, "-s", ssh.Quote(shell))
		if home != "" {
			words = append(words, "-d", ssh.Quote(home))
		}
		if u.Group != "" {
			words = append(words, "-g", ssh.Quote(u.Group))
		} else if _, there := o.Group(u.Name); there || o.pending["group:"+u.Name] {
			words = append(words, "-g", ssh.Quote(u.Name)) // useradd makes none that is there
		} else {
			words = append(words, "-U")
		}
		if u.Comment != "" {
			words = append(words, "-c", ssh.Quote(u.Comment))
		}
		if len(u.Groups) > 0 {
			words = append(words, "-G", ssh.Quote(strings.Join(u.Groups, ",")))
		}
		script := strings.Join(append(words, "--", ssh.Quote(u.Name)), " ")
		if !u.Hash.IsZero() {
			script += "\n" + u.setHash()
		}
		return []Op{{Action: lab.Create, Cause: "not found", Script: script}}, nil
	}
	if g, found := o.Group(u.Group); u.Group != "" && (!found || g.GID != have.GID) {
		flag("primary group is not "+u.Group, "-g", ssh.Quote(u.Group))
	}
	var missing []string
	for _, name := range u.Groups {
		if g, found := o.Group(name); !found || !slices.Contains(g.Members, u.Name) && g.GID != have.GID {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		flag("is not in "+strings.Join(missing, ", "), "-a", "-G", ssh.Quote(strings.Join(missing, ",")))
	}
	if u.Comment != "" && u.Comment != have.Comment {
		flag("comment differs", "-c", ssh.Quote(u.Comment))
	}
	if u.Home != "" && u.Home != have.Home {
		flag("home is "+lab.Printable(have.Home), "-d", ssh.Quote(u.Home))
	}
	if u.Shell != "" && u.Shell != have.Shell {
		flag("shell is "+lab.Printable(have.Shell), "-s", ssh.Quote(u.Shell))
	}
	var script []string
	if len(words) > 0 {
		script = append(script, strings.Join(append(append([]string{"usermod"}, words...), "--", ssh.Quote(u.Name)), " "))
	}
	if !u.Hash.IsZero() && !u.Hash.Equal(have.PasswordHash) {
		causes = append(causes, "password differs")
		script = append(script, u.setHash())
	}
	if len(script) == 0 {
		return nil, nil
	}
	return []Op{{Action: lab.Update, Cause: strings.Join(causes, "; "), Script: strings.Join(script, "\n")}}, nil
}

// setHash sets the password's hash over a pipe: an argument would be seen by everybody on the machine.
func (u User) setHash() string {
	return fmt.Sprintf("printf '%%s:%%s\\n' %s %s | chpasswd -e", ssh.Quote(u.Name), ssh.Quote(u.Hash.Reveal()))
}

// AuthorizedKey is a public key that may log in to an account, a line of its ~/.ssh/authorized_keys (sshd(8)).
type AuthorizedKey struct {
	Order `yaml:",inline"`

	User   string `yaml:"user,required"`
	Key    string `yaml:"key,required"` // a line of authorized_keys: options where there are any, type, key, comment
	Absent bool   `yaml:"absent"`       // the key must not be there, whatever its options and comment

	home string // of the account, when the same plan makes it; empty means /home/USER
}

// ID returns "authorizedkey:USER:KEY", the key without options and comment.
func (k AuthorizedKey) ID() string { return "authorizedkey:" + k.User + ":" + keyBody(k.Key) }

// keyBody returns the base64 of the key in a line of authorized_keys, "" when there is none: the first word after a type. Options come before the
// type, and what is quoted in them may hold anything, a command such as "ssh-wrapper x" too.
func keyBody(line string) string {
	var f []string
	var word strings.Builder
	quoted := false
	for i, c := range []byte(line + " ") {
		switch {
		case c == '"' && (i == 0 || line[i-1] != '\\'):
			quoted = !quoted
			word.WriteByte(c)
		case (c == ' ' || c == '\t' || c == '\n' || c == '\r') && !quoted:
			if word.Len() > 0 {
				f = append(f, word.String())
			}
			word.Reset()
		default:
			word.WriteByte(c)
		}
	}
	for i := range len(f) - 1 {
		if strings.HasPrefix(f[i], "ssh-") || strings.HasPrefix(f[i], "ecdsa-") || strings.HasPrefix(f[i], "sk-") {
			return f[i+1]
		}
	}
	return ""
}

// Validate implements [Resource].
func (k AuthorizedKey) Validate() (ps lab.Problems) {
	checkName(&ps, "user", k.User)
	if keyBody(k.Key) == "" || strings.ContainsAny(k.Key, "\n\x00") {
		ps = append(ps, lab.Problem{Path: "key", Text: k.Key, Message: "is not one line of authorized_keys", Hint: `"ssh-ed25519 AAAA... comment"`})
	}
	return ps
}

func (k AuthorizedKey) needs() []string { return []string{"user:" + k.User, "keys:" + k.User} }

func (k AuthorizedKey) provides() []string { return []string{"keys:" + k.User} }

func (k AuthorizedKey) probe() string { return "authorizedkeys:" + k.User }

// exitKeysAhead is the exit status of the probe when the account is not there and its home to be may hold keys already: from the skeleton of
// new homes (useradd(8)), or left there by an account of that name.
const exitKeysAhead = 3

// Observe implements [Resource].
func (k AuthorizedKey) Observe(q *Query) {
	q.User(k.User)
	q.Probe(k.probe(), fmt.Sprintf(`h=$(getent passwd -- %[1]s | cut -d: -f6)
if [ -n "$h" ]; then
  if [ -f "$h/.ssh/authorized_keys" ]; then head -c %[2]d -- "$h/.ssh/authorized_keys"; fi
elif [ -e /etc/skel/.ssh ] || [ -e %[4]s ] || grep -q -s -e '^HOME=' -e '^SKEL=' /etc/default/useradd; then exit %[3]d; fi`, ssh.Quote(k.User), maxContent, exitKeysAhead, ssh.Quote(k.homeToBe())))
}

// homeToBe is where the home of an account will be that the same plan makes.
func (k AuthorizedKey) homeToBe() string {
	if k.home == "" {
		return "/home/" + k.User
	}
	return k.home
}

// mayHoldKeys reports whether the home of an account that this plan makes may hold keys when it is made: those that are there, or that come with
// a file system that the plan mounts first.
func (k AuthorizedKey) mayHoldKeys(o *Observation) bool {
	for dir := k.homeToBe(); dir != "/"; dir = path.Dir(dir) {
		if o.pending["mount:"+dir] || o.pending["archive:"+dir] {
			return true
		}
	}
	return o.Probe(k.probe()).Exit == exitKeysAhead
}

// inHomes returns the resources with each authorized key knowing the home that a user resource makes for its account.
func inHomes(flat []Resource) []Resource {
	homes := map[string]string{}
	for _, r := range flat {
		if u, ok := r.(User); ok && !u.Absent {
			homes[u.Name] = u.Home
		}
	}
	out := slices.Clone(flat)
	for i, r := range out {
		if k, ok := r.(AuthorizedKey); ok {
			k.home = homes[k.User]
			out[i] = k
		}
	}
	return out
}

// Plan implements [Resource].
func (k AuthorizedKey) Plan(o *Observation) ([]Op, error) {
	u, ok := o.User(k.User)
	file := strings.TrimSuffix(u.Home, "/") + "/.ssh/authorized_keys"
	switch {
	case !ok && k.Absent:
		return nil, nil
	case !ok && !o.late && o.pending["user:"+k.User]:
		if k.mayHoldKeys(o) {
			return []Op{{Action: lab.Create, Cause: "not found; the account is not there yet", Diff: "+" + k.Key + "\n", Deferred: true}}, nil
		}
		file = "~" + k.User + "/.ssh/authorized_keys"
	case ok && !o.late && k.home != "" && k.home != u.Home && o.pending["user:"+k.User]:
		return []Op{{Action: lab.Update, Cause: "the home of the account changes first", Deferred: true}}, nil
	case !ok:
		return nil, &lab.Error{Op: "authorize key", Hint: "make the account with a user resource", Err: fmt.Errorf("%w: the account %s", lab.ErrNotFound, k.User)}
	}
	old := o.Probe(k.probe()).Output
	if o.projected[file] {
		old, _ = o.Content(file)
	}
	lines := splitKeep(string(old))
	ours := func(l string) bool {
		return !strings.HasPrefix(strings.TrimSpace(l), "#") && keyBody(l) == keyBody(k.Key)
	}
	var want []string
	op := Op{Action: lab.Create, Cause: "not found"}
	at := slices.IndexFunc(lines, ours)
	more := at >= 0 && slices.ContainsFunc(lines[at+1:], ours) // another line of the key, whose options would count where those of the first refuse
	switch {
	case k.Absent && at < 0, at >= 0 && !more && !k.Absent && strings.TrimSuffix(lines[at], "\n") == k.Key:
		return nil, nil
	case k.Absent:
		op.Action, op.Cause = lab.Delete, "is there"
		want = slices.DeleteFunc(slices.Clone(lines), ours)
	case at >= 0:
		op.Action, op.Cause = lab.Update, "options or comment differ"
		if more {
			op.Cause = "is there more than once"
		}
		want = append(slices.Clone(lines[:at]), k.Key+"\n")
		want = append(want, slices.DeleteFunc(slices.Clone(lines[at+1:]), ours)...)
	default:
		want = insert(lines, len(lines), k.Key+"\n")
	}
	content := []byte(strings.Join(want, ""))
	op.Diff = lab.Diff(file, old, content)
	before := "absent"
	if len(old) > 0 {
		before = hexSum(old)
	}
	p := &Payload{Temp: tempFor("/run/" + k.ID()), Size: int64(len(content)), Content: content}
	op.Payload = p
	// The folder is the account's own: root writing there could be led elsewhere by a link, so the account writes itself.
	op.Script = fmt.Sprintf("h=$(getent passwd -- %[1]s | cut -d: -f6)\nr=0; runuser -u %[1]s -- sh -c %[2]s lab \"$h\" %[3]s <%[4]s || r=$?\nrm -f -- %[4]s; exit $r", ssh.Quote(k.User), ssh.Quote(authorizeScript), before, ssh.Quote(p.Temp))
	o.project(file, content, Stat{Type: RegularFile, Mode: 0o600})
	return []Op{op}, nil
}

// authorizeScript writes its standard input to .ssh/authorized_keys in the home $1, if that is still the one whose hash is $2.
const authorizeScript = `set -e; umask 077; cd -- "$1"; mkdir -p .ssh; f=.ssh/authorized_keys; h=absent
if [ -s "$f" ]; then h=$(sha256sum <"$f"); h=${h%  -}; fi
[ "$h" = "$2" ] || { echo "the file changed since it was planned: plan again" >&2; exit 1; }
cat >"$f.lab-tmp"; sync -- "$f.lab-tmp"; mv -fT -- "$f.lab-tmp" "$f"; sync .ssh`
