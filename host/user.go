package host

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

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

// Provides implements [Provider].
func (u User) Provides() []string {
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

// Needs implements [Needer].
func (u User) Needs() (tokens []string) {
	if u.Absent {
		return []string{"keys:" + u.Name} // they go as long as there is an account
	}
	for _, g := range append([]string{u.primary()}, u.Groups...) {
		tokens = append(tokens, "group:"+g)
	}
	return tokens
}

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
		} else if _, there := o.Group(u.Name); there || o.Pending("group:"+u.Name) {
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
