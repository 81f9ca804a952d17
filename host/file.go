package host

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// File is a file with this content. It is replaced whole, in one step: nobody on the machine reads it half written, whatever happens.
//
// The content is one of Content, Template, Source and Secret; with none of them the file is empty. Diffs of files that not everybody on the
// machine may read are not shown.
type File struct {
	Order `yaml:",inline"`

	Path string `yaml:"path,required"` // absolute

	Content    string                   `yaml:"content"`  // the text, exactly
	Template   string                   `yaml:"template"` // a text/template over .Facts ([Facts]) and .Vars, with the function secret "NAME"
	Vars       map[string]any           `yaml:"vars"`     // of the template
	SecretRefs map[string]lab.SecretRef `yaml:"secrets"`  // of the template, by name; read when the state is loaded, see [State.Resolve]
	Source     string                   `yaml:"source"`   // a file here with the content, of any size
	SecretRef  lab.SecretRef            `yaml:"secret"`   // a reference to the content

	Mode         Mode   `yaml:"mode"`     // 0 means 0644, and 0600 with a secret in it
	Owner        string `yaml:"owner"`    // name or number; empty means root
	Group        string `yaml:"group"`    // name or number; empty means root
	ValidateWith string `yaml:"validate"` // a command that must succeed on the new file before it is moved in, its name in place of %s: "visudo -cf %s"
	Absent       bool   `yaml:"absent"`   // the file must not be there
	IfAbsent     bool   `yaml:"ifAbsent"` // only a file that is not there is written; what is there is left as it is, mode and owner too

	// Value is the content when it is a secret that the program holds; a document names it with Secret.
	Value lab.Secret `yaml:"-"`

	// Values are the secrets of the template that the program holds; a document names them with Secrets.
	Values map[string]lab.Secret `yaml:"-"`

	// ParentPrivate says that a folder above lets nobody else in, so that the mode is for those to whom the file is given in another way, as a mount in a
	// container: a secret may then be readable by everybody.
	ParentPrivate bool `yaml:"-"`

	unitDown string // the unit whose file must not be there, when the same state stops or disables it
	local    *localFile
}

// localFile is what was read of File.Source when the plan began.
type localFile struct {
	size int64
	sum  [32]byte
}

// ID returns "file:PATH".
func (f File) ID() string { return "file:" + f.Path }

func (f File) secret() bool { return !f.Value.IsZero() || !f.SecretRef.IsZero() }

// holdsSecret reports whether a secret is in the content, which the content then is, or a part of it.
func (f File) holdsSecret() bool { return f.secret() || len(f.Values)+len(f.SecretRefs) > 0 }

func (f File) mode() Mode {
	if f.holdsSecret() {
		return f.Mode.or(0o600)
	}
	return f.Mode.or(0o644)
}

// Validate implements [Resource].
func (f File) Validate() (ps lab.Problems) {
	checkPath(&ps, "path", f.Path)
	given := 0
	for _, is := range []bool{f.Content != "", f.Template != "", f.Source != "", f.secret()} {
		if is {
			given++
		}
	}
	if given > 1 {
		ps = append(ps, lab.Problem{Path: "content", Message: "more than one of content, template, source and secret", Hint: "keep one"})
	}
	if f.Absent && (given > 0 || f.IfAbsent) {
		ps = append(ps, lab.Problem{Path: "absent", Message: "a file that must not be there has no content", Hint: "remove one of them"})
	}
	checkMode(&ps, f.Mode)
	checkOwner(&ps, "owner", f.Owner)
	checkOwner(&ps, "group", f.Group)
	if f.holdsSecret() && f.mode().worldReadable() && !f.ParentPrivate {
		ps = append(ps, lab.Problem{Path: "mode", Text: f.mode().String(), Message: "everybody on the machine could read the secret", Hint: "write 0600 or 0640"})
	}
	if f.Template != "" {
		if _, err := parseTemplate(f.Template, f.Values); err != nil {
			ps.Add("template", "%v", err)
		}
	}
	checkValidate(&ps, f.ValidateWith)
	return ps
}

// Claims implements [Claimer].
func (f File) Claims() []Claim {
	if f.IfAbsent {
		return nil
	}
	return []Claim{{Path: f.Path}}
}

// Files implements [Watched].
func (f File) Files() []string { return []string{f.Path} }

// Bind implements [Binder]: a unit's file that must not be there is removed when the same state has stopped or disabled the unit, since
// systemctl disables no unit without a file.
func (f File) Bind(w *Whole) Resource {
	if f.Absent && isUnitPath(f.Path) && w.Provides(downToken+unitOf(f.Path)) {
		f.unitDown = unitOf(f.Path)
	}
	return f
}

// Implies implements [Implier].
func (f File) Implies() []Resource {
	if f.unitDown != "" {
		return []Resource{DaemonReload{gone: true}}
	}
	return nil
}

// From implements [Relative].
func (f File) From(dir string) Resource {
	if f.Source != "" && !filepath.IsAbs(f.Source) {
		f.Source = filepath.Join(dir, f.Source)
	}
	return f
}

// Resolve implements [Resolver].
func (f File) Resolve(read func(string, lab.SecretRef) lab.Secret) Resource {
	if !f.SecretRef.IsZero() {
		f.Value = read("secret", f.SecretRef)
	}
	f.Values = resolveAll("secrets", f.SecretRefs, f.Values, read)
	return f
}

// Provides implements [Provider].
func (f File) Provides() []string {
	tokens := []string{"path:" + f.Path}
	if strings.HasPrefix(f.Path, "/etc/apt/") {
		tokens = append(tokens, "apt")
	}
	switch {
	case f.unitDown != "":
		tokens = append(tokens, unitFilesGone)
	case isUnitPath(f.Path):
		tokens = append(tokens, unitFiles)
	}
	return tokens
}

// Needs implements [Needer].
func (f File) Needs() []string {
	tokens := append(accountNeeds(f.Owner, f.Group), "path:"+f.Path)
	if f.Template != "" {
		tokens = append(tokens, hostnameToken)
	}
	if name, suffix, ok := strings.Cut(f.unitDown, "@"); ok {
		tokens = append(tokens, "unit:"+name+"@"+path.Ext(suffix))
	} else if f.unitDown != "" {
		tokens = append(tokens, "unit:"+f.unitDown)
	}
	return tokens
}

// Secrets returns the secrets that the file holds.
func (f File) Secrets() []lab.Secret {
	s := []lab.Secret{f.Value}
	for _, v := range f.Values {
		s = append(s, v)
	}
	return s
}

// fingerprint is the hash of the content as far as it is known without the machine: of a template, its text, variables and secrets.
func (f File) Fingerprint() string {
	h := sha256.New()
	switch {
	case f.local != nil:
		h.Write(f.local.sum[:])
	case f.Template != "":
		fmt.Fprintf(h, "template %q %v", f.Template, f.Vars)
		for _, name := range sortedKeys(f.Values) {
			fmt.Fprintf(h, " %q=%q", name, f.Values[name].Reveal())
		}
	case f.secret():
		io.WriteString(h, f.Value.Reveal()) // a hash takes everything
	default:
		io.WriteString(h, f.Content)
	}
	fmt.Fprintf(h, " %t", f.Absent)
	return hex.EncodeToString(h.Sum(nil))
}

// Load implements [Loader]: it reads the size and the hash of a local source.
func (f File) Load() (Resource, error) {
	if f.Source == "" || f.Absent {
		return f, nil
	}
	fail := func(err error) (Resource, error) {
		return nil, &lab.Error{Op: "read source of", Path: f.ID(), Hint: "look at the file here", Err: err}
	}
	file, err := os.Open(f.Source)
	if err != nil {
		return fail(err)
	}
	defer file.Close() // it was only read
	if st, err := file.Stat(); err != nil {
		return fail(err)
	} else if !st.Mode().IsRegular() {
		return fail(fmt.Errorf("%w: %s is not a regular file", lab.ErrInvalid, f.Source))
	}
	h := sha256.New()
	n, err := io.Copy(h, file)
	if err != nil {
		return fail(err)
	}
	f.local = &localFile{size: n}
	h.Sum(f.local.sum[:0])
	return f, nil
}

// Observe implements [Resource].
func (f File) Observe(q *Query) {
	switch {
	case f.Absent, f.IfAbsent:
		q.Path(f.Path)
	case f.Template != "":
		q.Content(f.Path) // the template may use facts: only the observation tells the content
	default:
		q.Sum(f.Path, f.sum(nil))
	}
}

// content returns the content, except of a local source.
func (f File) content(o *Observation) ([]byte, error) {
	switch {
	case f.secret():
		return []byte(f.Value.Reveal()), nil
	case f.Template != "":
		return renderTemplate(f.Template, f.Vars, f.Values, o.Facts)
	}
	return []byte(f.Content), nil
}

// sum returns the hash of content, or of the local source.
func (f File) sum(content []byte) [32]byte {
	switch {
	case f.local != nil:
		return f.local.sum
	case content == nil && f.secret():
		return sha256.Sum256([]byte(f.Value.Reveal()))
	case content == nil:
		return sha256.Sum256([]byte(f.Content))
	}
	return sha256.Sum256(content)
}

// Plan implements [Resource].
func (f File) Plan(o *Observation) ([]Op, error) {
	st := o.Stat(f.Path)
	if f.Absent {
		switch st.Type {
		case NoFile:
			return nil, nil
		case DirFile:
			return nil, &lab.Error{Op: "remove file", Hint: "use a directory resource to remove it", Err: fmt.Errorf("%w: it is a directory", lab.ErrConflict)}
		}
		return []Op{{Action: lab.Delete, Cause: "is there", Script: "rm -f -- " + ssh.Quote(f.Path)}}, nil
	}
	if st.Type == DirFile {
		return nil, &lab.Error{Op: "write file", Hint: "remove the directory, or write another path", Err: fmt.Errorf("%w: it is a directory", lab.ErrConflict)}
	}
	if f.IfAbsent && st.Type != NoFile {
		return nil, nil
	}
	want, err := f.content(o)
	if err != nil {
		return nil, err
	}
	sum := f.sum(want)
	mode, owner, group := f.mode(), orRoot(f.Owner), orRoot(f.Group)
	write := func(action lab.Action, cause, diff string) []Op {
		p := &Payload{Temp: tempFor(f.Path), Size: int64(len(want)), Content: want, Replaces: f.Path}
		if f.local != nil {
			p.Size, p.Content, p.Source = f.local.size, nil, f.Source
		}
		return []Op{{Action: action, Cause: cause, Diff: diff, Payload: p, Script: put(p.Temp, f.Path, mode, owner, group, sum, f.ValidateWith)}}
	}
	show := func(before []byte) string {
		switch {
		case !mode.worldReadable() || st.Type == RegularFile && !st.Mode.worldReadable():
			return ""
		case f.local != nil:
			return fmt.Sprintf("%d bytes, sha256 %x\n", f.local.size, sum)
		}
		return lab.Diff(f.Path, before, want)
	}
	switch st.Type {
	case NoFile:
		return write(lab.Create, "not found", show(nil)), nil
	case LinkFile, OtherFile:
		return write(lab.Replace, "is a "+string(st.Type), ""), nil
	}
	have, _ := o.Shown(f.Path)
	same := o.Sum(f.Path) == hex.EncodeToString(sum[:])
	if f.Template != "" {
		have, _ = o.Content(f.Path)
		same = string(have) == string(want)
	}
	if !same {
		return write(lab.Update, "content differs", show(have)), nil
	}
	return ownership(f.Path, st, mode, owner, group), nil
}
