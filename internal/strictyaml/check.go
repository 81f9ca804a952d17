package strictyaml

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// measure is the size of a value with its aliases expanded.
type measure struct{ values, height int }

// checker walks a document once and reports what YAML allows and this package does not.
type checker struct {
	file     string
	problems lab.Problems
	keys     map[*yaml.Node]*yaml.Node
	done     map[*yaml.Node]measure // of anchored nodes
}

func (c *checker) add(n *yaml.Node, at *place, p lab.Problem) {
	if len(c.problems) < maxProblems {
		p.File, p.Line, p.Column, p.Path = c.file, n.Line, n.Column, at.String()
		c.problems = append(c.problems, p)
	}
}

// node returns the size of a value, and false if the document is too large, which is then reported.
func (c *checker) node(n *yaml.Node, at *place, depth int) (m measure, ok bool) {
	m = measure{1, 1}
	grow := func(child measure) bool {
		m.values += child.values
		m.height = max(m.height, child.height+1)
		return m.values <= maxValues
	}
	if n.Kind != yaml.AliasNode && (n.Style&yaml.TaggedStyle != 0 || n.Tag == "!") {
		c.add(n, at, lab.Problem{Message: "a tag", Hint: "remove it, and quote text"})
	}
	switch n.Kind {
	case yaml.AliasNode:
		target, done := c.done[n.Alias]
		switch {
		case !done:
			c.add(n, at, lab.Problem{Message: "an alias inside its own anchor", Text: clip("*" + n.Value)})
			return m, true
		case depth+target.height > maxDepth:
			c.add(n, at, lab.Problem{Message: fmt.Sprintf("more than %d levels, with this alias expanded", maxDepth),
				Text: clip("*" + n.Value)})
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
func (c *checker) large(n *yaml.Node, at *place) bool {
	p := lab.Problem{Message: fmt.Sprintf("more than %d values", maxValues)}
	if n.Kind == yaml.AliasNode {
		p.Message += ", with this alias expanded"
		p.Text = clip("*" + n.Value)
	}
	c.add(n, at, p)
	return false
}

// key checks a key. seen has the lines of the keys before it.
func (c *checker) key(k *yaml.Node, at *place, seen map[string]int) {
	switch tag := k.ShortTag(); {
	case k.Kind != yaml.ScalarNode:
		c.add(k, at, lab.Problem{Message: "a key that is not text"})
	case tag == "!!merge":
		c.add(k, at, lab.Problem{Message: "merge keys are not supported", Text: "<<", Hint: "write the keys out"})
	case k.Style&yaml.TaggedStyle != 0:
		c.add(k, at, lab.Problem{Message: "a tag", Hint: "remove it, and quote text"})
	case tag == "!!null":
		c.add(k, at, lab.Problem{Message: "an empty key", Hint: "quote it if it is intended"})
	case tag == "!!int", tag == "!!float", tag == "!!bool":
		c.add(k, at, lab.Problem{Message: "a key that is not text", Text: clip(k.Value), Hint: "quote it"})
	case len(k.Value) > maxKey:
		c.add(k, at, lab.Problem{Message: fmt.Sprintf("a key of %d bytes; %d are allowed", len(k.Value), maxKey),
			Text: clip(k.Value)})
	default:
		if line, ok := seen[k.Value]; ok {
			c.add(k, at, lab.Problem{Message: "a duplicate key", Text: clip(k.Value),
				Hint: fmt.Sprintf("the first is on line %d", line)})
			return
		}
		seen[k.Value] = k.Line
	}
}
