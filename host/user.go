package host

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// User is an account. Empty fields are left as they are on an existing account. A password that an
// administrator has locked stays locked, with the wanted hash behind the lock.
type User struct {
	Order `yaml:",inline"`

	Name         string        `yaml:"name,required"`
	UID          int           `yaml:"uid"`          // 0 means any; a different one of an existing account is an error: its files have it
	Group        string        `yaml:"group"`        // primary group; empty means NAME for a new account, created if it does not exist
	Groups       []string      `yaml:"groups"`       // supplementary groups that it must be in; others are kept
	Comment      string        `yaml:"comment"`      // the full name (GECOS)
	Home         string        `yaml:"home"`         // empty means /home/NAME for a new account; the files of an existing home are not moved
	Shell        string        `yaml:"shell"`        // empty means /bin/bash for a new account, /usr/sbin/nologin for a new system account
	System       bool          `yaml:"system"`       // a new account gets a UID from the range for system accounts, and no home
	PasswordHash lab.SecretRef `yaml:"passwordHash"` // a reference to the hash, as in crypt(5); empty means unchanged, none for a new account
	Absent       bool          `yaml:"absent"`       // the account must not exist; its files are kept

	// Hash is the password hash if the program holds it; a document refers to it with PasswordHash.
	Hash lab.Secret `yaml:"-"`

	others []User // of the same state
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
		ps = append(ps, lab.Problem{Path: "comment", Text: u.Comment, Message: "contains a colon or a newline"})
	}
	for field, p := range map[string]string{"home": u.Home, "shell": u.Shell} {
		if p != "" {
			checkPath(&ps, field, p)
		}
		if strings.ContainsAny(p, ":\n") { // they separate the fields and the lines of passwd(5)
			ps = append(ps, lab.Problem{Path: field, Text: p, Message: "contains a colon or a newline"})
		}
	}
	if h := u.Hash.Reveal(); strings.ContainsAny(h, ":\n\x00") || h != "" && h[0] != '$' && h[0] != '!' && h[0] != '*' {
		ps = append(ps, lab.Problem{Path: "passwordHash", Message: "is not a hash as in crypt(5)",
			Hint: "create one with: mkpasswd -m yescrypt"})
	}
	if u.Absent && u.Name == "root" {
		ps.Add("absent", "the machine needs root")
	}
	return ps
}

// usersGone and groupsGone are the tokens of accounts and groups that are removed.
const (
	usersGone  = "users-gone"
	groupsGone = "groups-gone"
)

// Bind implements [Binder]: two accounts cannot have the same UID, unless one of them is removed.
func (u User) Bind(w *Whole) Resource {
	for _, r := range w.resources {
		if other, ok := r.(User); ok && other.Name != u.Name {
			u.others = append(u.others, other)
		}
	}
	return u
}

// Relations implements [Related].
func (u User) Relations() Relations { return Relations{Provides: u.provides(), Needs: u.needs()} }

// provides returns the tokens that it provides.
func (u User) provides() []string {
	if u.Absent {
		return []string{usersGone}
	}
	return []string{"user:" + u.Name, "group:" + u.ownGroup()}
}

// needs returns the tokens that it needs.
func (u User) needs() (tokens []string) {
	if u.Absent {
		return []string{"keys:" + u.Name} // they can only be removed while the account exists
	}
	for _, g := range append([]string{u.primary()}, u.Groups...) {
		tokens = append(tokens, "group:"+g)
	}
	if u.UID != 0 {
		tokens = append(tokens, usersGone) // which may have the UID
	}
	return tokens
}

// ownGroup returns the group that useradd creates with the account, "" if it creates none.
func (u User) ownGroup() string {
	if u.Group == "" {
		return u.Name
	}
	return ""
}

// primary returns the name of the primary group of a new account.
func (u User) primary() string { return cmp.Or(u.Group, u.Name) }

// Resolve implements [Resolver].
func (u User) Resolve(read func(string, lab.SecretRef) lab.Secret) Resource {
	if !u.PasswordHash.IsZero() {
		u.Hash = read("passwordHash", u.PasswordHash)
	}
	return u
}

// Secrets returns the password's hash.
func (u User) Secrets() []lab.Secret { return []lab.Secret{u.Hash} }

// Observe implements [Resource].
func (u User) Observe(q *Query) {
	q.User(u.Name)
	if u.UID != 0 {
		q.User(fmt.Sprint(u.UID))
	}
	for _, g := range append([]string{u.primary()}, u.Groups...) {
		q.Group(g)
	}
}

// Plan implements [Resource].
func (u User) Plan(o *Observation) ([]Op, error) {
	have, ok := o.User(u.Name)
	switch {
	case u.Absent && !ok:
		return nil, nil
	case u.Absent:
		return []Op{{Action: lab.Delete, Cause: "exists", Script: shell("account-locks") + "userdel -- " + ssh.Quote(u.Name)}}, nil
	case !ok, have.Comment == cutOff:
		if err := u.clash(o); err != nil {
			return nil, err
		}
		_, groupExists := o.Group(u.Name)
		op := u.create(groupExists || o.Pending("group:"+u.Name))
		if ok {
			home := have.Home
			if u.System {
				home = ""
			}
			op.Action, op.Cause = lab.Replace, "its creation was cut off"
			op.Script = shell("account-undo", "name", u.Name, "home", home) + op.Script
		}
		op.Script = shell("account-locks") + op.Script
		return []Op{op}, nil
	case u.UID != 0 && u.UID != have.UID:
		return nil, &lab.Error{Op: "create user", Hint: "change the UID by hand, with that of its files",
			Err: fmt.Errorf("%w: its UID is %d, not %d", lab.ErrConflict, have.UID, u.UID)}
	}
	if err := u.missingGroup(o); err != nil {
		return nil, err
	}
	flags, causes := u.usermod(o, have)
	var script []string
	if cause, line := u.ownGroupLost(o, have); cause != "" {
		causes, script = append(causes, cause), append(script, line)
	}
	if len(flags) > 0 {
		script = append(script, "usermod "+strings.Join(flags, " ")+" -- "+ssh.Quote(u.Name))
	}
	if want, locked := u.hash(have); !want.IsZero() && !want.Equal(have.PasswordHash) {
		cause := "password differs"
		if locked {
			cause += "; it stays locked, until: usermod -U " + u.Name
		}
		causes = append(causes, cause)
		script = append(script, u.setHash(want))
	} else if have.shadowed && !have.HasShadow {
		causes = append(causes, "it has no entry in /etc/shadow")
		script = append(script, u.setHash(lab.NewSecret("!")))
	}
	if len(script) == 0 {
		return nil, nil
	}
	return []Op{{Action: lab.Update, Cause: strings.Join(causes, "; "),
		Script: shell("account-locks") + strings.Join(script, "\n")}}, nil
}

// cutOff is the comment of an account until it is whole: useradd writes one file after the other, and then the
// home, so that a power cut leaves any part of it.
const cutOff = "not yet whole (lab)"

// ownGroupLost returns the cause and the script line of the change that an account needs whose primary group does not
// exist, as after a power cut within useradd; empty if it does, or if another group is wanted.
func (u User) ownGroupLost(o *Observation, have UserState) (cause, line string) {
	if _, ok := o.groupWith(have.GID); ok || u.Group != "" {
		return "", ""
	}
	cause = fmt.Sprintf("its primary group, %d, does not exist", have.GID)
	if _, ok := o.Group(u.Name); ok || o.Pending("group:"+u.Name) {
		return cause, fmt.Sprintf("usermod -g %[1]s -- %[1]s", ssh.Quote(u.Name))
	}
	return cause, fmt.Sprintf("groupadd -g %d -- %s", have.GID, ssh.Quote(u.Name))
}

// clash returns why the account cannot be created as it is wanted; nil if nothing is known to prevent it.
func (u User) clash(o *Observation) error {
	conflict := func(hint, format string, args ...any) error {
		return &lab.Error{Op: "create user", Hint: hint,
			Err: fmt.Errorf("%w: %s", lab.ErrConflict, fmt.Sprintf(format, args...))}
	}
	for _, other := range u.others {
		if u.UID != 0 && other.UID == u.UID && !other.Absent {
			return conflict("give one of them another UID", "the state gives the UID %d to %s too", u.UID, other.Name)
		}
	}
	if name, ok := o.userWith(u.UID); ok && u.UID != 0 && name != u.Name && !u.leaves(o, name) {
		return conflict("choose another UID, or remove that account",
			"the UID %d belongs to the account %s", u.UID, lab.Printable(name))
	}
	return u.missingGroup(o)
}

// leaves reports whether the account with the name is removed before this one is created.
func (u User) leaves(o *Observation, name string) bool {
	return o.Pending("user:"+name) && slices.ContainsFunc(u.others, func(other User) bool {
		return other.Name == name && other.Absent
	})
}

// missingGroup returns the error of a group that the account is to be in and that does not exist; nil if
// there is none, or if an earlier change, such as a package, may create it.
func (u User) missingGroup(o *Observation) error {
	groups := u.Groups
	if u.Group != "" {
		groups = append([]string{u.Group}, groups...)
	}
	for _, g := range groups {
		if _, ok := o.Group(g); !ok && !o.CanDefer() {
			return &lab.Error{Op: "create user", Hint: "create it with a group resource, or install the package that brings it",
				Err: fmt.Errorf("%w: the group %s", lab.ErrNotFound, g)}
		}
	}
	return nil
}

// create returns the op that creates the account. groupExists reports whether the group of its name
// exists by then.
func (u User) create(groupExists bool) Op {
	words := []string{"useradd"}
	if u.UID != 0 {
		words = append(words, "-u", fmt.Sprint(u.UID))
	}
	login := "/bin/bash"
	if u.System {
		words = append(words, "-r", "-M")
		login = "/usr/sbin/nologin"
	} else {
		words = append(words, "-m")
	}
	words = append(words, "-s", ssh.Quote(cmp.Or(u.Shell, login)))
	if u.Home != "" {
		words = append(words, "-d", ssh.Quote(u.Home))
	}
	if u.Group != "" || groupExists {
		words = append(words, "-g", ssh.Quote(u.primary()))
	} else {
		words = append(words, "-U") // it creates the group, and fails if that exists
	}
	words = append(words, "-c", ssh.Quote(cutOff))
	if len(u.Groups) > 0 {
		words = append(words, "-G", ssh.Quote(strings.Join(u.Groups, ",")))
	}
	script := strings.Join(append(words, "--", ssh.Quote(u.Name)), " ")
	if !u.Hash.IsZero() {
		script += "\n" + u.setHash(u.Hash)
	}
	script += "\n" + shell("account-whole", "name", u.Name, "comment", u.Comment)
	return Op{Action: lab.Create, Cause: "not found", Script: script}
}

// usermod returns the flags of usermod that change the account to what is wanted, and their causes.
func (u User) usermod(o *Observation, have UserState) (flags, causes []string) {
	change := func(cause string, words ...string) {
		flags = append(flags, words...)
		causes = append(causes, cause)
	}
	if g, found := o.Group(u.Group); u.Group != "" && (!found || g.GID != have.GID) {
		change("primary group is not "+u.Group, "-g", ssh.Quote(u.Group))
	}
	var missing []string
	for _, name := range u.Groups {
		if g, found := o.Group(name); !found || !slices.Contains(g.Members, u.Name) && g.GID != have.GID {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		change("is not in "+strings.Join(missing, ", "), "-a", "-G", ssh.Quote(strings.Join(missing, ",")))
	}
	if u.Comment != "" && u.Comment != have.Comment {
		change("comment differs", "-c", ssh.Quote(u.Comment))
	}
	if u.Home != "" && u.Home != have.Home {
		change("home is "+lab.Printable(have.Home), "-d", ssh.Quote(u.Home))
	}
	if u.Shell != "" && u.Shell != have.Shell {
		change("shell is "+lab.Printable(have.Shell), "-s", ssh.Quote(u.Shell))
	}
	return flags, causes
}

// hash returns the wanted password hash. An account whose password somebody has locked, with an
// exclamation mark before the hash (passwd(1), usermod(8)), keeps the lock: only a person knows why it is
// locked. A new account has no hash behind the mark, and is not locked by anybody.
func (u User) hash(have UserState) (want lab.Secret, locked bool) {
	old, wanted := have.PasswordHash.Reveal(), u.Hash.Reveal()
	noPassword := strings.Trim(wanted[:min(1, len(wanted))], "!*") == ""
	if noPassword || !strings.HasPrefix(old, "!") || strings.Trim(old, "!*") == "" {
		return u.Hash, false
	}
	return lab.NewSecret("!" + wanted), true
}

// setHash returns the script line that sets the password hash, over a pipe: an argument would be
// visible to every user of the machine.
func (u User) setHash(hash lab.Secret) string {
	return fmt.Sprintf("printf '%%s:%%s\\n' %s %s | chpasswd -e", ssh.Quote(u.Name), ssh.Quote(hash.Reveal()))
}
