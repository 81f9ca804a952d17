package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Host is a machine of an [Inventory], resolved with its groups. Do not change it.
type Host struct {
	Name    string
	Address string // empty if Local
	Port    int    // 0 if Local
	User    string // empty if the inventory does not set it
	Jump    []string
	Local   bool

	// Groups are the names, sorted, of the groups that contain the host, directly or through children,
	// without "all" and "ungrouped".
	Groups []string

	// Vars are the variables of the inventory, of the host's groups, parents before children, and
	// of the host itself. The last definition of a variable counts as a whole: lists and mappings
	// are not merged. This is Ansible's precedence.
	Vars map[string]any
}

// Inventory is a set of hosts and groups. It is immutable, and safe for concurrent use.
type Inventory struct {
	hosts      []*Host // in the order of the spec
	byName     map[string]*Host
	groups     []*group // "all", "ungrouped", and the others in the order of the spec
	groupNamed map[string]*group
	unsure     map[string]bool // groups whose hosts are not all known, see Partial; nil means none
}

type group struct {
	name     string
	index    int     // in Inventory.groups
	hosts    []*Host // without those of its children
	children []*group
	parents  []*group
	depth    int // the longest path from "all", which has 0
	priority int
	vars     map[string]any
}

const (
	groupAll       = "all"
	groupUngrouped = "ungrouped"
)

// New validates the spec and resolves it. The error is a [lab.Problems] with everything that is
// wrong. Its paths are those of the document: "hosts.pi1.address".
func New(spec Spec) (*Inventory, error) {
	if ps := spec.validate(); len(ps) > 0 {
		return nil, ps.Err()
	}
	return build(spec), nil
}

// build resolves a spec that is right.
func build(spec Spec) *Inventory {
	inv := &Inventory{byName: map[string]*Host{}, groupNamed: map[string]*group{}}
	inv.addHosts(spec.Hosts)
	inv.addGroups(spec)
	inv.resolveHosts(spec)
	return inv
}

func (inv *Inventory) addHosts(specs []HostSpec) {
	for _, s := range specs {
		h := &Host{Name: s.Name, Address: s.Address, Port: s.Port, User: s.User, Jump: slices.Clone(s.Jump), Local: s.Local}
		if !h.Local {
			h.Address, h.Port = cmp.Or(h.Address, h.Name), cmp.Or(h.Port, 22)
		}
		inv.hosts = append(inv.hosts, h)
		inv.byName[h.Name] = h
	}
}

func (inv *Inventory) addGroups(spec Spec) {
	all := &group{name: groupAll, hosts: inv.hosts, vars: spec.Vars}
	inv.groups = []*group{all, {name: groupUngrouped}}
	for _, s := range spec.Groups {
		g := &group{name: s.Name, priority: s.Priority, vars: s.Vars}
		for _, name := range s.Hosts {
			g.hosts = append(g.hosts, inv.byName[name])
		}
		inv.groups = append(inv.groups, g)
	}
	for i, g := range inv.groups {
		g.index = i
		inv.groupNamed[g.name] = g
	}
	for _, s := range spec.Groups {
		g := inv.groupNamed[s.Name]
		for _, name := range s.Children {
			child := inv.groupNamed[name]
			g.children = append(g.children, child)
			child.parents = append(child.parents, g)
		}
	}
	for _, g := range inv.groups[1:] {
		if len(g.parents) == 0 {
			all.children = append(all.children, g)
			g.parents = append(g.parents, all)
		}
	}
	for _, g := range inv.groups[1:] {
		g.setDepth(1)
	}
}

// setDepth puts the group at this depth or deeper, and its children below it.
func (g *group) setDepth(depth int) {
	if depth <= g.depth {
		return
	}
	g.depth = depth
	for _, c := range g.children {
		c.setDepth(depth + 1)
	}
}

// resolveHosts sets the groups and the variables of each host.
func (inv *Inventory) resolveHosts(spec Spec) {
	of := map[*Host][]*group{}
	for _, g := range inv.groups[2:] {
		for _, h := range g.members() {
			of[h] = append(of[h], g)
		}
	}
	ungrouped := inv.groups[1]
	for i, h := range inv.hosts {
		groups := of[h]
		if len(groups) == 0 {
			ungrouped.hosts = append(ungrouped.hosts, h)
		}
		slices.SortFunc(groups, func(a, b *group) int {
			return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.priority, b.priority), cmp.Compare(a.name, b.name))
		})
		h.Vars = map[string]any{}
		maps.Copy(h.Vars, spec.Vars)
		for _, g := range groups {
			maps.Copy(h.Vars, g.vars)
			h.Groups = append(h.Groups, g.name)
		}
		maps.Copy(h.Vars, spec.Hosts[i].Vars)
		slices.Sort(h.Groups)
	}
}

// members returns the hosts of the group, each once: first its own, then those of its children as
// they are listed, then level by level those of their children, of one child after the other in
// inventory order.
func (g *group) members() []*Host {
	var hosts []*Host
	seen, visited := map[*Host]bool{}, map[*group]bool{g: true}
	for level := []*group{g}; len(level) > 0; {
		for _, g := range level {
			for _, h := range g.hosts {
				if !seen[h] {
					seen[h] = true
					hosts = append(hosts, h)
				}
			}
		}
		var below []*group
		slices.SortFunc(level, func(a, b *group) int { return cmp.Compare(a.index, b.index) })
		for _, g := range level {
			for _, c := range g.children {
				if !visited[c] {
					visited[c] = true
					below = append(below, c)
				}
			}
		}
		level = below
	}
	return hosts
}

// Hosts returns every host, in inventory order.
func (inv *Inventory) Hosts() []*Host { return slices.Clone(inv.hosts) }

// Host returns the host with this name. For an unknown name the error is an [lab.ErrNotFound] whose
// hint is the nearest name.
func (inv *Inventory) Host(name string) (*Host, error) {
	if h := inv.byName[name]; h != nil {
		return h, nil
	}
	return nil, &lab.Error{Op: "find host", Target: name, Hint: nearest(name, slices.Collect(maps.Keys(inv.byName))),
		Err: fmt.Errorf("%w in the inventory", lab.ErrNotFound)}
}

// Groups returns the names of the groups, "all" and "ungrouped" first.
func (inv *Inventory) Groups() []string {
	names := make([]string, len(inv.groups))
	for i, g := range inv.groups {
		names[i] = g.name
	}
	return names
}

// nearest returns a hint with the candidate that was probably meant; empty if there is none.
func nearest(name string, candidates []string) string {
	if near := lab.Nearest(name, candidates); near != "" {
		return "nearest: " + near
	}
	return ""
}
