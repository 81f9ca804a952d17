package host

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

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

// Needs implements [Needer].
func (k AuthorizedKey) Needs() []string { return []string{"user:" + k.User, "keys:" + k.User} }

// Provides implements [Provider].
func (k AuthorizedKey) Provides() []string { return []string{"keys:" + k.User} }

func (k AuthorizedKey) probe() string { return "authorizedkeys:" + k.User }

// exitKeysAhead is the exit status of the probe when the account is not there and its home to be may hold keys already: from the skeleton of
// new homes (useradd(8)), or left there by an account of that name.
const exitKeysAhead = 3

// Observe implements [Resource].
func (k AuthorizedKey) Observe(q *Query) {
	q.User(k.User)
	q.Probe(k.probe(), shell("authorized-keys", "user", k.User, "home", k.homeToBe(), "limit", fmt.Sprint(maxContent)))
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
		if o.Pending("mount:"+dir) || o.Pending("archive:"+dir) {
			return true
		}
	}
	return o.Probe(k.probe()).Exit == exitKeysAhead
}

// Bind implements [Binder]: the key belongs in the home that the same state gives the account.
func (k AuthorizedKey) Bind(w *Whole) Resource {
	for _, r := range w.Find("user:" + k.User) {
		if u, ok := r.(User); ok && !u.Absent {
			k.home = u.Home
		}
	}
	return k
}

// Plan implements [Resource].
func (k AuthorizedKey) Plan(o *Observation) ([]Op, error) {
	u, ok := o.User(k.User)
	file := strings.TrimSuffix(u.Home, "/") + "/.ssh/authorized_keys"
	switch {
	case !ok && k.Absent:
		return nil, nil
	case !ok && o.CanDefer() && o.Pending("user:"+k.User):
		if k.mayHoldKeys(o) {
			return []Op{{Action: lab.Create, Cause: "not found; the account is not there yet", Diff: "+" + k.Key + "\n", Deferred: true}}, nil
		}
		file = "~" + k.User + "/.ssh/authorized_keys"
	case ok && o.CanDefer() && k.home != "" && k.home != u.Home && o.Pending("user:"+k.User):
		return []Op{{Action: lab.Update, Cause: "the home of the account changes first", Deferred: true}}, nil
	case !ok:
		return nil, &lab.Error{Op: "authorize key", Hint: "make the account with a user resource", Err: fmt.Errorf("%w: the account %s", lab.ErrNotFound, k.User)}
	}
	old := o.Probe(k.probe()).Output
	if f, ok := o.Expected(file); ok {
		old = f.Content
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
	op.Script = shell("authorize-as", "user", k.User, "temp", p.Temp, "before", before, "script", shell("authorize"))
	op.Expected.Files = []ExpectedFile{{Path: file, Content: content, Stat: Stat{Type: RegularFile, Mode: 0o600}}}
	return []Op{op}, nil
}
