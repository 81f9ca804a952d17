package inventory

import (
	"cmp"
	"errors"
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

// validate returns everything that is wrong with the spec.
func (s Spec) validate() lab.Problems {
	v := validation{spec: s, hosts: map[string]bool{}, groups: map[string]int{}}
	v.run()
	return v.problems
}

// validation collects what is wrong with a spec.
type validation struct {
	spec     Spec
	hosts    map[string]bool
	groups   map[string]int // index in the spec
	problems lab.Problems
}

func (v *validation) add(path, message, text, hint string) {
	v.problems = append(v.problems, lab.Problem{Path: path, Message: message, Text: text, Hint: hint})
}

func (v *validation) run() {
	if len(v.spec.Hosts) == 0 {
		v.add("hosts", "the inventory has no hosts", "", "")
	}
	for i, h := range v.spec.Hosts {
		v.name("hosts", i, h.Name, "host")
		if v.hosts[h.Name] && h.Name != "" {
			v.add("hosts."+h.Name, "two hosts have this name", "", "")
		}
		v.hosts[h.Name] = true
	}
	for i, g := range v.spec.Groups {
		v.name("groups", i, g.Name, "group")
		if _, twice := v.groups[g.Name]; twice && g.Name != "" {
			v.add("groups."+g.Name, "two groups have this name", "", "")
		} else if v.hosts[g.Name] && g.Name != "" {
			v.add("groups."+g.Name, "a host has the same name", "",
				"rename one of them, so that a pattern can only mean one")
		}
		v.groups[g.Name] = i
	}
	v.addresses()
	for _, g := range v.spec.Groups {
		hosts, groups := slices.Collect(maps.Keys(v.hosts)), slices.Collect(maps.Keys(v.groups))
		v.members(fmt.Sprintf("groups.%s.hosts", g.Name), g.Hosts, "host", hosts, groups)
		v.members(fmt.Sprintf("groups.%s.children", g.Name), g.Children, "group", groups, hosts)
	}
	v.cycles()
}

var (
	inventoryName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	digitsOnly    = regexp.MustCompile(`^[0-9]+$`)
)

func (v *validation) name(list string, i int, name, what string) {
	path := list + "." + name
	switch {
	case name == "":
		v.add(fmt.Sprintf("%s[%d]", list, i), "a "+what+" needs a name", "", "")
	case name == groupAll && what == "group":
		v.add(path, "the name of the built-in group of every host", "", `its variables are the "vars" of the inventory`)
	case name == groupUngrouped && what == "group":
		v.add(path, "the name of the built-in group of the hosts in no other", "", "remove it")
	case name == groupAll, name == groupUngrouped:
		v.add(path, "the name of a built-in group", "", "rename the host")
	case !inventoryName.MatchString(name), digitsOnly.MatchString(name), len(name) > 253:
		v.add(path, "not a name that a pattern can select", name, "letters and digits, . _ - in between, not all digits")
	}
}

// addresses validates how hosts are reached.
func (v *validation) addresses() {
	taken, local := map[string]string{}, ""
	for _, h := range v.spec.Hosts {
		path := "hosts." + h.Name
		if h.Local {
			if h.Address != "" || h.Port != 0 || h.User != "" || len(h.Jump) > 0 {
				v.add(path, "the local host is not dialled", "", "remove address, port, user and jump, or local")
			}
			if local != "" {
				v.add(path, local+" is already the local host", "", "a machine has one name; use groups for its parts")
			}
			local = h.Name
			continue
		}
		if h.Port < 0 || h.Port > 65535 {
			v.add(path+".port", "not between 1 and 65535", strconv.Itoa(h.Port), "")
		}
		if strings.HasPrefix(h.User, "-") || strings.ContainsAny(h.User, " \t\r\n\x00@:/") {
			v.add(path+".user", "not a user name", h.User, "")
		}
		for i, j := range h.Jump {
			v.jump(fmt.Sprintf("%s.jump[%d]", path, i), h, j)
		}
		address, err := bareAddress(cmp.Or(h.Address, h.Name))
		if err != nil {
			v.unusable(path, h, err)
			continue
		}
		// Behind another jump, or on another port if it is forwarded, the same address is another
		// machine.
		key := strings.Join(append(slices.Clone(h.Jump), net.JoinHostPort(address, strconv.Itoa(cmp.Or(h.Port, 22)))), " ")
		if other, ok := taken[key]; ok && other != h.Name {
			v.add(path+".address", "already the address of "+other, cmp.Or(h.Address, h.Name),
				"a machine has one name; use groups for its parts")
		} else {
			taken[key] = h.Name
		}
	}
}

// unusable reports the address of a host that cannot be dialled, err being why.
func (v *validation) unusable(path string, h HostSpec, err error) {
	switch _, port, split := net.SplitHostPort(h.Address); {
	case h.Address == "" && inventoryName.MatchString(h.Name) && !digitsOnly.MatchString(h.Name):
		v.add(path, "its name is no address: "+err.Error(), "", "write address: IP")
	case h.Address == "": // the name is reported already
	case split == nil && digitsOnly.MatchString(port):
		v.add(path+".address", "not an address", h.Address, "write port: "+port)
	case endsInNumber.MatchString(h.Address):
		v.add(path+".address", "not an address", h.Address, "an IPv4 address is four numbers from 0 to 255")
	default:
		v.add(path+".address", "not an address", h.Address, "a host name or an IP address")
	}
}

// endsInNumber matches what cannot be a name, and was meant as an IPv4 address.
var endsInNumber = regexp.MustCompile(`^[0-9.]*[0-9]\.?$`)

// bareAddress returns a host name or an IP address in a canonical form. Anything else, such as an address
// with a port, is an error.
func bareAddress(address string) (string, error) {
	if ip, err := netip.ParseAddr(address); err == nil {
		return ip.Unmap().String(), nil
	}
	if strings.ContainsAny(address, ":[]") {
		return "", errors.New("not an address")
	}
	joined, err := ssh.HostPort(address)
	if err != nil {
		return "", err
	}
	name, _, err := net.SplitHostPort(joined)
	return strings.TrimSuffix(name, "."), err
}

func (v *validation) jump(path string, h HostSpec, jump string) {
	i := slices.IndexFunc(v.spec.Hosts, func(o HostSpec) bool { return o.Name == jump })
	switch {
	case jump == h.Name:
		v.add(path, "a host cannot be reached through itself", jump, "")
	case i >= 0 && v.spec.Hosts[i].Local:
		v.add(path, "the local host cannot be a jump", jump, "connections start there")
	case i >= 0:
	case !strings.ContainsAny(jump, ".:"):
		v.add(path, "not a host of the inventory", jump, nearest(jump, slices.Collect(maps.Keys(v.hosts))))
	default:
		if _, err := ssh.HostPort(jump); err != nil {
			v.add(path, "neither a host of the inventory nor an address", jump,
				nearest(jump, slices.Collect(maps.Keys(v.hosts))))
		}
	}
}

// members validates a group's list of hosts or children. what is "host" or "group", valid are the
// names that may be listed, and others the names of the other kind.
func (v *validation) members(path string, names []string, what string, valid, others []string) {
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case slices.Index(names, name) < i:
			v.add(at, "listed twice", name, "")
		case slices.Contains(valid, name):
		case name == groupAll, name == groupUngrouped:
			v.add(at, "a built-in group, which cannot belong to another", name, "")
		case slices.Contains(others, name) && what == "host":
			v.add(at, "a group, not a host", name, "move it to children")
		case slices.Contains(others, name):
			v.add(at, "a host, not a group", name, "move it to hosts")
		default:
			v.add(at, "not a "+what+" of the inventory", name, nearest(name, valid))
		}
	}
}

// cycles reports groups that are their own descendants.
func (v *validation) cycles() {
	done := map[string]bool{}
	var path []string
	var visit func(name string)
	visit = func(name string) {
		i, ok := v.groups[name]
		if !ok || done[name] {
			return
		}
		if from := slices.Index(path, name); from >= 0 {
			v.add("groups."+path[from]+".children", "a group that contains itself",
				strings.Join(append(path[from:], name), " > "), "remove one of these children")
			return
		}
		path = append(path, name)
		for _, child := range v.spec.Groups[i].Children {
			visit(child)
		}
		path = path[:len(path)-1]
		done[name] = true
	}
	for _, g := range v.spec.Groups {
		visit(g.Name)
	}
}
