package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Spec is an inventory as it is written down. In a document, hosts and groups are mappings, whose order counts:
//
//	hosts:
//	  pi1: {address: 192.168.1.201, user: pi}
//	  localhost: {local: true}
//	groups:
//	  raspberries: {hosts: [pi1]}
type Spec struct {
	Hosts  []HostSpec     `yaml:"hosts,required"` // in inventory order
	Groups []GroupSpec    `yaml:"groups"`         // beside these there are "all", every host, and "ungrouped", those in no group
	Vars   map[string]any `yaml:"vars"`           // of every host
}

// HostSpec is one machine of an inventory.
type HostSpec struct {
	Name    string   `yaml:",key"`    // letters, digits and ._- , and not digits only
	Address string   `yaml:"address"` // host name or IP address, without a port; empty means Name
	Port    int      `yaml:"port"`    // of SSH; 0 means 22
	User    string   `yaml:"user"`    // who logs in; empty leaves it to the program
	Jump    []string `yaml:"jump"`    // the machines to go through, the first dialled first: hosts of the inventory, or addresses with a dot or a port; their own jumps do not count

	// Local says that the host is the machine that the program runs on: nothing is dialled, and it has neither address, port, user nor jump.
	// An inventory has one at most.
	Local bool `yaml:"local"`

	Vars map[string]any `yaml:"vars"` // of this host; they win over those of its groups
}

// GroupSpec is a group of hosts.
type GroupSpec struct {
	Name     string         `yaml:",key"`     // letters, digits and ._- , and not digits only
	Hosts    []string       `yaml:"hosts"`    // by name, in the order that they are selected in
	Children []string       `yaml:"children"` // groups whose hosts are of this group too
	Vars     map[string]any `yaml:"vars"`     // of its hosts; a child's win over its parent's
	Priority int            `yaml:"priority"` // among groups of the same depth, the variables of the highest win, and of equals those of the last by name
}

// Host is a machine of an [Inventory], with what follows from its groups. It is read only.
type Host struct {
	Name    string
	Address string // empty when Local
	Port    int    // 0 when Local
	User    string // empty when the inventory does not say
	Jump    []string
	Local   bool
	Groups  []string // those that it is in, also by their children, by name, without "all" and "ungrouped"

	// Vars are the variables of the inventory, of its groups, parents before children, and of the host. The last one counts, whole: lists and
	// mappings are not merged. It is the precedence of Ansible.
	Vars map[string]any
}

// Inventory is hosts and groups that [New] accepted. It is not changed, and safe for concurrent use.
type Inventory struct {
	hosts      []*Host // in the order of the spec
	byName     map[string]*Host
	groups     []*group // "all", "ungrouped", and the others in the order of the spec
	groupNamed map[string]*group
}

type group struct {
	name     string
	index    int     // in Inventory.groups
	hosts    []*Host // its own
	children []*group
	parents  []*group
	depth    int // 0 is "all"; of others the longest way from there
	priority int
	vars     map[string]any
}

const (
	groupAll       = "all"
	groupUngrouped = "ungrouped"
)

// New checks the spec and resolves it. The error is a [lab.Problems] with everything that is wrong; paths are as in the document:
// "hosts.pi1.address".
func New(spec Spec) (*Inventory, error) {
	c := validation{spec: spec, hosts: map[string]bool{}, groups: map[string]int{}}
	if ps := c.problems(); len(ps) > 0 {
		return nil, ps.Err()
	}
	inv := &Inventory{byName: map[string]*Host{}, groupNamed: map[string]*group{}}
	all := &group{name: groupAll, vars: spec.Vars}
	ungrouped := &group{name: groupUngrouped}
	inv.groups = []*group{all, ungrouped}
	for _, s := range spec.Hosts {
		h := &Host{Name: s.Name, Address: s.Address, Port: s.Port, User: s.User, Jump: slices.Clone(s.Jump), Local: s.Local}
		if !h.Local {
			h.Address, h.Port = cmp.Or(h.Address, h.Name), cmp.Or(h.Port, 22)
		}
		inv.hosts = append(inv.hosts, h)
		inv.byName[h.Name] = h
	}
	all.hosts = inv.hosts
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
		g.sink(1)
	}
	of := map[*Host][]*group{}
	for _, g := range inv.groups[2:] {
		for _, h := range g.members() {
			of[h] = append(of[h], g)
		}
	}
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
	return inv, nil
}

// sink puts the group at this depth at least, and its children below it.
func (g *group) sink(depth int) {
	if depth <= g.depth {
		return
	}
	g.depth = depth
	for _, c := range g.children {
		c.sink(depth + 1)
	}
}

// members returns the hosts of the group, each once: its own first, then those of its children as they are listed, then those of their children, of
// one child after the other in inventory order, and so on.
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

// Host returns the host of this name; another is a [lab.ErrNotFound] that says which name is nearest.
func (inv *Inventory) Host(name string) (*Host, error) {
	if h := inv.byName[name]; h != nil {
		return h, nil
	}
	return nil, &lab.Error{Op: "find host", Target: name, Hint: nearest(name, slices.Collect(maps.Keys(inv.byName))), Err: fmt.Errorf("%w in the inventory", lab.ErrNotFound)}
}

// Groups returns the names of the groups, "all" and "ungrouped" first.
func (inv *Inventory) Groups() []string {
	names := make([]string, len(inv.groups))
	for i, g := range inv.groups {
		names[i] = g.name
	}
	return names
}

// nearest returns the hint that names the candidate that name was meant to be.
func nearest(name string, candidates []string) string {
	if near := lab.Nearest(name, candidates); near != "" {
		return "nearest: " + near
	}
	return ""
}

// validation finds what is wrong with a spec.
type validation struct {
	spec   Spec
	hosts  map[string]bool
	groups map[string]int // index in the spec
	found  lab.Problems
}

func (c *validation) add(path, message, text, hint string) {
	c.found = append(c.found, lab.Problem{Path: path, Message: message, Text: text, Hint: hint})
}

func (c *validation) problems() lab.Problems {
	if len(c.spec.Hosts) == 0 {
		c.add("hosts", "an inventory without a host", "", "")
	}
	for i, h := range c.spec.Hosts {
		c.name("hosts", i, h.Name, "host")
		if c.hosts[h.Name] && h.Name != "" {
			c.add("hosts."+h.Name, "two hosts have this name", "", "")
		}
		c.hosts[h.Name] = true
	}
	for i, g := range c.spec.Groups {
		c.name("groups", i, g.Name, "group")
		if _, twice := c.groups[g.Name]; twice && g.Name != "" {
			c.add("groups."+g.Name, "two groups have this name", "", "")
		} else if c.hosts[g.Name] && g.Name != "" {
			c.add("groups."+g.Name, "a host has this name too", "", "rename one of them: a pattern could mean either")
		}
		c.groups[g.Name] = i
	}
	c.addresses()
	for i, g := range c.spec.Groups {
		c.members(fmt.Sprintf("groups.%s.hosts", g.Name), g.Hosts, "host", slices.Collect(maps.Keys(c.hosts)), slices.Collect(maps.Keys(c.groups)))
		c.members(fmt.Sprintf("groups.%s.children", g.Name), c.spec.Groups[i].Children, "group", slices.Collect(maps.Keys(c.groups)), slices.Collect(maps.Keys(c.hosts)))
	}
	c.cycles()
	return c.found
}

var (
	inventoryName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	digitsOnly    = regexp.MustCompile(`^[0-9]+$`)
)

func (c *validation) name(list string, i int, name, what string) {
	path := list + "." + name
	switch {
	case name == "":
		c.add(fmt.Sprintf("%s[%d]", list, i), "a "+what+" without a name", "", "")
	case name == groupAll && what == "group":
		c.add(path, "the name of the group of every host", "", `it is there already; its variables are the "vars" of the inventory`)
	case name == groupUngrouped && what == "group":
		c.add(path, "the name of the group of the hosts in no other", "", "it is there already")
	case name == groupAll, name == groupUngrouped:
		c.add(path, "the name of a group that every inventory has", "", "rename the host")
	case !inventoryName.MatchString(name), digitsOnly.MatchString(name), len(name) > 253:
		c.add(path, "not a name that a pattern can select", name, "letters, digits and . _ - between them, not digits only")
	}
}

// addresses checks what says how hosts are reached.
func (c *validation) addresses() {
	taken, local := map[string]string{}, ""
	for _, h := range c.spec.Hosts {
		path := "hosts." + h.Name
		if h.Local {
			if h.Address != "" || h.Port != 0 || h.User != "" || len(h.Jump) > 0 {
				c.add(path, "a local host is not dialled", "", "remove address, port, user and jump, or local")
			}
			if local != "" {
				c.add(path, local+" is the local host already", "", "one machine has one name: what holds for part of it belongs in a group")
			}
			local = h.Name
			continue
		}
		if h.Port < 0 || h.Port > 65535 {
			c.add(path+".port", "not between 1 and 65535", strconv.Itoa(h.Port), "")
		}
		if strings.HasPrefix(h.User, "-") || strings.ContainsAny(h.User, " \t\r\n\x00@:/") {
			c.add(path+".user", "not a user name", h.User, "")
		}
		for i, j := range h.Jump {
			c.jump(fmt.Sprintf("%s.jump[%d]", path, i), h, j)
		}
		address, ok := bareAddress(cmp.Or(h.Address, h.Name))
		if !ok {
			if h.Address != "" {
				hint := "a host name or an IP address"
				if _, port, err := net.SplitHostPort(h.Address); err == nil && digitsOnly.MatchString(port) {
					hint = "write port: " + port
				}
				c.add(path+".address", "not an address", h.Address, hint)
			}
			continue
		}
		// The same address means another machine behind another jump, or on another port when it is forwarded.
		key := strings.Join(append(slices.Clone(h.Jump), net.JoinHostPort(address, strconv.Itoa(cmp.Or(h.Port, 22)))), " ")
		if other, ok := taken[key]; ok && other != h.Name {
			c.add(path+".address", "the address of "+other, cmp.Or(h.Address, h.Name), "one machine has one name: what holds for part of it belongs in a group")
		} else {
			taken[key] = h.Name
		}
	}
}

// bareAddress returns a host name or an IP address in one form, and false for anything else, such as an address with a port.
func bareAddress(address string) (string, bool) {
	if ip, err := netip.ParseAddr(address); err == nil {
		return ip.Unmap().String(), true
	}
	if strings.ContainsAny(address, ":[]") {
		return "", false
	}
	joined, err := ssh.HostPort(address)
	if err != nil {
		return "", false
	}
	name, _, err := net.SplitHostPort(joined)
	return strings.TrimSuffix(name, "."), err == nil
}

func (c *validation) jump(path string, h HostSpec, jump string) {
	i := slices.IndexFunc(c.spec.Hosts, func(o HostSpec) bool { return o.Name == jump })
	switch {
	case jump == h.Name:
		c.add(path, "a host that is reached through itself", jump, "")
	case i >= 0 && c.spec.Hosts[i].Local:
		c.add(path, "the local host is no jump", jump, "connections begin there")
	case i >= 0:
	case !strings.ContainsAny(jump, ".:"):
		c.add(path, "no host of the inventory", jump, nearest(jump, slices.Collect(maps.Keys(c.hosts))))
	default:
		if _, err := ssh.HostPort(jump); err != nil {
			c.add(path, "neither a host of the inventory nor an address", jump, nearest(jump, slices.Collect(maps.Keys(c.hosts))))
		}
	}
}

// members checks a group's list of hosts or children: names of what, of which valid are the valid ones.
func (c *validation) members(path string, names []string, what string, valid, others []string) {
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case slices.Index(names, name) < i:
			c.add(at, "named twice", name, "")
		case slices.Contains(valid, name):
		case name == groupAll, name == groupUngrouped:
			c.add(at, "a group that every inventory has, and that belongs to no other", name, "")
		case slices.Contains(others, name) && what == "host":
			c.add(at, "a group, not a host", name, "write it under children")
		case slices.Contains(others, name):
			c.add(at, "a host, not a group", name, "write it under hosts")
		default:
			c.add(at, "no "+what+" of the inventory", name, nearest(name, valid))
		}
	}
}

// cycles reports groups that are their own descendants.
func (c *validation) cycles() {
	done := map[string]bool{}
	var way []string
	var visit func(name string)
	visit = func(name string) {
		i, ok := c.groups[name]
		if !ok || done[name] {
			return
		}
		if from := slices.Index(way, name); from >= 0 {
			c.add("groups."+way[from]+".children", "a group that is in itself", strings.Join(append(way[from:], name), " > "), "remove one of these children")
			return
		}
		way = append(way, name)
		for _, child := range c.spec.Groups[i].Children {
			visit(child)
		}
		way = way[:len(way)-1]
		done[name] = true
	}
	for _, g := range c.spec.Groups {
		visit(g.Name)
	}
}
