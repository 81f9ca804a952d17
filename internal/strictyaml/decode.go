package strictyaml

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Decode stores the document in the value that v points to. If the document is wrong, the error is
// a [lab.Problems] with everything that is wrong, up to 1000 problems, and the parts that are right
// are in v nevertheless. Any other error is a bug of the program: v is not a pointer, or contains a
// type that is not supported.
func (d *Document) Decode(v any, unions ...Union) error {
	out := reflect.ValueOf(v)
	if out.Kind() != reflect.Pointer || out.IsNil() {
		return fmt.Errorf("strictyaml: decode into %T: not a pointer, or nil", v)
	}
	s, err := newShapes(unions).of(out.Type().Elem())
	if err != nil {
		return err
	}
	n := d.root
	if n == nil {
		n = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: 1, Column: 1}
	}
	dec := decoder{doc: d}
	dec.value(s, n, out.Elem(), nil, false)
	ps := dec.problems
	if !dec.full() {
		return ps.Err()
	}
	// Those that were found, sorted, and then the one that there are more.
	sorted := ps[:maxProblems].Err()
	return append(sorted.(lab.Problems), ps[maxProblems])
}

// decoder is the state of one Decode.
type decoder struct {
	doc      *Document
	problems lab.Problems
}

func (d *decoder) add(n *yaml.Node, at *place, p lab.Problem) {
	switch {
	case len(d.problems) == maxProblems:
		d.problems = append(d.problems, lab.Problem{File: d.doc.file,
			Message: fmt.Sprintf("more than %d problems", maxProblems)})
	case len(d.problems) < maxProblems:
		n = d.doc.visible(n)
		p.File, p.Line, p.Column, p.Path = d.doc.file, n.Line, n.Column, at.String()
		d.problems = append(d.problems, p)
	}
}

// full reports whether there are too many problems already.
func (d *decoder) full() bool { return len(d.problems) > maxProblems }

// value stores n in v. If secret, no text of n may be shown.
func (d *decoder) value(s *shape, n *yaml.Node, v reflect.Value, at *place, secret bool) {
	if d.full() {
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	secret = secret || s.secret
	if n.Kind == yaml.ScalarNode && s.kind >= kindList && !isNull(n) {
		// It is in a wrong place, and may be the secret itself.
		secret = secret || s.holdsSecret(map[*shape]bool{})
	}
	switch s.kind {
	case kindAny:
		if x, ok := d.free(n, at); ok && x != nil {
			v.Set(reflect.ValueOf(x))
		} else if ok {
			v.SetZero()
		}
	case kindPointer:
		if isNull(n) {
			v.SetZero()
			return
		}
		p := reflect.New(s.typ.Elem())
		d.value(s.elem, n, p.Elem(), at, secret)
		v.Set(p)
	case kindList:
		d.list(s, n, v, at, secret)
	case kindKeyed, kindMap:
		d.mapping(s, n, v, at, secret)
	case kindStruct:
		d.structure(s, n, v, at, secret)
	case kindUnion:
		d.union(s, n, v, at, secret)
	default:
		d.scalar(s, n, v, at, secret)
	}
}

// wrongKind reports that n is not what is expected.
func (d *decoder) wrongKind(n *yaml.Node, at *place, secret bool, want, hint string) {
	p := lab.Problem{Message: "expected " + want + ", got " + describe(n), Hint: hint}
	if n.Kind == yaml.ScalarNode && !secret && n.Value != "" {
		p.Text = clip(n.Value)
	}
	d.add(n, at, p)
}

// describe returns what n is, for a message.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		if len(n.Content) == 0 {
			return "an empty mapping"
		}
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "a boolean"
	}
	return "text"
}

func (d *decoder) list(s *shape, n *yaml.Node, v reflect.Value, at *place, secret bool) {
	if isNull(n) {
		v.SetZero()
		return
	}
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if n.Kind == yaml.ScalarNode && !secret && len(n.Value) < maxText && !strings.ContainsAny(n.Value, "[]{},\n") {
			hint = "write [" + n.Value + "]"
		}
		d.wrongKind(n, at, secret, "a list", hint)
		return
	}
	out := reflect.MakeSlice(s.typ, len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.value(s.elem, item, out.Index(i), at.index(i), secret)
	}
	v.Set(out)
}

// mapping decodes maps, and slices that are mappings in the document.
func (d *decoder) mapping(s *shape, n *yaml.Node, v reflect.Value, at *place, secret bool) {
	if isNull(n) {
		v.SetZero()
		return
	}
	if n.Kind != yaml.MappingNode {
		d.wrongKind(n, at, secret, "a mapping", "")
		return
	}
	size := len(n.Content) / 2
	var list, dict reflect.Value
	if s.kind == kindKeyed {
		list = reflect.MakeSlice(s.typ, size, size)
	} else {
		dict = reflect.MakeMapWithSize(s.typ, size)
	}
	for i := range size {
		k, item := n.Content[2*i], n.Content[2*i+1]
		if s.kind == kindKeyed {
			elem := list.Index(i)
			d.value(s.elem, item, elem, at.key(k.Value), secret)
			elem.FieldByIndex(s.elem.key).SetString(k.Value)
			continue
		}
		elem := reflect.New(s.typ.Elem()).Elem()
		d.value(s.elem, item, elem, at.key(k.Value), secret)
		dict.SetMapIndex(reflect.ValueOf(k.Value).Convert(s.typ.Key()), elem)
	}
	if s.kind == kindKeyed {
		v.Set(list)
	} else {
		v.Set(dict)
	}
}

func (d *decoder) structure(s *shape, n *yaml.Node, v reflect.Value, at *place, secret bool) {
	if n.Kind != yaml.MappingNode && !isNull(n) {
		d.wrongKind(n, at, secret, "a mapping", knownKeys(s.names))
		return
	}
	seen := make(map[string]bool, len(s.fields))
	for i := 0; i+1 < len(n.Content) && !d.full(); i += 2 {
		k, item := n.Content[i], n.Content[i+1]
		f := s.field(k.Value)
		if f == nil {
			d.unknown(k, at, "unknown key", s.names)
			continue
		}
		seen[f.name] = true
		if f.required && isNull(item) {
			d.add(item, at.key(f.name), lab.Problem{Message: "empty, but a value is required"})
			continue
		}
		d.value(f.shape, item, v.FieldByIndex(f.index), at.key(f.name), secret || f.secret)
	}
	where := n
	if k := d.doc.keys[n]; k != nil {
		where = k // the line with the name of the mapping, not the next one
	}
	for _, f := range s.fields {
		if f.required && !seen[f.name] {
			d.add(where, at, lab.Problem{Message: "a required key is missing: " + f.name})
		}
	}
}

// union decodes a mapping whose only key selects the type of its value.
func (d *decoder) union(s *shape, n *yaml.Node, v reflect.Value, at *place, secret bool) {
	switch {
	case n.Kind == yaml.ScalarNode && s.kinds[n.Value] != nil:
		d.wrongKind(n, at, secret, "a mapping with one key", "write "+n.Value+": {}")
		return
	case n.Kind != yaml.MappingNode || len(n.Content) == 0:
		d.wrongKind(n, at, secret, "a mapping with one key", knownKeys(s.names))
		return
	case len(n.Content) > 2:
		// The usual mistake is a value that is indented as much as its key.
		p := lab.Problem{Message: fmt.Sprintf("expected a mapping with one key, got %d keys", len(n.Content)/2)}
		if k := n.Content[0]; s.kinds[k.Value] != nil && isNull(n.Content[1]) {
			p.Hint = "indent the content of " + k.Value
		}
		d.add(n, at, p)
		return
	}
	k, item := n.Content[0], n.Content[1]
	elem := s.kinds[k.Value]
	if elem == nil {
		d.unknown(k, at, "unknown kind", s.names)
		return
	}
	d.doc.union[n] = true
	out := reflect.New(elem.typ).Elem()
	target := out
	if elem.kind == kindPointer {
		out.Set(reflect.New(elem.typ.Elem()))
		elem, target = elem.elem, out.Elem()
	}
	d.value(elem, item, target, at.key(k.Value), secret)
	v.Set(out)
}

// unknown reports a key that is not one of names.
func (d *decoder) unknown(k *yaml.Node, at *place, message string, names []string) {
	p := lab.Problem{Message: message, Text: clip(k.Value)}
	if near := lab.Nearest(k.Value, names); near != "" {
		p.Hint = "nearest: " + near
	} else {
		p.Hint = knownKeys(names)
	}
	d.add(k, at, p)
}

// knownKeys returns a hint with the valid names, or nothing if they are many.
func knownKeys(names []string) string {
	if len(names) == 0 || len(names) > 12 {
		return ""
	}
	return "known: " + strings.Join(names, ", ")
}

func isNull(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}
