package strictyaml

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// example returns a part of an example document that has the place, or one that is made up.
func (r *Reference) example(at position) string {
	if len(at.keys) == 0 {
		return ""
	}
	var value *yaml.Node
	for _, doc := range r.examples {
		if value = find(doc, at.keys); value != nil {
			break
		}
	}
	if value == nil {
		value = &yaml.Node{}
		if value.Encode(r.makeUp(at.schema, 0)) != nil {
			return ""
		}
	}
	keys := at.keys
	last := keys[len(keys)-1]
	for last == "" { // an element: show what it is in
		keys = keys[:len(keys)-1]
		last = keys[len(keys)-1]
		value = r.around(keys, value)
	}
	value = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: last}, value}}
	if _, isKind := r.unions[last]; isKind && len(keys) > 1 && keys[len(keys)-2] == "" {
		value = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{value}}
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if e.Encode(uncommented(value)) != nil || e.Close() != nil {
		return ""
	}
	return b.String()
}

// around returns the list or mapping at keys with one element.
func (r *Reference) around(keys []string, value *yaml.Node) *yaml.Node {
	at := position{schema: r.root}
	for i, k := range keys {
		s := r.resolve(at.schema)
		switch o := s.others(); {
		case k != "":
			at.schema = s.Properties[k]
		case s.Items != nil:
			at.schema = s.Items
		default:
			at.schema = o
		}
		if at.schema == nil {
			return value
		}
		at.keys = keys[:i+1]
	}
	if r.resolve(at.schema).Items != nil {
		return &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{value}}
	}
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "name"}, value}}
}

// find returns the first value at keys in a document; nil if there is none.
func find(n *yaml.Node, keys []string) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if len(keys) == 0 {
		return n
	}
	for i, c := range n.Content {
		switch {
		case n.Kind == yaml.MappingNode && i%2 == 0:
			continue
		case n.Kind == yaml.MappingNode && keys[0] != "" && n.Content[i-1].Value != keys[0]:
			continue
		case n.Kind != yaml.MappingNode && keys[0] != "":
			continue
		}
		if v := find(c, keys[1:]); v != nil {
			return v
		}
	}
	return nil
}

// uncommented returns the node without its comments.
func uncommented(n *yaml.Node) *yaml.Node {
	out := *n
	out.HeadComment, out.LineComment, out.FootComment, out.Anchor = "", "", "", ""
	out.Content = nil
	for _, c := range n.Content {
		out.Content = append(out.Content, uncommented(c))
	}
	return &out
}

var (
	quotedExample = regexp.MustCompile(`"([^"]+)"`)
	zeroMeans     = regexp.MustCompile(`0 means (\d+)`)
)

// makeUp returns a value that the schema accepts: what the comment names, where it names one.
func (r *Reference) makeUp(s *schema, depth int) any {
	doc := s.Description
	def := s.Default
	s = r.resolve(s)
	o := s.others()
	types := typesOf(s)
	switch {
	case def != nil:
		return def
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Items != nil:
		if depth > 4 {
			return []any{}
		}
		return []any{r.makeUp(&schema{AnyOf: []*schema{s.Items}, Description: doc}, depth+1)}
	case o != nil:
		if depth > 4 {
			return map[string]any{}
		}
		return map[string]any{"name": r.makeUp(o, depth+1)}
	case len(s.Properties) > 0:
		return r.makeUpMapping(s, depth)
	case s.Pattern == durationPattern:
		return "30s"
	case s.Pattern == octal.String():
		return "0644"
	case s.Pattern == secretRefPattern:
		return "file:~/.arcodange/secret"
	case slices.Equal(types, []string{"boolean"}):
		return true
	case slices.Equal(types, []string{"integer"}), slices.Equal(types, []string{"number"}):
		n := 1
		if m := zeroMeans.FindStringSubmatch(doc); m != nil {
			_, _ = fmt.Sscan(m[1], &n)
		}
		return n
	}
	if m := quotedExample.FindStringSubmatch(doc); m != nil && !strings.Contains(m[1], ": ") {
		return m[1]
	}
	return "text"
}

// makeUpMapping returns the required fields of a mapping, or its first one; one kind of a union.
func (r *Reference) makeUpMapping(s *schema, depth int) map[string]any {
	out := map[string]any{}
	names := slices.Sorted(maps.Keys(s.Properties))
	for _, name := range names {
		if slices.Contains(s.Required, name) && depth <= 8 {
			out[name] = r.makeUp(s.Properties[name], depth+1)
		}
	}
	if len(out) == 0 && depth <= 4 {
		out[names[0]] = r.makeUp(s.Properties[names[0]], depth+1)
	}
	return out
}
