package strictyaml

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Reference answers what may be written in a document, from its schema.
type Reference struct {
	root     *schema
	unions   map[string]position // how a kind is reached, by its name
	examples []*yaml.Node
}

// position is a place in a schema.
type position struct {
	schema   *schema
	keys     []string // how it is reached from the whole document; "" is any element of a list or mapping
	required bool
}

// Explanation says what may be written at a place in a document.
type Explanation struct {
	Path     string        `json:"path"`     // "stacks.gitea.image"; "[]" is each element of a list, "*" each key of a mapping
	Type     string        `json:"type"`     // in words: "text", "list of text", "mapping"
	Required bool          `json:"required"` // it must be there
	Default  any           `json:"default,omitempty"`
	Values   []string      `json:"values,omitempty"`  // the only ones that are allowed; empty means that others are too
	Form     string        `json:"form,omitempty"`    // how it is written, if the type does not say; "0 to 65535"
	Doc      string        `json:"doc,omitempty"`     // the comments of the field and of its type
	Example  string        `json:"example,omitempty"` // YAML
	Fields   []Explanation `json:"fields,omitempty"`  // of a mapping with known keys, their paths being the keys
}

// NewReference returns the reference of the documents that a schema of [Schema] describes. Examples
// are whole documents, of which parts are shown; of what they do not have, an example is made up.
func NewReference(schemaJSON []byte, examples ...[]byte) (*Reference, error) {
	r := &Reference{unions: map[string]position{}}
	if err := json.Unmarshal(schemaJSON, &r.root); err != nil {
		return nil, fmt.Errorf("strictyaml: schema: %w", err)
	}
	for _, text := range examples {
		var n yaml.Node
		if err := yaml.Unmarshal(text, &n); err != nil {
			return nil, fmt.Errorf("strictyaml: example: %w", err)
		}
		r.examples = append(r.examples, n.Content...)
	}
	r.findUnions(position{schema: r.root}, map[*schema]bool{})
	return r, nil
}

// Sections returns the keys of the document, in alphabetical order.
func (r *Reference) Sections() []string {
	return slices.Sorted(maps.Keys(r.resolve(r.root).Properties))
}

// Kinds returns the keys that select a type, see [Union], in alphabetical order.
func (r *Reference) Kinds() []string { return slices.Sorted(maps.Keys(r.unions)) }

// Explain returns what may be written at a path: a section, "stacks", a kind, "file", or a field of
// one of them, "file.mode". Indexes and keys of mappings may be left out, or be there as in the paths
// of problems: "resources[0].state[1].file.mode", "inventory.hosts.pi1.address". The empty path is
// the whole document. The error is an [lab.ErrNotFound] with the nearest words.
func (r *Reference) Explain(path string) (*Explanation, error) {
	words := strings.FieldsFunc(indexes.ReplaceAllString(path, ""), func(c rune) bool { return c == '.' })
	at := position{schema: r.root}
	if len(words) > 0 && r.resolve(r.root).Properties[words[0]] == nil {
		if kind, ok := r.unions[words[0]]; ok {
			at, words = kind, words[1:]
		}
	}
	for len(words) > 0 {
		next, used, err := r.descend(at, words)
		if err != nil {
			return nil, &lab.Error{Op: "explain", Path: path, Hint: r.hint(at, words[0]), Err: err}
		}
		at, words = next, words[used:]
	}
	e := r.explanation(at)
	e.Example = r.example(at)
	s := r.resolve(at.schema)
	for s.Items != nil {
		s = r.resolve(s.Items)
	}
	if o := s.others(); o != nil {
		s = r.resolve(o)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		f := r.explanation(position{s.Properties[name], []string{name}, slices.Contains(s.Required, name)})
		e.Fields = append(e.Fields, f)
	}
	return &e, nil
}

// indexes are those of lists in a path.
var indexes = regexp.MustCompile(`\[[0-9]*\]`)

// descend goes one word down, or several where they are one key with dots in it. used is how many.
func (r *Reference) descend(at position, words []string) (_ position, used int, err error) {
	s := r.resolve(at.schema)
	keys := slices.Clone(at.keys)
	for s.Items != nil {
		s, keys = r.resolve(s.Items), append(keys, "")
	}
	if o := s.others(); o != nil {
		elem, under := r.resolve(o), append(keys, "")
		for elem.Items != nil {
			elem, under = r.resolve(elem.Items), append(under, "")
		}
		switch {
		case elem.Properties[words[0]] != nil: // the key is left out
			s, keys = elem, under
		case len(elem.Properties) == 0: // words.of.a.key
			return position{schema: o, keys: append(keys, "")}, len(words), nil
		case len(words) == 1 && lab.Nearest(words[0], slices.Collect(maps.Keys(elem.Properties))) != "":
			s = elem
		default:
			return position{schema: o, keys: append(keys, "")}, 1, nil
		}
	}
	if p := s.Properties[words[0]]; p != nil {
		return position{p, append(keys, words[0]), slices.Contains(s.Required, words[0])}, 1, nil
	}
	where := "the document"
	if len(at.keys) > 0 {
		where = pathOf(at.keys)
	}
	if len(s.Properties) == 0 {
		return at, 0, fmt.Errorf("%w: %s has no fields: its type is %s", lab.ErrNotFound, where, r.typeOf(at.schema))
	}
	return at, 0, fmt.Errorf("%w: %s has no %s", lab.ErrNotFound, where, lab.Printable(words[0]))
}

// hint returns what may have been meant by a word that is not found at a place.
func (r *Reference) hint(at position, word string) string {
	s := r.resolve(at.schema)
	for s.Items != nil || s.others() != nil {
		if s.Items != nil {
			s = r.resolve(s.Items)
		} else {
			s = r.resolve(s.others())
		}
	}
	names := slices.Sorted(maps.Keys(s.Properties))
	if len(at.keys) == 0 {
		names = append(names, r.Kinds()...)
	}
	if near := lab.Nearest(word, names); near != "" {
		return "nearest: " + near
	}
	if deep := r.named(word); len(at.keys) == 0 && len(deep) > 0 {
		return "nearest: " + strings.Join(deep, ", ")
	}
	if len(names) > 0 {
		return "there are: " + strings.Join(names, ", ")
	}
	return ""
}

// named returns the first few paths whose last word is the given one.
func (r *Reference) named(word string) (paths []string) {
	seen := map[*schema]bool{}
	var visit func(s *schema, keys []string)
	visit = func(s *schema, keys []string) {
		s = r.resolve(s)
		switch o := s.others(); {
		case seen[s] || len(paths) >= 3:
		case s.Items != nil:
			visit(s.Items, keys)
		case o != nil:
			visit(o, keys)
		default:
			seen[s] = true
			for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
				path := append(slices.Clone(keys), name)
				if _, ok := r.unions[name]; ok && isUnion(s) {
					path = []string{name}
				}
				if strings.EqualFold(name, word) && len(paths) < 3 {
					paths = append(paths, strings.Join(path, "."))
				}
				visit(s.Properties[name], path)
			}
		}
	}
	visit(r.root, nil)
	return paths
}

// findUnions fills in unions.
func (r *Reference) findUnions(at position, seen map[*schema]bool) {
	s := r.resolve(at.schema)
	if seen[s] {
		return
	}
	seen[s] = true
	if s.Items != nil {
		r.findUnions(position{schema: s.Items, keys: append(slices.Clone(at.keys), "")}, seen)
	}
	if o := s.others(); o != nil {
		r.findUnions(position{schema: o, keys: append(slices.Clone(at.keys), "")}, seen)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		under := position{schema: s.Properties[name], keys: append(slices.Clone(at.keys), name)}
		if _, known := r.unions[name]; isUnion(s) && !known {
			r.unions[name] = under
		}
		r.findUnions(under, seen)
	}
}

// isUnion reports whether the schema is that of a [Union].
func isUnion(s *schema) bool { return s.MinProperties == 1 && s.MaxProperties == 1 }

// resolve follows references, and takes what is not null.
func (r *Reference) resolve(s *schema) *schema {
	for {
		switch name, isRef := strings.CutPrefix(s.Ref, "#/$defs/"); {
		case isRef && r.root.Defs[name] != nil:
			s = r.root.Defs[name]
		case len(s.AnyOf) > 0:
			s = s.AnyOf[0]
		default:
			return s
		}
	}
}

// others returns the schema of the values of a mapping whose keys are free; nil if it is none.
func (s *schema) others() *schema {
	m, ok := s.AdditionalProperties.(map[string]any)
	if !ok {
		return nil
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil
	}
	out := &schema{}
	if json.Unmarshal(text, out) != nil {
		return nil
	}
	return out
}

// pathOf returns keys as a path: "inventory.hosts.*.address", "resources[].on".
func pathOf(keys []string) string {
	var b strings.Builder
	for i, k := range keys {
		switch {
		case k == "":
			b.WriteString("[]")
			continue
		case i > 0:
			b.WriteByte('.')
		}
		b.WriteString(k)
	}
	return b.String()
}
