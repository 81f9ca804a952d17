package host

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// AuthorizedKey is a public key that may log in to an account: a line of its
// ~/.ssh/authorized_keys (sshd(8)).
type AuthorizedKey struct {
	Order `yaml:",inline"`

	User   string `yaml:"user,required"`
	Key    string `yaml:"key,required"` // a line of authorized_keys: options if any, type, key, comment
	Absent bool   `yaml:"absent"`       // the key must not be authorized, whatever its options and comment

	home string // of the account in the same state; empty means /home/USER
}

// ID returns "authorizedkey:USER:KEY", with the key without options and comment.
func (k AuthorizedKey) ID() string { return "authorizedkey:" + k.User + ":" + keyBody(k.Key) }

// keyBody returns the base64 of the key in a line of authorized_keys, "" if there is none: the first
// word after a key type. Options come before the type and may contain anything in quotes, such as
// the command "ssh-wrapper x".
func keyBody(line string) string {
	f := quotedFields(line)
	for i := range len(f) - 1 {
		if strings.HasPrefix(f[i], "ssh-") || strings.HasPrefix(f[i], "ecdsa-") || strings.HasPrefix(f[i], "sk-") {
			return f[i+1]
		}
	}
	return ""
}

// quotedFields splits a line at white space that is not in double quotes.
func quotedFields(line string) (f []string) {
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
	return f
}

// Validate implements [Resource].
func (k AuthorizedKey) Validate() (ps lab.Problems) {
	checkName(&ps, "user", k.User)
	if keyBody(k.Key) == "" || strings.ContainsAny(k.Key, "\n\x00") {
		ps = append(ps, lab.Problem{Path: "key", Text: k.Key, Message: "is not one line of authorized_keys",
			Hint: `"ssh-ed25519 AAAA... comment"`})
	}
	return ps
}

// Needs implements [Needer].
func (k AuthorizedKey) Needs() []string { return []string{"user:" + k.User, "keys:" + k.User} }

// Provides implements [Provider].
func (k AuthorizedKey) Provides() []string { return []string{"keys:" + k.User} }

func (k AuthorizedKey) probe() string { return "authorizedkeys:" + k.User }

// exitKeysAhead is the exit status of the probe if the account does not exist and its future home
// may already contain keys: from the skeleton of new homes (useradd(8)), or left by an earlier
// account.
const exitKeysAhead = 3

// Observe implements [Resource].
func (k AuthorizedKey) Observe(q *Query) {
	q.User(k.User)
	q.Probe(k.probe(), shell("authorized-keys", "user", k.User, "home", k.newHome(), "limit", fmt.Sprint(maxContent)))
}

// newHome returns the home that the account has if the same plan creates it.
func (k AuthorizedKey) newHome() string { return cmp.Or(k.home, "/home/"+k.User) }

// mayHoldKeys reports whether the home of an account that this plan creates may contain keys by then:
// those that exist, or that come with a file system or an archive earlier in the plan.
func (k AuthorizedKey) mayHoldKeys(o *Observation) bool {
	for dir := k.newHome(); dir != "/"; dir = path.Dir(dir) {
		if o.Pending("mount:"+dir) || o.Pending("archive:"+dir) {
			return true
		}
	}
	return o.Probe(k.probe()).Exit == exitKeysAhead
}

// Bind implements [Binder]: it finds the home that the same state gives the account.
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
			return []Op{{Action: lab.Create, Cause: "not found; the account does not exist yet", Diff: "+" + k.Key + "\n",
				Deferred: true}}, nil
		}
		file = "~" + k.User + "/.ssh/authorized_keys"
	case ok && o.CanDefer() && k.home != "" && k.home != u.Home && o.Pending("user:"+k.User):
		return []Op{{Action: lab.Update, Cause: "the home of the account changes first", Deferred: true}}, nil
	case !ok:
		return nil, &lab.Error{Op: "authorize key", Hint: "create the account with a user resource",
			Err: fmt.Errorf("%w: the account %s", lab.ErrNotFound, k.User)}
	}
	old := o.Probe(k.probe()).Output
	if f, ok := o.Expected(file); ok {
		old = f.Content
	}
	action, cause, lines := k.edit(splitKeep(string(old)))
	if cause == "" {
		return nil, nil
	}
	content := []byte(strings.Join(lines, ""))
	p := &Payload{Temp: tempFor("/run/" + k.ID()), Size: int64(len(content)), Content: content}
	before := "absent"
	if len(old) > 0 {
		before = hexSum(old)
	}
	return []Op{{
		Action: action, Cause: cause, Diff: lab.Diff(file, old, content), Payload: p,
		Script: shell("authorize-as", "user", k.User, "temp", p.Temp, "before", before, "script", shell("authorize")),
		Expected: Expected{Files: []ExpectedFile{
			{Path: file, Content: content, Stat: Stat{Type: RegularFile, Mode: 0o600}},
		}},
	}}, nil
}

// edit returns the lines of authorized_keys with the change that the key needs, and its cause; "" if
// it needs none.
func (k AuthorizedKey) edit(lines []string) (action lab.Action, cause string, edited []string) {
	same := func(l string) bool {
		return !strings.HasPrefix(strings.TrimSpace(l), "#") && keyBody(l) == keyBody(k.Key)
	}
	at := slices.IndexFunc(lines, same)
	if at < 0 {
		if k.Absent {
			return "", "", lines
		}
		return lab.Create, "not found", insert(lines, len(lines), k.Key+"\n")
	}
	if k.Absent {
		return lab.Delete, "exists", slices.DeleteFunc(slices.Clone(lines), same)
	}
	rest := slices.DeleteFunc(slices.Clone(lines[at+1:]), same)
	cause = "options or comment differ"
	switch {
	case len(rest) < len(lines)-at-1: // the options of another line would apply where those of the first do not match
		cause = "exists more than once"
	case strings.TrimSuffix(lines[at], "\n") == k.Key:
		return "", "", lines
	}
	return lab.Update, cause, slices.Concat(lines[:at], []string{k.Key + "\n"}, rest)
}
