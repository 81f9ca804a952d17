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

// MaxSize is the maximal size of a document, in bytes.
const MaxSize = 1 << 20

const (
	maxDepth    = 64
	maxValues   = 100_000 // with aliases expanded
	maxKey      = 256     // bytes, because paths consist of keys
	maxProblems = 1000
	maxText     = 80 // runes of an offending text to show
)

// Document is a parsed YAML document. It is not safe for concurrent use.
type Document struct {
	file  string
	root  *yaml.Node                // nil if the document is empty
	shown map[*yaml.Node]bool       // scalars that Decode stored in fields that are not secret
	union map[*yaml.Node]bool       // mappings that Decode read as a Union
	keys  map[*yaml.Node]*yaml.Node // from values to their keys
}

// Parse parses a document; file is its name in problems. A document may be empty. The error is a
// [lab.Problems]. If the document is not YAML, it contains only the first problem, and no document
// is returned. Otherwise it contains all duplicate keys, merge keys, tags and keys that are not
// text, and the document is returned too, so that the caller can continue and report what else is
// wrong.
func Parse(file string, data []byte) (*Document, error) {
	d := &Document{file: file, shown: map[*yaml.Node]bool{}, union: map[*yaml.Node]bool{},
		keys: map[*yaml.Node]*yaml.Node{}}
	if len(data) > MaxSize {
		return nil, lab.Problems{{File: file, Message: fmt.Sprintf("the document has %d bytes, more than %d", len(data),
			MaxSize)}}
	}
	if p, ok := unreadable(data); ok {
		p.File = file
		return nil, lab.Problems{p}
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data),
		yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
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
		return nil, lab.Problems{{File: file, Line: second.Line, Column: second.Column,
			Message: "a second document begins here; only one is allowed", Hint: "remove the line ---"}}
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
	c := checker{file: file, keys: d.keys, done: map[*yaml.Node]measure{}}
	if m, ok := c.node(d.root, nil, 1); ok && m.values > maxValues {
		c.add(d.root, nil, lab.Problem{Message: fmt.Sprintf("more than %d values", maxValues)})
	}
	return d, c.problems.Err()
}

// unreadable returns a problem for the first byte that is not allowed in YAML, and whether there is
// one.
func unreadable(data []byte) (lab.Problem, bool) {
	line, column := 1, 1
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return lab.Problem{Line: line, Column: column, Message: "not UTF-8", Hint: "save the file as UTF-8"}, true
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r >= 0x7f && r < 0xa0 && r != 0x85,
			r == 0xfeff && i > 0, r == 0xfffe, r == 0xffff:
			return lab.Problem{Line: line, Column: column, Message: fmt.Sprintf("a control character, %U", r),
				Hint: "remove it, or write it as an escape in double quotes"}, true
		case r == '\n':
			line, column = line+1, 0
		}
		column++
		i += n
	}
	return lab.Problem{}, false
}

// syntaxProblem returns the problem with a document that is not YAML.
func syntaxProblem(file string, err error) lab.Problem {
	p := lab.Problem{File: file, Message: "not YAML: " + err.Error()}
	var at *yaml.LoadError
	if !errors.As(err, &at) {
		return p
	}
	p.Line, p.Column, p.Message = at.Mark.Line, at.Mark.Column, "not YAML: "+at.Message
	if at.ContextMsg != "" && at.ContextMark.Line > 0 {
		p.Message += fmt.Sprintf(", %s that begins on line %d", at.ContextMsg, at.ContextMark.Line)
	}
	if strings.Contains(at.Message, "unknown anchor") {
		p.Message = "not YAML: an alias without an anchor" // its name may be a secret that begins with *
	}
	for _, h := range []struct{ part, hint string }{
		{"mapping values are not allowed", `quote text that contains ": "`},
		{"tab character", "indent with spaces"},
		{"expected key", "check the indentation"},
		{"expected '-' indicator", "check the indentation"},
		{"cannot start any token", "quote the text, and indent with spaces"},
		{"unknown anchor", "quote it if it is text"},
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

// clip returns text, shortened for a problem.
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
