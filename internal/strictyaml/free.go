package strictyaml

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// free returns n as the Go value that it looks like, and false if it is not clear which.
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
			return wrong("YAML 1.1 and 1.2 read this number differently",
				"quote it, or write it in decimal digits without a leading zero")
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
	if hint := nearBool(n.Value); !isQuoted(n) && len(n.Value) > 1 && hint != "" {
		return wrong("YAML 1.1 reads this as a boolean, and 1.2 as text", hint+", or quote it")
	}
	return n.Value, true
}
