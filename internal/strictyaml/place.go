package strictyaml

import (
	"slices"
	"strconv"
	"strings"
)

// place is a path in a document, as a list from its end, so that a path costs nothing until a problem needs it. Nil is the whole.
type place struct {
	parent *place
	name   string // of a mapping
	number int    // of a list, when name is empty
	list   bool
}

func (p *place) key(name string) *place { return &place{parent: p, name: name} }
func (p *place) index(i int) *place     { return &place{parent: p, number: i, list: true} }

// String returns the path: "apps[2].name", and "" for the whole.
func (p *place) String() string {
	var parts []string
	for ; p != nil; p = p.parent {
		switch {
		case p.list:
			parts = append(parts, "["+strconv.Itoa(p.number)+"]")
		case p.parent == nil:
			parts = append(parts, p.name)
		default:
			parts = append(parts, "."+p.name)
		}
	}
	slices.Reverse(parts)
	return strings.Join(parts, "")
}
