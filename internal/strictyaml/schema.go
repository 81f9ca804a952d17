package strictyaml

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Schema returns a JSON Schema (draft 2020-12) for editors, of the documents that Decode stores in
// a value like v: names, types, required keys, enumerations, the defaults of the tags and, from
// docs, descriptions. It accepts everything that Decode accepts; Decode refuses more, such as an
// invalid address. docs may be nil.
//
// Structs are under $defs by their Go names: "host.File". Two types with the same name are an error.
func Schema(v any, docs Docs, unions ...Union) ([]byte, error) {
	t := reflect.TypeOf(v)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return nil, fmt.Errorf("strictyaml: schema of nil")
	}
	s, err := newShapes(unions).of(t)
	if err != nil {
		return nil, err
	}
	w := schemaWriter{docs: docs, defs: map[string]*schema{}, types: map[string]reflect.Type{}}
	root, err := w.schema(s)
	if err != nil {
		return nil, err
	}
	root.Schema, root.Defs = "https://json-schema.org/draft/2020-12/schema", w.defs
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// schema is the part of JSON Schema that Go types need. The zero schema accepts everything.
type schema struct {
	Schema               string             `json:"$schema,omitempty"`
	Ref                  string             `json:"$ref,omitempty"`
	Description          string             `json:"description,omitempty"`
	Type                 any                `json:"type,omitempty"` // string or []string
	Enum                 []string           `json:"enum,omitempty"`
	Pattern              string             `json:"pattern,omitempty"`
	Minimum              *int64             `json:"minimum,omitempty"`
	Maximum              *uint64            `json:"maximum,omitempty"`
	Default              any                `json:"default,omitempty"`
	Items                *schema            `json:"items,omitempty"`
	Properties           map[string]*schema `json:"properties,omitempty"`
	Required             []string           `json:"required,omitempty"`
	AdditionalProperties any                `json:"additionalProperties,omitempty"` // *schema or bool
	MinProperties        int                `json:"minProperties,omitempty"`
	MaxProperties        int                `json:"maxProperties,omitempty"`
	AnyOf                []*schema          `json:"anyOf,omitempty"`
	Not                  *schema            `json:"not,omitempty"`
	Defs                 map[string]*schema `json:"$defs,omitempty"`
}

type schemaWriter struct {
	docs  Docs
	defs  map[string]*schema
	types map[string]reflect.Type // of defs
}

const secretRefPattern = `^((env|file):.+)?$`

const durationPattern = `^[-+]?(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`

func (w *schemaWriter) schema(s *shape) (*schema, error) {
	switch s.kind {
	case kindBool:
		return &schema{Type: "boolean"}, nil
	case kindInt:
		out := &schema{Type: "integer"}
		if bits := s.typ.Bits(); bits < 64 {
			low, high := int64(-1)<<(bits-1), uint64(1)<<(bits-1)-1
			out.Minimum, out.Maximum = &low, &high
		}
		return out, nil
	case kindUint:
		zero := int64(0)
		out := &schema{Type: "integer", Minimum: &zero}
		if bits := s.typ.Bits(); bits < 64 {
			high := uint64(math.MaxUint64) >> (64 - bits)
			out.Maximum = &high
		}
		return out, nil
	case kindFloat:
		return &schema{Type: "number"}, nil
	case kindString:
		return &schema{Type: "string", Enum: s.values}, nil
	case kindDuration:
		return &schema{Type: "string", Pattern: durationPattern}, nil
	case kindMode: // 0644 without quotes is a number to an editor
		return &schema{Type: []string{"string", "integer"}, Pattern: octal.String()}, nil
	case kindText:
		switch {
		case s.typ == reflect.TypeFor[lab.Secret]():
			return &schema{Not: &schema{}}, nil
		case s.typ == reflect.TypeFor[lab.SecretRef]():
			return &schema{Type: "string", Pattern: secretRefPattern}, nil
		case s.values != nil:
			return &schema{Type: "string", Enum: s.values}, nil
		}
		return &schema{Type: []string{"string", "number", "boolean"}}, nil // UnmarshalText gets the text of any of them
	case kindPointer:
		elem, err := w.schema(s.elem)
		return &schema{AnyOf: []*schema{elem, {Type: "null"}}}, err
	case kindList:
		elem, err := w.schema(s.elem)
		return &schema{Type: []string{"array", "null"}, Items: elem}, err
	case kindMap, kindKeyed:
		elem, err := w.schema(s.elem)
		return &schema{Type: []string{"object", "null"}, AdditionalProperties: elem}, err
	case kindStruct, kindUnion:
		if s.typ.Name() == "" {
			return w.object(s)
		}
		name := s.typ.String()
		if known := w.types[name]; known != nil && known != s.typ {
			return nil, fmt.Errorf("strictyaml: two types are named %s", name)
		} else if known == nil {
			w.types[name] = s.typ // before it is complete, because types may contain themselves
			object, err := w.object(s)
			if err != nil {
				return nil, err
			}
			w.defs[name] = object
		}
		return &schema{Ref: "#/$defs/" + name}, nil
	}
	return &schema{}, nil
}

// object returns the schema of a struct or union.
func (w *schemaWriter) object(s *shape) (*schema, error) {
	out := &schema{Description: w.docs[s.typ.String()], Type: "object",
		Properties: map[string]*schema{}, AdditionalProperties: false}
	if s.kind == kindUnion {
		out.MinProperties, out.MaxProperties = 1, 1
		for _, name := range s.names {
			elem := s.kinds[name]
			if elem.kind == kindPointer {
				elem = elem.elem
			}
			p, err := w.schema(elem)
			if err != nil {
				return nil, err
			}
			p.Description = w.docs[elem.typ.String()]
			out.Properties[name] = p
		}
		return out, nil
	}
	for _, f := range s.fields {
		p, err := w.schema(f.shape)
		if err != nil {
			return nil, err
		}
		p.Description = strings.TrimSpace(w.docs[f.owner.String()+"."+f.goName] + "\n\n" + w.docOfText(f.shape))
		if f.required {
			out.Required = append(out.Required, f.name)
			if f.shape.nullable() {
				p.Not = &schema{Type: "null"}
			}
		}
		if f.fallback != "" {
			if p.Default, err = fallback(f); err != nil {
				return nil, err
			}
		}
		out.Properties[f.name] = p
	}
	if len(out.Required) == 0 {
		out.Type = []string{"object", "null"}
	}
	return out, nil
}

// docOfText returns the comment of a type that is written as text, which has no schema of its own to hold
// it: how a mode or a reference is written.
func (w *schemaWriter) docOfText(s *shape) string {
	for s.kind == kindPointer || s.kind == kindList {
		s = s.elem
	}
	if s.kind != kindText {
		return ""
	}
	return w.docs[s.typ.String()]
}

// nullable reports whether Decode accepts null as an empty value.
func (s *shape) nullable() bool {
	switch s.kind {
	case kindAny, kindPointer, kindList, kindKeyed, kindMap:
		return true
	case kindStruct:
		for _, f := range s.fields {
			if f.required {
				return false
			}
		}
		return true
	}
	return false
}

// fallback returns the value of the tag default.
func fallback(f field) (v any, err error) {
	s := f.shape
	if s.kind == kindPointer {
		s = s.elem
	}
	switch s.kind {
	case kindBool:
		v, err = strconv.ParseBool(f.fallback)
	case kindInt, kindUint:
		v, err = strconv.ParseInt(f.fallback, 10, 64)
	case kindFloat:
		v, err = strconv.ParseFloat(f.fallback, 64)
	case kindList, kindKeyed, kindMap, kindStruct, kindUnion:
		err = fmt.Errorf("a field of this type cannot have a default")
	default:
		v = f.fallback
	}
	if err != nil {
		return nil, fmt.Errorf("strictyaml: %s.%s: the tag default: %w", f.owner, f.goName, err)
	}
	return v, nil
}
