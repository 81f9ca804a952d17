package host

import (
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Link is a symbolic link.
type Link struct {
	Order `yaml:",inline"`

	Path    string `yaml:"path,required"` // absolute path of the link
	Target  string `yaml:"target"`        // what it points to, verbatim; it need not exist; may be empty only if absent is set
	Replace bool   `yaml:"replace"`       // replace a regular file at the path; otherwise that is an error
	Absent  bool   `yaml:"absent"`        // the link must not exist
}

// ID returns "link:PATH".
func (l Link) ID() string { return "link:" + l.Path }

// Validate implements [Resource].
func (l Link) Validate() (ps lab.Problems) {
	checkPath(&ps, "path", l.Path)
	if strings.ContainsRune(l.Target, 0) || l.Target == "" && !l.Absent {
		ps.Add("target", "is empty or contains a NUL byte")
	}
	if !l.Absent {
		checkSudoers(&ps, l.Path, 0, "")
	}
	return ps
}

// Relations implements [Related].
func (l Link) Relations() Relations {
	return Relations{
		Provides: l.provides(),
		Needs:    append(sudoNeeds(l.Path), "path:"+l.Path),
		Claims:   []Claim{{Path: l.Path}},
		Files:    []string{l.Path},
	}
}

// provides returns the tokens that it provides.
func (l Link) provides() []string {
	tokens := []string{"path:" + l.Path}
	if isUnitPath(l.Path) {
		tokens = append(tokens, unitFiles)
	}
	return tokens
}

// Fingerprint implements [Fingerprinter].
func (l Link) Fingerprint() string { return "link " + l.Target }

// Observe implements [Resource].
func (l Link) Observe(q *Query) { q.Link(l.Path) }

// Plan implements [Resource].
func (l Link) Plan(o *Observation) ([]Op, error) {
	st := o.Stat(l.Path)
	if l.Absent {
		switch st.Type {
		case NoFile:
			return nil, nil
		case LinkFile:
			return []Op{{Action: lab.Delete, Cause: "exists", Script: "rm -f -- " + ssh.Quote(l.Path)}}, nil
		}
		return nil, &lab.Error{Op: "remove link", Hint: "remove it with a resource of its kind",
			Err: fmt.Errorf("%w: it is a %s", lab.ErrConflict, st.Type)}
	}
	op := Op{Action: lab.Create, Cause: "not found", Temps: append(validatorTemps(l.Path), tempFor(l.Path))}
	switch {
	case st.Type == LinkFile && o.Link(l.Path) == l.Target:
		return nil, nil
	case st.Type == LinkFile:
		op.Action, op.Cause = lab.Update, fmt.Sprintf("points to %s", lab.Printable(o.Link(l.Path)))
	case st.Type == RegularFile && l.Replace:
		op.Action, op.Cause = lab.Replace, "is a file"
	case st.Type != NoFile:
		return nil, &lab.Error{Op: "create link", Hint: "move it away, or set replace: true for a file",
			Err: fmt.Errorf("%w: the path is a %s", lab.ErrConflict, st.Type)}
	}
	op.Diff = fmt.Sprintf("+%s -> %s\n", lab.Printable(l.Path), lab.Printable(l.Target))
	op.Script = shell("link", "temp", tempFor(l.Path), "target", l.Target, "path", l.Path,
		"validate", validator(l.Path, ""))
	return []Op{op}, nil
}
