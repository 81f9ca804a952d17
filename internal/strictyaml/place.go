package strictyaml

import (
	"slices"
	"strconv"
	"strings"
)

// place is a path in a document, linked from its end, so that it costs nothing until a problem
// needs it. Nil is the whole document.
type place struct {
	parent *place
	name   string // in a mapping
	number int    // in a list
	list   bool
}

func (p *place) key(name string) *place { return &place{parent: p, name: name} }
func (p *place) index(i int) *place     { return &place{parent: p, number: i, list: true} }

// String returns the path: "apps[2].name", or "" for the whole document.
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
