package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// MaxSize is the number of bytes that a document may have.
const MaxSize = 1 << 20

const (
	maxDepth    = 64
	maxValues   = 100_000 // with aliases expanded
	maxKey      = 256     // bytes: paths are made of keys
	maxProblems = 1000
	maxText     = 80 // runes of an offending text that are shown
)

// Document is a YAML document that was read without problems. It is not safe for concurrent use.
type Document struct {
	file  string
	root  *yaml.Node                // nil when the document is empty
	shown map[*yaml.Node]bool       // scalars that Decode put where no secret is
	union map[*yaml.Node]bool       // mappings that Decode read as one of several types
	keys  map[*yaml.Node]*yaml.Node // of values: their keys
}

// Parse reads a document; file is its name in problems. An empty document is good. The error is a [lab.Problems]: of a document that is not
// YAML the first problem only, and no document is returned; else all duplicate keys, merge keys, tags and keys that are not text, beside the
// document, so that a caller can go on and report what else is wrong.
func Parse(file string, data []byte) (*Document, error) {
	d := &Document{file: file, shown: map[*yaml.Node]bool{}, union: map[*yaml.Node]bool{}, keys: map[*yaml.Node]*yaml.Node{}}
	if len(data) > MaxSize {
		return nil, lab.Problems{{File: file, Message: fmt.Sprintf("the document has %d bytes, more than %d", len(data), MaxSize)}}
	}
	if p, ok := unreadable(data); ok {
		p.File = file
		return nil, lab.Problems{p}
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		return nil, err
	}
	var first, second yaml.Node
	switch err := loader.Load(&first); {
	case errors.Is(err, io.EOF):
		return d, nil
	case err != nil:
		return nil, lab.Problems{syntaxProblem(file, err)}
	}
	switch err := loader.Load(&second); {
	case err == nil:
		return nil, lab.Problems{{File: file, Line: second.Line, Column: second.Column, Message: "a second document begins here; one is wanted", Hint: "remove the line ---"}}
	case !errors.Is(err, io.EOF):
		return nil, lab.Problems{syntaxProblem(file, err)}
	}
	if first.Kind == yaml.DocumentNode {
		if len(first.Content) == 0 {
			return d, nil
		}
		first = *first.Content[0]
	}
	d.root = &first
	c := check{file: file, keys: d.keys, done: map[*yaml.Node]measure{}}
	if m, ok := c.node(d.root, nil, 1); ok && m.values > maxValues {
		c.add(d.root, nil, lab.Problem{Message: fmt.Sprintf("more than %d values", maxValues)})
	}
	return d, c.problems.Err()
}

// unreadable returns the first byte that no YAML may hold.
func unreadable(data []byte) (lab.Problem, bool) {
	line, column := 1, 1
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return lab.Problem{Line: line, Column: column, Message: "not UTF-8", Hint: "save the file as UTF-8"}, true
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r >= 0x7f && r < 0xa0 && r != 0x85, r == 0xfeff && i > 0, r == 0xfffe, r == 0xffff:
			return lab.Problem{Line: line, Column: column, Message: fmt.Sprintf("a control character, %U", r), Hint: "remove it, or write it as an escape in double quotes"}, true
		case r == '\n':
			line, column = line+1, 0
		}
		column++
		i += n
	}
	return lab.Problem{}, false
}

// syntaxProblem says where the document stops being YAML.
func syntaxProblem(file string, err error) lab.Problem {
	p := lab.Problem{File: file, Message: "not YAML: " + err.Error()}
	var at *yaml.LoadError
	if !errors.As(err, &at) {
		return p
	}
	p.Line, p.Column, p.Message = at.Mark.Line, at.Mark.Column, "not YAML: "+at.Message
	if at.ContextMsg != "" && at.ContextMark.Line > 0 {
		p.Message += fmt.Sprintf(", %s that begins in line %d", at.ContextMsg, at.ContextMark.Line)
	}
	if strings.Contains(at.Message, "unknown anchor") {
		p.Message = "not YAML: an alias of what is not there" // its name may be a secret that begins with *
	}
	for _, h := range []struct{ part, hint string }{
		{"mapping values are not allowed", `quote a text that holds ": "`},
		{"tab character", "indent with spaces"},
		{"expected key", "check the indentation"},
		{"expected '-' indicator", "check the indentation"},
		{"cannot start any token", "quote the text, and indent with spaces"},
		{"unknown anchor", "quote what is text"},
		{"end of stream", "close the quote"},
		{"max depth", ""},
	} {
		if strings.Contains(at.Message, h.part) {
			p.Hint = h.hint
			break
		}
	}
	return p
}

// measure is the size of a value with its aliases expanded.
type measure struct{ values, height int }

// check walks a document once and reports what YAML allows and we do not.
type check struct {
	file     string
	problems lab.Problems
	keys     map[*yaml.Node]*yaml.Node
	done     map[*yaml.Node]measure // of anchored nodes
}

func (c *check) add(n *yaml.Node, at *place, p lab.Problem) {
	if len(c.problems) < maxProblems {
		p.File, p.Line, p.Column, p.Path = c.file, n.Line, n.Column, at.String()
		c.problems = append(c.problems, p)
	}
}

// node returns false when an alias makes it too large, which is then reported.
func (c *check) node(n *yaml.Node, at *place, depth int) (m measure, ok bool) {
	m = measure{1, 1}
	grow := func(child measure) bool {
		m.values += child.values
		m.height = max(m.height, child.height+1)
		return m.values <= maxValues
	}
	if n.Kind != yaml.AliasNode && (n.Style&yaml.TaggedStyle != 0 || n.Tag == "!") {
		c.add(n, at, lab.Problem{Message: "a tag", Hint: "remove it; quote what is text"})
	}
	switch n.Kind {
	case yaml.AliasNode:
		target, done := c.done[n.Alias]
		switch {
		case !done:
			c.add(n, at, lab.Problem{Message: "an alias inside of what it stands for", Text: clip("*" + n.Value)})
			return m, true
		case depth+target.height > maxDepth:
			c.add(n, at, lab.Problem{Message: fmt.Sprintf("more than %d levels, with this alias expanded", maxDepth), Text: clip("*" + n.Value)})
			return m, true
		}
		return target, true
	case yaml.SequenceNode:
		for i, item := range n.Content {
			child, ok := c.node(item, at.index(i), depth+1)
			if !ok {
				return m, false
			}
			if !grow(child) {
				return m, c.large(item, at.index(i))
			}
		}
	case yaml.MappingNode:
		seen := make(map[string]int, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			if k.Anchor != "" && k.Kind == yaml.ScalarNode {
				c.done[k] = measure{1, 1}
			}
			c.key(k, at, seen)
			c.keys[v] = k
			under := at
			if k.Kind == yaml.ScalarNode && len(k.Value) <= maxKey {
				under = at.key(k.Value)
			}
			child, ok := c.node(v, under, depth+1)
			if !ok {
				return m, false
			}
			if !grow(child) {
				return m, c.large(v, under)
			}
		}
	}
	if n.Anchor != "" {
		c.done[n] = m
	}
	return m, true
}

// large reports that the document is too large at n.
func (c *check) large(n *yaml.Node, at *place) bool {
	p := lab.Problem{Message: fmt.Sprintf("more than %d values", maxValues)}
	if n.Kind == yaml.AliasNode {
		p.Message += ", with this alias expanded"
		p.Text = clip("*" + n.Value)
	}
	c.add(n, at, p)
	return false
}

// key checks a key, which seen maps to the line where it stood first.
func (c *check) key(k *yaml.Node, at *place, seen map[string]int) {
	switch tag := k.ShortTag(); {
	case k.Kind != yaml.ScalarNode:
		c.add(k, at, lab.Problem{Message: "a key that is not text"})
	case tag == "!!merge":
		c.add(k, at, lab.Problem{Message: "merge keys are not read", Text: "<<", Hint: "write the keys out"})
	case k.Style&yaml.TaggedStyle != 0:
		c.add(k, at, lab.Problem{Message: "a tag", Hint: "remove it; quote what is text"})
	case tag == "!!null":
		c.add(k, at, lab.Problem{Message: "an empty key", Hint: "quote it if it is meant"})
	case tag == "!!int", tag == "!!float", tag == "!!bool":
		c.add(k, at, lab.Problem{Message: "a key that is not text", Text: clip(k.Value), Hint: "quote it"})
	case len(k.Value) > maxKey:
		c.add(k, at, lab.Problem{Message: fmt.Sprintf("a key of %d bytes; %d are allowed", len(k.Value), maxKey), Text: clip(k.Value)})
	default:
		if line, twice := seen[k.Value]; twice {
			c.add(k, at, lab.Problem{Message: "a key that stands twice", Text: clip(k.Value), Hint: fmt.Sprintf("the first is in line %d", line)})
			return
		}
		seen[k.Value] = k.Line
	}
}

// clip returns text shortened for a problem.
func clip(text string) string {
	n := 0
	for i := range text {
		if n == maxText {
			return text[:i] + "…"
		}
		n++
	}
	return text
}
