package compose

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"strings"
	"unicode"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// File is a file of a stack, in its directory on the machine. What the services mount of it is
// named in compose.yaml by the same relative path.
//
// A file that is mounted by itself stays the old one in a running container, since it is replaced
// and not written to. A service that should see new content while it runs must mount the directory
// that the file is in.
type File struct {
	Path    string     // relative to the stack's directory: "conf/pg_hba.conf"
	Content string     // the text; with Secret, it must be empty
	Secret  lab.Secret // the content when it is a secret

	Mode         host.Mode // 0 means 0644, and 0600 for a secret; the stack's directory lets nobody else in either way
	Owner        string    // name or number of who reads it in the container; empty means root
	Group        string    // name or number; empty means root
	ValidateWith string    // as [host.File.Validate]

	// Reload says that a running service reads the file again when it is asked to, so that new
	// content does not recreate it. Whoever sets it adds the part that asks the service.
	Reload bool

	// IfAbsent says that the service writes the file: it is made when it is not there, and from
	// then on neither compared nor replaced, removed or put back.
	IfAbsent bool

	mounted bool // it is in the directory here, and mounted as it is: containers read it as whoever they run as
}

func (f File) content() string {
	if !f.Secret.IsZero() {
		return f.Secret.Reveal()
	}
	return f.Content
}

// digest is what a label, or the stack's compose.yaml, holds of the content: enough to see that it
// changed. That of a secret has the salt for its key; without one it says that it is a secret.
func (f File) digest(salt string) string {
	text := f.Path + "\x00" + f.content()
	switch {
	case f.Secret.IsZero():
		h := sha256.Sum256([]byte(text))
		return hex.EncodeToString(h[:6])
	case salt == "":
		return "secret"
	}
	return salted(salt, text)
}

func (f File) resource(dir string, order host.Order) host.File {
	return host.File{Order: order, Path: path.Join(dir, f.Path), Content: f.Content, Value: f.Secret, Mode: f.Mode,
		Owner: f.Owner, Group: f.Group, ValidateWith: f.ValidateWith, ParentPrivate: f.mounted, IfAbsent: f.IfAbsent}
}

func (f File) validate() (ps lab.Problems) {
	if f.Path == "" || path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || strings.HasPrefix(f.Path, "../") ||
		f.Path == ".." || f.Path == "." {
		ps = append(ps, lab.Problem{Path: "path", Text: f.Path, Message: "is not a path within the stack's directory"})
	}
	if f.Path == composeFile || f.Path == saltFile || strings.HasPrefix(f.Path+"/", previousDir+"/") ||
		strings.HasPrefix(f.Path+"/", stageDir+"/") {
		ps = append(ps, lab.Problem{Path: "path", Text: f.Path, Message: "is taken"})
	}
	if strings.ContainsFunc(f.Path, unicode.IsControl) {
		ps.Add("path", "%s holds a control character", lab.Printable(f.Path))
	}
	if f.Content != "" && !f.Secret.IsZero() {
		ps.Add("content", "is set beside secret")
	}
	return ps
}
