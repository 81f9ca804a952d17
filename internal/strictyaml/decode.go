package strictyaml

import (
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Decode puts the document into what v points to. A wrong document is a [lab.Problems] with everything that is wrong, up to 1000 problems, and what was
// right is in v nevertheless. Any other error is a fault of the program: a type of v cannot be read, or v is not a pointer.
func (d *Document) Decode(v any, unions ...Union) error {
	out := reflect.ValueOf(v)
	if out.Kind() != reflect.Pointer || out.IsNil() {
		return fmt.Errorf("strictyaml: decode into %T: a pointer is wanted", v)
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
	// Those that were found, in their order, and last that there are more.
	sorted := ps[:maxProblems].Err()
	return append(sorted.(lab.Problems), ps[maxProblems])
}

// decoder is one Decode.
type decoder struct {
	doc      *Document
	problems lab.Problems
}

func (d *decoder) add(n *yaml.Node, at *place, p lab.Problem) {
	switch {
	case len(d.problems) == maxProblems:
		d.problems = append(d.problems, lab.Problem{File: d.doc.file, Message: fmt.Sprintf("more than %d problems", maxProblems)})
	case len(d.problems) < maxProblems:
		n = d.doc.visible(n)
		p.File, p.Line, p.Column, p.Path = d.doc.file, n.Line, n.Column, at.String()
		d.problems = append(d.problems, p)
	}
}

// full reports whether no further problem is wanted.
func (d *decoder) full() bool { return len(d.problems) > maxProblems }

// value puts n into v. secret says that no text of n may be shown.
func (d *decoder) value(s *shape, n *yaml.Node, v reflect.Value, at *place, secret bool) {
	if d.full() {
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	secret = secret || s.secret
	if n.Kind == yaml.ScalarNode && s.kind >= kindList && !isNull(n) {
		// It is wrong here, and perhaps the secret itself.
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

// wrongKind reports that n is not what is wanted.
func (d *decoder) wrongKind(n *yaml.Node, at *place, secret bool, want, hint string) {
	p := lab.Problem{Message: want + " is wanted, and this is " + describe(n), Hint: hint}
	if n.Kind == yaml.ScalarNode && !secret && n.Value != "" {
		p.Text = clip(n.Value)
	}
	d.add(n, at, p)
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "empty"
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

// mapping reads maps, and slices that are mappings in the document.
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
			d.add(item, at.key(f.name), lab.Problem{Message: "empty, and a value is required"})
			continue
		}
		d.value(f.shape, item, v.FieldByIndex(f.index), at.key(f.name), secret || f.secret)
	}
	where := n
	if k := d.doc.keys[n]; k != nil {
		where = k // the line that names the mapping, not the one below
	}
	for _, f := range s.fields {
		if f.required && !seen[f.name] {
			d.add(where, at, lab.Problem{Message: "a required key is missing: " + f.name})
		}
	}
}

// union reads a mapping whose one key selects the type of its value.
func (d *decoder) union(s *shape, n *yaml.Node, v reflect.Value, at *place, secret bool) {
	switch {
	case n.Kind == yaml.ScalarNode && s.kinds[n.Value] != nil:
		d.wrongKind(n, at, secret, "a mapping with one key", "write "+n.Value+": {}")
		return
	case n.Kind != yaml.MappingNode || len(n.Content) == 0:
		d.wrongKind(n, at, secret, "a mapping with one key", knownKeys(s.names))
		return
	case len(n.Content) > 2:
		// The usual slip is a value that is indented as far as its key.
		p := lab.Problem{Message: fmt.Sprintf("a mapping with one key is wanted, and this has %d", len(n.Content)/2)}
		if k := n.Content[0]; s.kinds[k.Value] != nil && isNull(n.Content[1]) {
			p.Hint = "indent what belongs to " + k.Value
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

// knownKeys is a hint of a few names, and empty for many.
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

var (
	decimal  = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)$`)
	fraction = regexp.MustCompile(`^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$`)
	octal    = regexp.MustCompile(`^0[0-7]{3,4}$`)
)

// scalar reads a single value.
func (d *decoder) scalar(s *shape, n *yaml.Node, v reflect.Value, at *place, secret bool) {
	want := map[kind]string{
		kindBool: "true or false", kindInt: "a whole number", kindUint: "a whole number", kindFloat: "a number", kindString: "text",
		kindDuration: "a duration", kindMode: "a file mode", kindText: "text",
	}[s.kind]
	tag := n.ShortTag()
	if n.Kind != yaml.ScalarNode || tag == "!!null" {
		hint := ""
		switch {
		case n.Kind != yaml.ScalarNode:
		case s.kind == kindString, s.kind == kindText:
			hint = `write "" if it is meant to be empty`
		default:
			hint = "write a value, or remove the key"
		}
		d.wrongKind(n, at, secret, want, hint)
		return
	}
	if !secret {
		d.doc.shown[n] = true
	}
	wrong := func(message, hint string) {
		p := lab.Problem{Message: message, Hint: hint}
		if !secret {
			p.Text = clip(n.Value)
		}
		d.add(n, at, p)
	}
	quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	switch s.kind {
	case kindBool:
		switch {
		case tag == "!!bool":
			v.SetBool(strings.EqualFold(n.Value, "true"))
		case quoted && slices.Contains([]string{"true", "false"}, n.Value):
			d.wrongKind(n, at, secret, want, "remove the quotes")
		default:
			d.wrongKind(n, at, secret, want, nearBool(n.Value))
		}
	case kindInt, kindUint:
		switch {
		case quoted && decimal.MatchString(n.Value):
			d.wrongKind(n, at, secret, want, "remove the quotes")
		case quoted || tag != "!!int" && tag != "!!float" || tag == "!!float" && !decimal.MatchString(n.Value):
			d.wrongKind(n, at, secret, want, "")
		case !decimal.MatchString(n.Value):
			wrong("a whole number is written in decimal digits, without a leading zero", "")
		case s.kind == kindInt:
			x, err := strconv.ParseInt(n.Value, 10, s.typ.Bits())
			if err != nil {
				lowest := int64(-1) << (s.typ.Bits() - 1)
				wrong(fmt.Sprintf("not between %d and %d", lowest, -(lowest+1)), "")
				return
			}
			v.SetInt(x)
		default:
			x, err := strconv.ParseUint(strings.TrimPrefix(n.Value, "+"), 10, s.typ.Bits())
			if err != nil {
				wrong(fmt.Sprintf("not between 0 and %d", uint64(math.MaxUint64)>>(64-s.typ.Bits())), "")
				return
			}
			v.SetUint(x)
		}
	case kindFloat:
		if quoted || tag != "!!int" && tag != "!!float" || !fraction.MatchString(n.Value) {
			hint := ""
			if quoted && fraction.MatchString(n.Value) {
				hint = "remove the quotes"
			}
			d.wrongKind(n, at, secret, "a finite number", hint)
			return
		}
		x, err := strconv.ParseFloat(n.Value, s.typ.Bits())
		if err != nil {
			wrong("too large for a number", "")
			return
		}
		v.SetFloat(x)
	case kindDuration:
		x, err := time.ParseDuration(n.Value)
		if err != nil || !quoted && tag == "!!int" {
			hint := "write 30s, 10m or 1h30m"
			if decimal.MatchString(n.Value) && !secret {
				hint = "add a unit: " + n.Value + "s"
			}
			wrong("not a duration", hint)
			return
		}
		v.SetInt(int64(x))
	case kindMode:
		if !octal.MatchString(n.Value) {
			hint := "write octal digits with a leading zero: 0644"
			if octal.MatchString("0"+n.Value) && !secret {
				hint = "write 0" + n.Value
			}
			wrong("not a file mode", hint)
			return
		}
		x, _ := strconv.ParseUint(n.Value, 8, 32)
		v.SetUint(uint64(fileMode(uint32(x))))
	case kindString:
		if !quoted && (tag == "!!int" || tag == "!!float" || tag == "!!bool") {
			hint := "quote it"
			if !secret && len(n.Value) < maxText {
				hint = "quote it: " + strconv.Quote(n.Value)
			}
			d.wrongKind(n, at, secret, want, hint)
			return
		}
		if d.oneOf(s, n, at, secret) {
			v.SetString(n.Value)
		}
	case kindText:
		if !d.oneOf(s, n, at, secret) {
			return
		}
		err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value))
		if err == nil {
			return
		}
		var ps lab.Problems
		if errors.As(err, &ps) {
			for _, p := range ps {
				if secret {
					p.Text = ""
				}
				p.Path = lab.Problems{p}.Under(at.String())[0].Path
				d.add(n, at, p)
			}
			return
		}
		hint := ""
		var le *lab.Error
		if errors.As(err, &le) {
			hint = le.Hint
		}
		switch {
		case !secret:
			wrong(err.Error(), hint)
		case s.secret: // the errors of lab's own types do not repeat the text
			d.add(n, at, lab.Problem{Message: err.Error(), Hint: hint})
		default:
			d.add(n, at, lab.Problem{Message: "not a value of this field"})
		}
	}
}

// oneOf reports whether n is one of the values that s allows.
func (d *decoder) oneOf(s *shape, n *yaml.Node, at *place, secret bool) bool {
	if s.values == nil || slices.Contains(s.values, n.Value) {
		return true
	}
	p := lab.Problem{Message: "not one of " + strings.Join(s.values, ", ")}
	if !secret {
		p.Text = clip(n.Value)
		if near := lab.Nearest(p.Text, s.values); near != "" {
			p.Hint = "nearest: " + near
		}
	}
	d.add(n, at, p)
	return false
}

// nearBool is the hint for what YAML 1.1 read as a boolean.
func nearBool(text string) string {
	switch strings.ToLower(text) {
	case "yes", "y", "on":
		return "write true"
	case "no", "n", "off":
		return "write false"
	}
	return ""
}

// fileMode returns the mode of 12 bits of chmod as Go has it.
func fileMode(bits uint32) fs.FileMode {
	m := fs.FileMode(bits & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if bits&bit != 0 {
			m |= flag
		}
	}
	return m
}

// free returns n as the Go value that it looks like.
func (d *decoder) free(n *yaml.Node, at *place) (any, bool) {
	if d.full() {
		return nil, false
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	good := true
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			x, ok := d.free(n.Content[i+1], at.key(n.Content[i].Value))
			m[n.Content[i].Value], good = x, good && ok
		}
		return m, good
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			x, ok := d.free(item, at.index(i))
			list[i], good = x, good && ok
		}
		return list, good
	}
	wrong := func(message, hint string) (any, bool) {
		d.add(n, at, lab.Problem{Message: message, Hint: hint})
		return nil, false
	}
	switch n.ShortTag() {
	case "!!null":
		return nil, true
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), true
	case "!!int":
		x, err := strconv.ParseInt(n.Value, 10, strconv.IntSize)
		switch {
		case !decimal.MatchString(n.Value):
			return wrong("YAML 1.1 and 1.2 read this number differently", "quote it, or write it in decimal digits without a leading zero")
		case err != nil:
			return wrong("a number too large", "quote it")
		}
		return int(x), true
	case "!!float":
		if n.Value == "-0" {
			return 0, true
		}
		if decimal.MatchString(n.Value) {
			return wrong("a number too large", "quote it")
		}
		x, err := strconv.ParseFloat(n.Value, 64)
		if !fraction.MatchString(n.Value) || err != nil {
			return wrong("not a finite decimal number", "quote it if it is text")
		}
		return x, true
	}
	quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	if hint := nearBool(n.Value); !quoted && len(n.Value) > 1 && hint != "" {
		return wrong("YAML 1.1 reads this as a boolean, and 1.2 as text", hint+", or quote it")
	}
	return n.Value, true
}
