package strictyaml

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Locate adds file, line and column to problems that have only a path, such as "hosts.pi1.address"
// or "apps[2].name", and the text if Decode stored it in a field that is not secret. If the
// document does not have the path because a key is missing, the problem gets the position of the
// nearest parent. The parts of a joined error are located one by one. Any error that is not a
// [lab.Problems] is returned unchanged, and so is nil.
func (d *Document) Locate(err error) error {
	switch e := err.(type) {
	case lab.Problems:
		out := make(lab.Problems, len(e))
		for i, p := range e {
			if p.File == "" && p.Line == 0 {
				d.locate(&p)
			}
			out[i] = p
		}
		return out.Err()
	case interface{ Unwrap() []error }:
		parts := e.Unwrap()
		if err.Error() != errors.Join(parts...).Error() {
			return err // its text is not just that of its parts
		}
		located := make([]error, len(parts))
		for i, part := range parts {
			located[i] = d.Locate(part)
		}
		return errors.Join(located...)
	}
	return err
}

func (d *Document) locate(p *lab.Problem) {
	p.File = d.file
	if d.root == nil {
		return
	}
	n, rest := d.root, p.Path
	where := n
	for rest != "" {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		key, child, tail := step(n, rest)
		if child == nil && d.union[n] { // the path leaves out the kind
			key, child, tail = n.Content[0], n.Content[1], rest
		}
		if child == nil {
			break
		}
		n, rest, where = child, tail, child
		if key != nil && (child.Kind == yaml.MappingNode || child.Kind == yaml.SequenceNode) {
			where = key // the line with its name, not the next one
		}
		where = d.visible(where)
	}
	p.Line, p.Column = where.Line, where.Column
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if rest == "" && p.Text == "" && n.Kind == yaml.ScalarNode && d.shown[n] && n.Value != "" &&
		!strings.Contains(p.Message, n.Value) && !userInURL.MatchString(n.Value) {
		p.Text = clip(n.Value)
	}
}

// userInURL finds a user in a URL, beside whom there may be a password, and one with a password, "USER:PASSWORD@HOST".
var userInURL = regexp.MustCompile(`://[^/\s]*@|^[^:/\s]*:\S*@`)

// step returns the child of n that the first part of path names, its key if n is a mapping, and the
// rest of path. Keys may contain dots: the longest that matches counts.
func step(n *yaml.Node, path string) (key, child *yaml.Node, rest string) {
	switch n.Kind {
	case yaml.SequenceNode:
		number, tail, ok := strings.Cut(strings.TrimPrefix(path, "["), "]")
		i, err := strconv.Atoi(number)
		if !ok || !strings.HasPrefix(path, "[") || err != nil || i < 0 || i >= len(n.Content) {
			return nil, nil, path
		}
		return nil, n.Content[i], strings.TrimPrefix(tail, ".")
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			tail, ok := strings.CutPrefix(path, k.Value)
			if !ok || k.Value == "" || tail != "" && tail[0] != '.' && tail[0] != '[' ||
				key != nil && len(k.Value) < len(key.Value) {
				continue
			}
			key, child, rest = k, n.Content[i+1], strings.TrimPrefix(tail, ".")
		}
	}
	return key, child, rest
}

// visible returns n, or its key if n is empty and has no text to point at.
func (d *Document) visible(n *yaml.Node) *yaml.Node {
	if k := d.keys[n]; k != nil && n.Kind == yaml.ScalarNode && n.Value == "" && isNull(n) {
		return k
	}
	return n
}
