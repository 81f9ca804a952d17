package compose

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// formerFiles removes files that the stack brought and has no more: a service that mounts their
// directory would go on reading them. It comes before the compose.yaml is replaced, which names
// them.
type formerFiles struct {
	host.Order
	stack Stack
}

// ID implements [host.Resource].
func (f formerFiles) ID() string { return "files:" + f.stack.Name }

// Validate implements [host.Resource].
func (f formerFiles) Validate() lab.Problems { return nil }

func (f formerFiles) model() string { return path.Join(f.stack.Dir, composeFile) }

// Observe implements [host.Resource].
func (f formerFiles) Observe(q *host.Query) { q.Content(f.model()) }

// Plan implements [host.Resource].
func (f formerFiles) Plan(o *host.Observation) (ops []host.Op, err error) {
	old, _ := o.Content(f.model())
	for _, name := range filesOf(old) {
		if slices.ContainsFunc(f.stack.Files, func(x File) bool { return x.Path == name }) ||
			len(File{Path: name}.validate()) > 0 {
			continue
		}
		ops = append(ops, host.Op{Name: name, Action: lab.Delete, Cause: "is no longer in the stack",
			Script: "rm -f -- " + ssh.Quote(path.Join(f.stack.Dir, name))})
	}
	return ops, nil
}

// filesOf returns the files that a compose.yaml on a machine says it came with.
func filesOf(model []byte) []string {
	var doc struct {
		Meta struct {
			Files []string `yaml:"files"`
		} `yaml:"x-lab"`
	}
	_ = yaml.Unmarshal(model, &doc) // what cannot be read came with nothing that is known
	for i, name := range doc.Meta.Files {
		doc.Meta.Files[i] = strings.ReplaceAll(name, "$$", "$")
	}
	return doc.Meta.Files
}
