package strictyaml

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// explanation returns what the schema says of a place, without its fields and its example.
func (r *Reference) explanation(at position) Explanation {
	e := Explanation{Path: pathOf(at.keys), Required: at.required, Default: at.schema.Default, Doc: at.schema.Description}
	s := r.resolve(at.schema)
	e.Type, e.Values, e.Form = r.typeOf(at.schema), s.Enum, formOf(s)
	for s.Items != nil { // what is said of the elements holds for a list of them
		s = r.resolve(s.Items)
		e.Values = s.Enum
	}
	if o := s.others(); o != nil {
		s = r.resolve(o)
	}
	if e.Default == nil {
		if m := zeroValue.FindStringSubmatch(e.Doc); m != nil {
			e.Default = strings.TrimSpace(m[1])
		} else if e.Type == "true or false" && !e.Required {
			e.Default = false
		}
	}
	if s.Description != "" && s.Description != e.Doc {
		e.Doc = strings.TrimSpace(e.Doc + "\n\n" + s.Description)
	}
	return e
}

// zeroValue finds in the comment of a field what its zero value means, as our comments say it.
var zeroValue = regexp.MustCompile(`(?i)\b(?:empty|0|without it) means (?:that )?([^;.\n]+)`)

// typeOf returns the type of a value in words.
func (r *Reference) typeOf(s *schema) string {
	s = r.resolve(s)
	o := s.others()
	types := typesOf(s)
	switch {
	case s.Items != nil:
		return "list of " + r.typeOf(s.Items)
	case o != nil:
		return "mapping of names to " + r.typeOf(o)
	case isUnion(s):
		return "kinds of resources"
	case len(s.Properties) > 0 || slices.Contains(types, "object"):
		return "mapping"
	case s.Not != nil && len(types) == 0:
		return "secret, which no file may have"
	case s.Pattern == durationPattern:
		return "duration"
	case s.Pattern == octal.String():
		return "file mode"
	case s.Pattern == secretRefPattern:
		return "reference to a secret"
	case slices.Contains(types, "boolean") && len(types) == 1:
		return "true or false"
	case slices.Contains(types, "integer") && len(types) == 1:
		return "whole number"
	case slices.Contains(types, "number") && len(types) == 1:
		return "number"
	case slices.Contains(types, "string"):
		return "text"
	}
	return "any value"
}

// typesOf returns the types that JSON Schema names, without null.
func typesOf(s *schema) (types []string) {
	switch t := s.Type.(type) {
	case string:
		return []string{t}
	case []string:
		types = slices.Clone(t)
	case []any:
		for _, v := range t {
			types = append(types, fmt.Sprint(v))
		}
	}
	return slices.DeleteFunc(types, func(t string) bool { return t == "null" })
}

// formOf says how a value is written, if its type does not say it.
func formOf(s *schema) string {
	switch {
	case s.Pattern == durationPattern:
		return "30s, 10m, 1h30m"
	case s.Pattern == octal.String():
		return `octal digits with a leading zero: "0644"`
	case s.Pattern == secretRefPattern:
		return "env:NAME of a variable, or file:PATH"
	case s.Minimum != nil && s.Maximum != nil:
		return fmt.Sprintf("%d to %d", *s.Minimum, *s.Maximum)
	case s.Minimum != nil:
		return fmt.Sprintf("%d or more", *s.Minimum)
	}
	return ""
}
