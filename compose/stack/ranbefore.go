package stack

import (
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// ranBefore asks, and reports, whether a stack was healthy before: that is kept beside it, or seen
// in containers.
type ranBefore struct{ name string }

func (r ranBefore) file() string { return path.Join(dirOf(r.name), ".prev/compose.yaml") }

func (r ranBefore) observe(q *host.Query) {
	compose.AskEngine(q)
	q.Content(r.file())
	q.Content(path.Join(dirOf(r.name), "compose.yaml"))
}

// healthy reports whether the stack was healthy before.
func (r ranBefore) healthy(o *host.Observation) (bool, error) {
	if o.Stat(r.file()).Type != host.NoFile {
		return true, nil
	}
	e, err := compose.ReadEngine(o)
	if err != nil {
		return false, err
	}
	for _, c := range e.Of(r.name, "") {
		// One that somebody else made has probably run; one of ours may have been cut off before it
		// did.
		if c.Health == "healthy" || c.Labels["lab.config"] == "" {
			return true, nil
		}
	}
	return false, nil
}

// formats returns the versions of the data that the stack was run with: those of its containers and
// of what is kept, each "gitea 1.25.2".
func (r ranBefore) formats(o *host.Observation) ([]string, error) {
	e, err := compose.ReadEngine(o)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, c := range e.Of(r.name, "") {
		if f := c.Format(); f != "" {
			out = append(out, f)
		}
	}
	kept, _ := o.Content(r.file())
	for line := range strings.Lines(string(kept)) {
		if f, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "  format: "); ok {
			out = append(out, f)
		}
	}
	return out, nil
}
