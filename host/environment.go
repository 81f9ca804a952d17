package host

import (
	"fmt"
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// environmentFile holds the name of the environment that a machine belongs to.
const environmentFile = "/etc/lab/environment"

// environment is the file that records which environment a machine belongs to. It is created if it
// does not exist; different content is refused, not replaced.
type environment struct{ file File }

// claim returns the resources that record the environment, none for an empty name.
func claim(name string) State {
	if name == "" {
		return nil
	}
	return State{Directory{Path: path.Dir(environmentFile)}, environment{File{Path: environmentFile, Content: name + "\n"}}}
}

func (e environment) ID() string { return e.file.ID() }

func (e environment) Validate() lab.Problems { return e.file.Validate() }

func (e environment) Relations() Relations { return e.file.Relations() }

func (e environment) Observe(q *Query) {
	q.Content(e.file.Path)
	e.file.Observe(q)
}

func (e environment) Plan(o *Observation) ([]Op, error) {
	if have, ok := o.Content(e.file.Path); ok && string(have) != e.file.Content {
		return nil, &lab.Error{Op: "verify environment",
			Hint: "use the configuration of that environment; if the machine moved, remove the file on it by hand",
			Err: fmt.Errorf("%w: the machine belongs to %q, not to %q", lab.ErrRefused,
				strings.TrimSpace(string(have)), strings.TrimSpace(e.file.Content))}
	}
	return e.file.Plan(o)
}
