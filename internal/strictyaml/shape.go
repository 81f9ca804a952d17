package strictyaml

import (
	"encoding"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// kind is how a Go type is decoded.
type kind int

const (
	kindAny kind = iota
	kindBool
	kindInt
	kindUint
	kindFloat
	kindString
	kindDuration
	kindMode
	kindText
	kindPointer
	kindList
	kindKeyed // a slice that is a mapping in the document
	kindMap
	kindStruct
	kindUnion
)

// shape is the form of a Go type in a document.
type shape struct {
	kind   kind
	typ    reflect.Type
	elem   *shape            // of pointers, lists and maps
	fields []field           // of structs, in the order of the type
	key    []int             // of structs: the index of the field that holds the key; nil if there is none
	kinds  map[string]*shape // of unions
	names  []string          // of structs and unions: the valid keys, in order
	values []string          // of strings: the valid values; nil if all are
	secret bool
}

type field struct {
	name     string
	index    []int
	shape    *shape
	required bool
	secret   bool
	fallback string       // of the tag default
	owner    reflect.Type // the struct that declares it
	goName   string
}

func (s *shape) field(name string) *field {
	for i := range s.fields {
		if s.fields[i].name == name {
			return &s.fields[i]
		}
	}
	return nil
}

// holdsSecret reports whether s contains a secret field: text in a wrong place may then be the secret.
func (s *shape) holdsSecret(seen map[*shape]bool) bool {
	if s == nil || seen[s] {
		return false
	}
	seen[s] = true
	if s.secret || s.elem.holdsSecret(seen) {
		return true
	}
	for _, f := range s.fields {
		if f.secret || f.shape.holdsSecret(seen) {
			return true
		}
	}
	for _, k := range s.kinds {
		if k.holdsSecret(seen) {
			return true
		}
	}
	return false
}

// shapes creates the shapes of types. Its errors are bugs of the program, not problems of a document.
type shapes struct {
	unions map[reflect.Type]Union
	made   map[reflect.Type]*shape
}

func newShapes(unions []Union) *shapes {
	s := &shapes{map[reflect.Type]Union{}, map[reflect.Type]*shape{}}
	for _, u := range unions {
		s.unions[u.of] = u
	}
	return s
}

func (ss *shapes) of(t reflect.Type) (*shape, error) {
	if s, ok := ss.made[t]; ok {
		return s, nil
	}
	s := &shape{typ: t}
	ss.made[t] = s // before it is complete, because types may contain themselves
	return s, ss.fill(s)
}

func (ss *shapes) fill(s *shape) error {
	t := s.typ
	isPlain := t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface
	switch {
	case t == reflect.TypeFor[lab.Secret](), t == reflect.TypeFor[lab.SecretRef]():
		s.kind, s.secret = kindText, true
	case t == reflect.TypeFor[time.Duration]():
		s.kind = kindDuration
	case t == reflect.TypeFor[fs.FileMode]():
		s.kind = kindMode
	case isPlain && reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		s.kind, s.values = kindText, valuesOf(t)
	default:
		if u, ok := ss.unions[t]; ok {
			return ss.fillUnion(s, u)
		}
		return ss.fillByKind(s)
	}
	return nil
}

func (ss *shapes) fillUnion(s *shape, u Union) (err error) {
	s.kind, s.kinds = kindUnion, map[string]*shape{}
	for k, t := range u.kinds {
		if t == nil {
			return fmt.Errorf("strictyaml: %s: the kind %q is nil", s.typ, k)
		}
		if s.kinds[k], err = ss.of(t); err != nil {
			return err
		}
		s.names = append(s.names, k)
	}
	slices.Sort(s.names)
	return nil
}

func (ss *shapes) fillByKind(s *shape) (err error) {
	t := s.typ
	switch t.Kind() {
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Errorf("strictyaml: %s: an interface without a Union", t)
		}
		s.kind = kindAny
	case reflect.Bool:
		s.kind = kindBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.kind = kindInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s.kind = kindUint
	case reflect.Float32, reflect.Float64:
		s.kind = kindFloat
	case reflect.String:
		s.kind, s.values = kindString, valuesOf(t)
	case reflect.Pointer:
		s.kind = kindPointer
		s.elem, err = ss.of(t.Elem())
	case reflect.Slice:
		s.kind = kindList
		if t.Elem().Kind() == reflect.Uint8 {
			return fmt.Errorf("strictyaml: %s: byte slices are not supported", t)
		}
		s.elem, err = ss.of(t.Elem())
		if err == nil && s.elem.kind == kindStruct && s.elem.key != nil {
			s.kind = kindKeyed
		}
	case reflect.Map:
		s.kind = kindMap
		if t.Key().Kind() != reflect.String {
			return fmt.Errorf("strictyaml: %s: keys must be strings", t)
		}
		s.elem, err = ss.of(t.Elem())
	case reflect.Struct:
		s.kind = kindStruct
		if err := ss.fields(s, t, nil); err != nil {
			return err
		}
		for i, f := range s.fields {
			if slices.Contains(s.names, f.name) {
				return fmt.Errorf("strictyaml: %s: two fields are named %q", t, s.fields[i].name)
			}
			s.names = append(s.names, f.name)
		}
	default:
		return fmt.Errorf("strictyaml: %s: this type is not supported", t)
	}
	return err
}

// fields adds the fields of t, which is s.typ or an inline struct in it at index.
func (ss *shapes) fields(s *shape, t reflect.Type, index []int) error {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("yaml")
		if !ok || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		at := append(slices.Clone(index), i)
		out := field{name: name, index: at, fallback: f.Tag.Get("default"), owner: t, goName: f.Name}
		inline, key := false, false
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "":
			case "required":
				out.required = true
			case "secret":
				out.secret = true
			case "inline":
				inline = true
			case "key":
				key = true
			default:
				return fmt.Errorf("strictyaml: %s.%s: unknown option %q in its tag", t, f.Name, option)
			}
		}
		switch {
		case !f.IsExported() && !(inline && f.Anonymous):
			return fmt.Errorf("strictyaml: %s.%s: the field is not exported", t, f.Name)
		case inline && f.Type.Kind() != reflect.Struct:
			return fmt.Errorf("strictyaml: %s.%s: only a struct can be inline", t, f.Name)
		case inline:
			if err := ss.fields(s, f.Type, at); err != nil {
				return err
			}
			continue
		case key && f.Type.Kind() != reflect.String:
			return fmt.Errorf("strictyaml: %s.%s: a key must be a string", t, f.Name)
		case key:
			s.key = at
			continue
		case name == "":
			return fmt.Errorf("strictyaml: %s.%s: its tag has no name", t, f.Name)
		}
		var err error
		if out.shape, err = ss.of(f.Type); err != nil {
			return err
		}
		s.fields = append(s.fields, out)
	}
	return nil
}

// valuesOf returns the values that a type allows; nil if it does not restrict them.
func valuesOf(t reflect.Type) []string {
	if v, ok := reflect.New(t).Interface().(interface{ Values() []string }); ok {
		return v.Values()
	}
	return nil
}
