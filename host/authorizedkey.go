package host

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// AuthorizedKey is a public key that may log in to an account: a line of its authorized_keys (sshd(8)).
//
// Where that is, sshd itself is asked: the first file of AuthorizedKeysFile, ~/.ssh/authorized_keys by
// default. The key is in place only if sshd would accept it there. What belongs to the account and can be
// written by others, such as a ~/.ssh with mode 0777, is closed to them; where something else is in the
// way, such as the mode of the home or a link to a file elsewhere, the plan fails and says what to do.
// sshd must have been reloaded since its configuration changed. Keys of an AuthorizedKeysCommand are neither
// seen nor removed.
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
	_, body := keyParts(line)
	return body
}

// keyParts returns the type and the base64 of the key in a line of authorized_keys.
func keyParts(line string) (kind, body string) {
	f := quotedFields(line)
	for i := range len(f) - 1 {
		if strings.HasPrefix(f[i], "ssh-") || strings.HasPrefix(f[i], "ecdsa-") || strings.HasPrefix(f[i], "sk-") {
			return f[i], f[i+1]
		}
	}
	return "", ""
}

// wholeKey reports whether the base64 is that of a key of the type, complete: fields that are each
// preceded by their length, of which the first is the type (RFC 4253, section 6.6). sshd skips a line
// with any other.
func wholeKey(kind, body string) bool {
	rest, err := base64.StdEncoding.DecodeString(body)
	for n := 0; err == nil && len(rest) >= 4; n++ {
		size := int64(binary.BigEndian.Uint32(rest))
		if rest = rest[4:]; size > int64(len(rest)) || n == 0 && string(rest[:size]) != kind {
			return false
		}
		rest = rest[size:]
	}
	return err == nil && len(rest) == 0 && body != ""
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
	kind, body := keyParts(k.Key)
	switch {
	case body == "" || strings.ContainsAny(k.Key, "\n\r\x00") || strings.HasPrefix(strings.TrimSpace(k.Key), "#"):
		ps = append(ps, lab.Problem{Path: "key", Text: k.Key, Message: "is not one line of authorized_keys",
			Hint: `"ssh-ed25519 AAAA... comment"`})
	case !k.Absent && !wholeKey(kind, body):
		ps = append(ps, lab.Problem{Path: "key", Text: k.Key, Message: "is not a whole key of the type " + kind,
			Hint: "copy it from the file of the public key, such as id_ed25519.pub"})
	}
	return ps
}

// Relations implements [Related].
func (k AuthorizedKey) Relations() Relations {
	return Relations{Provides: []string{"keys:" + k.User}, Needs: []string{"user:" + k.User, "keys:" + k.User,
		pathToken + k.newHome() + "/" + newKeyFile}}
}

func (k AuthorizedKey) probe() string { return "authorizedkeys:" + k.User }

// exitKeysAhead is the exit status of the probe if the account does not exist, and it cannot be known
// before it does where its keys are read and what is there.
const exitKeysAhead = 3

// Observe implements [Resource].
func (k AuthorizedKey) Observe(q *Query) {
	q.User(k.User)
	q.Probe(k.probe(), shell("authorized-keys", "user", k.User, "home", k.newHome(), "limit", fmt.Sprint(maxContent+1)))
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
	a := readKeyAccess(string(o.Probe(k.probe()).Output))
	deferred := func(action lab.Action, cause, diff string) ([]Op, error) {
		return []Op{{Action: action, Cause: cause, Diff: diff, Deferred: true}}, nil
	}
	switch {
	case !ok && k.Absent:
		return nil, nil
	case o.CanDefer() && o.PendingToken(sshdConfig) != "":
		return deferred(lab.Update, "the configuration of sshd changes first", "")
	case ok && o.CanDefer() && k.home != "" && k.home != u.Home && o.Pending("user:"+k.User):
		return deferred(lab.Update, "the home of the account changes first", "")
	case !ok && o.CanDefer() && o.Pending("user:"+k.User):
		if k.mayHoldKeys(o) {
			return deferred(lab.Create, "not found; the account does not exist yet", "+"+k.Key+"\n")
		}
	case !ok:
		return nil, &lab.Error{Op: "authorize key", Hint: "create the account with a user resource",
			Err: fmt.Errorf("%w: the account %s", lab.ErrNotFound, k.User)}
	}
	if err := a.refuse(k.User); err != nil && (!k.Absent || a.refused != "") {
		return nil, err
	}
	if !ok {
		f := keyFile{path: "~" + k.User + "/" + newKeyFile, real: "~" + k.User + "/" + newKeyFile}.expect(o)
		action, cause, lines := k.edit(splitKeep(string(f.content)))
		if cause == "" {
			return nil, nil
		}
		return []Op{k.writeAt(f, newKeyFile, k.User, Stat{Type: RegularFile, Mode: 0o600}, action, cause, lines)}, nil
	}
	for i, f := range a.files {
		if o.CanDefer() && f.changes(o) {
			return deferred(lab.Update, "a directory of "+lab.Printable(f.path)+" changes first", "")
		}
		a.files[i] = f.expect(o)
	}
	return k.planFiles(u, a)
}

// newKeyFile is where sshd reads keys by default, below the home of an account.
const newKeyFile = ".ssh/authorized_keys"

// planFiles returns the ops that authorize the key in one of the files that sshd reads, the first that
// has it or otherwise the first of all, and remove it from the others if it is there with other
// options: sshd looks for a line that matches in one after the other.
func (k AuthorizedKey) planFiles(u UserState, a keyAccess) (ops []Op, err error) {
	at := 0
	if !k.Absent {
		at = max(0, slices.IndexFunc(a.files, func(f keyFile) bool {
			return slices.ContainsFunc(splitKeep(string(f.content)), k.same)
		}))
	}
	for i, f := range a.files {
		lines := splitKeep(string(f.content))
		if i != at || k.Absent {
			action, cause, left := k.remove(lines, k.Absent)
			if cause == "" {
				continue
			}
			op, err := k.write(f, u, a, action, cause, left)
			if err != nil {
				return nil, err
			}
			if i != at {
				op.Name = f.path
			}
			ops = append(ops, op)
			continue
		}
		op, err := k.authorize(f, u, a, lines)
		if err != nil {
			return nil, err
		}
		if op.Cause != "" {
			ops = append(ops, op)
		}
	}
	return ops, nil
}

// authorize returns the op after which sshd accepts the key from the file; one without a cause if it
// does already.
func (k AuthorizedKey) authorize(f keyFile, u UserState, a keyAccess, lines []string) (op Op, err error) {
	if a.homeless && below(f.path, a.home) {
		return op, &lab.Error{Op: "authorize key", Hint: "create it with a directory resource that belongs to the account",
			Err: fmt.Errorf("%w: the home %s of the account", lab.ErrNotFound, lab.Printable(u.Home))}
	}
	repair, err := a.judge(f, k.User, u)
	if err != nil {
		return op, err
	}
	action, cause, lines := k.edit(lines)
	switch {
	case cause != "" || f.unreadable || f.special:
		if op, err = k.write(f, u, a, action, cause, lines); err != nil {
			return op, err
		}
		repair = slices.DeleteFunc(repair, func(s keyFileStat) bool { return s.path == f.real }) // it is written anew
	case len(repair) > 0:
		op.Action = lab.Update
	}
	op.repair(f, k.User, repair)
	return op, nil
}

// write returns the op that writes the lines to the file.
func (k AuthorizedKey) write(
	f keyFile, u UserState, a keyAccess, action lab.Action, cause string, lines []string,
) (Op, error) {
	as := f.writer(k.User, u.UID)
	if err := f.writable(k.User, a.home, as); err != nil {
		return Op{}, err
	}
	st := Stat{Type: RegularFile, Mode: 0o600, UID: u.UID, GID: u.GID}
	switch {
	case len(f.chain) > 0 && f.chain[0].path == f.real:
		st.Mode, st.UID, st.GID = f.chain[0].mode&^0o022, f.chain[0].uid, f.chain[0].gid
	case as == "root" && u.UID != 0:
		st.Mode, st.UID, st.GID = 0o644, 0, 0 // sshd reads it as the account
	}
	return k.writeAt(f, f.real, as, st, action, cause, lines), nil
}

// writeAt returns the op that writes the lines to the file at the path, as the account.
func (k AuthorizedKey) writeAt(f keyFile, at, as string, st Stat, action lab.Action, cause string, lines []string) Op {
	content := []byte(strings.Join(lines, ""))
	// The ID contains the key, in which there may be slashes: it cannot be part of a path.
	p := &Payload{Temp: tempFor("/run/" + hexSum([]byte(k.ID()+" "+f.path))), Size: int64(len(content)), Content: content}
	before := "absent"
	if len(f.content) > 0 {
		before = hexSum(f.content)
	}
	var temps []string // of sh/authorize.sh; that below a home which does not exist yet is not known
	if path.IsAbs(at) {
		temps = []string{at + ".lab-tmp"}
	}
	umask := "077"
	if st.Mode.worldReadable() {
		umask = "022"
	}
	return Op{
		Action: action, Cause: cause, Diff: lab.Diff(f.path, f.content, content), Payload: p, Temps: temps,
		Script: shell("authorize-as", "user", k.User, "as", as, "file", at, "umask", umask,
			"temp", p.Temp, "before", before, "script", shell("authorize")),
		Expected: Expected{Files: []ExpectedFile{{Path: f.real, Content: content, Stat: st}}},
	}
}

// repair adds to the op that nobody else can write to the paths any more, of which one may be the file.
// The account itself repairs them, since it could make root change the mode of something else.
func (op *Op) repair(f keyFile, user string, paths []keyFileStat) {
	for _, s := range paths {
		cause := fmt.Sprintf("%s has mode %s, with which sshd ignores the keys", lab.Printable(s.path), s.mode)
		line := "runuser -u " + ssh.Quote(user) + " -- chmod go-w -- " + ssh.Quote(s.path)
		if op.Cause != "" {
			cause, line = op.Cause+"; "+cause, line+"\n"+op.Script
		}
		op.Cause, op.Script = cause, line
		e := ExpectedFile{Path: s.path, Stat: Stat{Type: DirFile, Mode: s.mode &^ 0o022, UID: s.uid, GID: s.gid}}
		if s.path == f.real {
			e.Content, e.Stat.Type = f.content, RegularFile
		}
		op.Expected.Files = append(op.Expected.Files, e)
	}
}

// same reports whether the line authorizes the key.
func (k AuthorizedKey) same(line string) bool {
	return !strings.HasPrefix(strings.TrimSpace(line), "#") && keyBody(line) == keyBody(k.Key)
}

// remove returns the lines without those that authorize the key: all, or those that differ from the
// wanted one.
func (k AuthorizedKey) remove(lines []string, all bool) (action lab.Action, cause string, left []string) {
	left = slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
		return k.same(l) && (all || strings.TrimRight(l, "\r\n") != k.Key)
	})
	switch {
	case len(left) == len(lines):
		return "", "", lines
	case all:
		return lab.Delete, "exists", left
	}
	return lab.Update, "exists in another file too, with other options", left
}

// edit returns the lines of authorized_keys with the change that the key needs, and its cause; "" if
// it needs none.
func (k AuthorizedKey) edit(lines []string) (action lab.Action, cause string, edited []string) {
	at := slices.IndexFunc(lines, k.same)
	if at < 0 {
		return lab.Create, "not found", insert(lines, len(lines), k.Key+"\n")
	}
	rest := slices.DeleteFunc(slices.Clone(lines[at+1:]), k.same)
	cause = "options or comment differ"
	switch {
	case len(rest) < len(lines)-at-1: // the options of another line would apply where those of the first do not match
		cause = "exists more than once"
	case strings.TrimRight(lines[at], "\r\n") == k.Key:
		return "", "", lines
	}
	return lab.Update, cause, slices.Concat(lines[:at], []string{k.Key + "\n"}, rest)
}
