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

// File is a file with the given content. It is replaced atomically: no process on the machine ever
// reads it half written.
//
// A part of sudo's configuration, or of sshd's, is only moved into place if visudo or sshd accepts it, since a
// wrong one can lock everybody out. The same holds for lines, blocks, links and downloads.
//
// The content is one of Content, Template, Source and Secret; without any of them the file is empty.
// The plan shows no diff of a file that is not world-readable.
type File struct {
	Order `yaml:",inline"`

	Path string `yaml:"path,required"` // absolute

	Content    string                   `yaml:"content"`  // the text, verbatim
	Template   string                   `yaml:"template"` // a text/template of .Facts ([Facts]), .Vars and the function secret "NAME"
	Vars       map[string]any           `yaml:"vars"`     // variables of the template
	SecretRefs map[string]lab.SecretRef `yaml:"secrets"`  // secrets of the template, by name, see [State.Resolve]
	Source     string                   `yaml:"source"`   // a local file with the content, of any size
	SecretRef  lab.SecretRef            `yaml:"secret"`   // a reference to the content

	Mode         Mode   `yaml:"mode"`     // 0 means 0644, or 0600 if the content contains a secret
	Owner        string `yaml:"owner"`    // name or number; empty means root
	Group        string `yaml:"group"`    // name or number; empty means root
	ValidateWith string `yaml:"validate"` // a command that must accept the new file, %s, before it is moved into place: "nginx -t -c %s"
	Absent       bool   `yaml:"absent"`   // the file must not exist
	IfAbsent     bool   `yaml:"ifAbsent"` // write only a file that does not exist; an existing one, with its mode and owner, is kept

	// Value is the content if it is a secret that the program holds; a document refers to it with
	// Secret.
	Value lab.Secret `yaml:"-"`

	// Values are secrets of the template that the program holds; a document refers to them with
	// Secrets.
	Values map[string]lab.Secret `yaml:"-"`

	// ParentPrivate means that a parent directory is closed to other users, so that Mode only applies
	// where the file is accessible in another way, such as a mount in a container. A file with a
	// secret may then be world-readable.
	ParentPrivate bool `yaml:"-"`

	unitDown string // the unit whose file is removed, if the same state stops or disables it
	local    *localFile
}

// localFile is what Load read of File.Source.
type localFile struct {
	size int64
	sum  [32]byte
}

// ID returns "file:PATH".
func (f File) ID() string { return "file:" + f.Path }

func (f File) secret() bool { return !f.Value.IsZero() || !f.SecretRef.IsZero() }

// holdsSecret reports whether the content is, or contains, a secret.
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
		ps = append(ps, lab.Problem{Path: "content", Hint: "keep one",
			Message: "more than one of content, template, source and secret"})
	}
	if f.Absent && (given > 0 || f.IfAbsent) {
		ps = append(ps, lab.Problem{Path: "absent", Message: "excludes a content", Hint: "remove one of them"})
	}
	checkMode(&ps, f.Mode)
	checkOwner(&ps, "owner", f.Owner)
	checkOwner(&ps, "group", f.Group)
	if f.holdsSecret() && f.mode().worldReadable() && !f.ParentPrivate {
		ps = append(ps, lab.Problem{Path: "mode", Text: f.mode().String(),
			Message: "every user of the machine could read the secret", Hint: "use 0600 or 0640"})
	}
	if f.Template != "" {
		if _, err := parseTemplate(f.Template, f.Values); err != nil {
			ps.Add("template", "%v", err)
		}
	}
	checkValidate(&ps, f.ValidateWith)
	if !f.Absent {
		checkSudoers(&ps, f.Path, f.Mode, f.Owner)
	}
	return ps
}

// Relations implements [Related].
func (f File) Relations() Relations {
	return Relations{Provides: f.provides(), Needs: f.needs(), Claims: f.claims(), Files: []string{f.Path}}
}

// claims returns the paths that it manages.
func (f File) claims() []Claim {
	if f.IfAbsent {
		return nil
	}
	return []Claim{{Path: f.Path}}
}

// provides returns the tokens that it provides.
func (f File) provides() []string {
	tokens := []string{"path:" + f.Path}
	if strings.HasPrefix(f.Path, "/etc/apt/") {
		tokens = append(tokens, "apt")
	}
	if isSSHDConfig(f.Path) {
		tokens = append(tokens, sshdConfig)
	}
	switch {
	case f.unitDown != "":
		tokens = append(tokens, unitFilesGone)
	case isUnitPath(f.Path):
		tokens = append(tokens, unitFiles)
	}
	return tokens
}

// needs returns the tokens that it needs.
func (f File) needs() []string {
	tokens := append(accountNeeds(f.Owner, f.Group), "path:"+f.Path)
	tokens = append(tokens, sudoNeeds(f.Path)...)
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

// Bind implements [Binder]: a unit file is removed after the same state has stopped or disabled its
// unit, since systemctl cannot disable a unit without a file.
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

// Secrets returns the secrets that the file holds.
func (f File) Secrets() []lab.Secret {
	s := []lab.Secret{f.Value}
	for _, v := range f.Values {
		s = append(s, v)
	}
	return s
}

// Fingerprint implements [Fingerprinter]: a hash of the content or, for a template, of its text,
// variables and secrets.
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
		io.WriteString(h, f.Value.Reveal()) // a hash accepts any write
	default:
		io.WriteString(h, f.Content)
	}
	fmt.Fprintf(h, " %t", f.Absent)
	return hex.EncodeToString(h.Sum(nil))
}

// Load implements [Loader]: it reads the size and the hash of the source.
func (f File) Load() (Resource, error) {
	if f.Source == "" || f.Absent {
		return f, nil
	}
	fail := func(err error) (Resource, error) {
		return nil, &lab.Error{Op: "read source of", Path: f.ID(), Hint: "check the local file", Err: err}
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
		q.Content(f.Path) // the content may depend on facts, which are not known yet
	default:
		q.Sum(f.Path, f.sum(nil))
	}
}

// content returns the content, except that of a local source.
func (f File) content(o *Observation) ([]byte, error) {
	switch {
	case f.secret():
		return []byte(f.Value.Reveal()), nil
	case f.Template != "":
		return renderTemplate(f.Template, f.Vars, f.Values, o.Facts)
	}
	return []byte(f.Content), nil
}

// sum returns the hash of content, or that of the local source; nil means content without facts.
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
	switch {
	case f.Absent:
		return f.remove(st)
	case st.Type == DirFile:
		return nil, &lab.Error{Op: "write file", Hint: "remove the directory, or use another path",
			Err: fmt.Errorf("%w: it is a directory", lab.ErrConflict)}
	case f.IfAbsent && st.Type != NoFile:
		return nil, nil
	}
	want, err := f.content(o)
	if err != nil {
		return nil, err
	}
	op := f.write(want)
	switch have, same := f.compare(o, want); {
	case st.Type == NoFile:
		op.Action, op.Cause, op.Diff = lab.Create, "not found", f.diff(st, nil, want)
	case st.Type != RegularFile:
		op.Action, op.Cause = lab.Replace, "is a "+string(st.Type)
	case same:
		return ownership(f.Path, st, f.mode(), orRoot(f.Owner), orRoot(f.Group)), nil
	default:
		op.Action, op.Cause, op.Diff = lab.Update, "content differs", f.diff(st, have, want)
	}
	if st.Type != NoFile && st.Type != RegularFile {
		st = Stat{} // what is replaced has another kind of mode
	}
	op.Diff = attributes(st, f.mode(), orRoot(f.Owner), orRoot(f.Group)) + op.Diff
	return []Op{op}, nil
}

// remove returns the op that removes the file, nothing if it does not exist.
func (f File) remove(st Stat) ([]Op, error) {
	switch st.Type {
	case NoFile:
		return nil, nil
	case DirFile:
		return nil, &lab.Error{Op: "remove file", Hint: "use a directory resource to remove it",
			Err: fmt.Errorf("%w: it is a directory", lab.ErrConflict)}
	}
	return []Op{{Action: lab.Delete, Cause: "exists", Script: "rm -f -- " + ssh.Quote(f.Path)}}, nil
}

// compare returns the observed content, as far as it is known, and whether it is the wanted one.
func (f File) compare(o *Observation, want []byte) (have []byte, same bool) {
	if f.Template != "" {
		have, _ = o.Content(f.Path)
		return have, string(have) == string(want)
	}
	have, _ = o.Shown(f.Path)
	sum := f.sum(want)
	return have, o.Sum(f.Path) == hex.EncodeToString(sum[:])
}

// write returns an op that writes the content; its action, cause and diff are for the caller to set.
func (f File) write(content []byte) Op {
	p := &Payload{Temp: tempFor(f.Path), Size: int64(len(content)), Content: content, Replaces: f.Path}
	if f.local != nil {
		p.Size, p.Content, p.Source = f.local.size, nil, f.Source
	}
	var op Op
	op.places(p, placement{path: f.Path, mode: f.mode(), owner: orRoot(f.Owner), group: orRoot(f.Group),
		sum: f.sum(content), validate: f.ValidateWith})
	return op
}

// diff returns the difference that may be shown: none if the old or the new file is not
// world-readable, and only the size and hash of a local source.
func (f File) diff(st Stat, before, after []byte) string {
	switch {
	case !f.mode().worldReadable() || st.Type == RegularFile && !st.Mode.worldReadable():
		return ""
	case f.local != nil:
		return fmt.Sprintf("%d bytes, sha256 %x\n", f.local.size, f.local.sum)
	}
	return lab.Diff(f.Path, before, after)
}
