package inventory

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Partial returns the inventory of what is right in a spec that has problems, to validate patterns by:
// what is wrong in one group shall say nothing of the others. problems are those of [New], and any others
// that are known of the spec; their paths are those of the document. What depends on a group with a
// problem is not known, see [Inventory.Sure]. It is nil when not even the names are known.
//
// Never select by it the hosts that something is done to.
func Partial(spec Spec, problems lab.Problems) *Inventory {
	right := Spec{Vars: spec.Vars}
	known := map[string]bool{groupAll: true, groupUngrouped: true, "": true}
	for _, h := range spec.Hosts {
		if !known[h.Name] {
			known[h.Name] = true
			right.Hosts = append(right.Hosts, h)
		}
	}
	if len(right.Hosts) == 0 || slices.ContainsFunc(problems, func(p lab.Problem) bool {
		return p.Path == "" || p.Path == "groups" && len(spec.Groups) == 0
	}) {
		return nil
	}
	for _, g := range spec.Groups {
		if !known[g.Name] {
			known[g.Name] = true
			right.Groups = append(right.Groups, g)
		}
	}
	unsure := map[string]bool{}
	for i, g := range right.Groups {
		right.Groups[i].Hosts, right.Groups[i].Children = nil, nil
		for _, name := range g.Hosts {
			if slices.ContainsFunc(right.Hosts, func(h HostSpec) bool { return h.Name == name }) {
				right.Groups[i].Hosts = append(right.Groups[i].Hosts, name)
			}
		}
		unsure[g.Name] = slices.ContainsFunc(problems, func(p lab.Problem) bool {
			path := "groups." + g.Name
			return p.Path == path || strings.HasPrefix(p.Path, path+".")
		})
	}
	addChildren(&right, spec, unsure)
	inv := build(right)
	inv.unsure = unsure
	return inv
}

// addChildren gives the groups their children, but for those that are none and those that would contain
// themselves, and notes which of them are not known as a whole: what contains one is not either.
func addChildren(right *Spec, spec Spec, unsure map[string]bool) {
	index := func(name string) int {
		return slices.IndexFunc(right.Groups, func(g GroupSpec) bool { return g.Name == name })
	}
	var contains func(group int, name string) bool
	contains = func(group int, name string) bool {
		return right.Groups[group].Name == name || slices.ContainsFunc(right.Groups[group].Children, func(child string) bool {
			return contains(index(child), name)
		})
	}
	for _, g := range spec.Groups {
		i := index(g.Name)
		for _, child := range g.Children {
			switch j := index(child); {
			case i < 0 || slices.Contains(right.Groups[i].Children, child):
			case j < 0 || contains(j, g.Name):
				unsure[g.Name] = true
			default:
				right.Groups[i].Children = append(right.Groups[i].Children, child)
			}
		}
	}
	for range right.Groups { // as deep as they are nested
		for _, g := range right.Groups {
			unsure[g.Name] = unsure[g.Name] || slices.ContainsFunc(g.Children, func(child string) bool { return unsure[child] })
		}
	}
}

// Sure reports whether it is known which hosts the pattern selects: always, but for an inventory of
// [Partial], when the pattern names a group, or matches one, that has a problem or contains one that has.
func (inv *Inventory) Sure(pattern string) bool {
	for _, text := range splitPattern(pattern) {
		t := parseTerm(text)
		match, err := t.matcher()
		for name, unsure := range inv.unsure {
			if unsure && (t.expr == groupUngrouped || err == nil && match(name)) {
				return false
			}
		}
	}
	return true
}
