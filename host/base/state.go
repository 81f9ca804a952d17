package base

import (
	"fmt"
	"maps"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// State returns what the machine should be. It is right when Validate of both finds nothing.
func (c Config) State(m Machine) host.State {
	s := m.names()
	for _, p := range c.parts(m) {
		s = append(s, p.resource)
	}
	return s
}

// part is a resource, and the field of the [Config] that asks for it.
type part struct {
	path     string
	fields   bool // the field holds the resource itself, so that its fields have paths
	resource host.Resource
}

// problems returns what is wrong with the resource, by the path of the field.
func (p part) problems() lab.Problems {
	ps := p.resource.Validate()
	if p.fields {
		return ps.Under(p.path)
	}
	for i := range ps {
		ps[i].Path = p.path
	}
	return ps
}

// parts returns the resources that the Config asks for, in the order in which they are made.
func (c Config) parts(m Machine) (parts []part) {
	add := func(path string, resources ...host.Resource) {
		for _, r := range resources {
			parts = append(parts, part{path: path, resource: r})
		}
	}
	// apt waits for unattended-upgrades, which holds its lock for minutes after a boot, and tries
	// again after a broken line
	add("", host.File{
		Path: "/etc/apt/apt.conf.d/80-lab", Content: "Acquire::Retries \"3\";\nDPkg::Lock::Timeout \"300\";\n",
	})
	for i, name := range c.Packages {
		add(fmt.Sprintf("packages[%d]", i), host.Package{Name: name})
	}
	if c.Timezone != "" {
		add("timezone", host.Timezone{Name: c.Timezone})
	}
	if len(c.NTP) > 0 {
		add("ntp", timeServers(c.NTP, slices.Contains(c.Packages, chrony))...)
	}
	for i, u := range c.Users {
		parts = append(parts, part{path: fmt.Sprintf("users[%d]", i), fields: true, resource: u})
	}
	for i, key := range c.Keys {
		add(fmt.Sprintf("keys[%d]", i), host.AuthorizedKey{User: m.User, Key: key})
	}
	for _, key := range slices.Sorted(maps.Keys(c.Sysctl)) {
		add("sysctl."+key, host.Sysctl{Key: key, Value: c.Sysctl[key]})
	}
	for i, name := range c.Modules {
		add(fmt.Sprintf("modules[%d]", i), host.KernelModule{Name: name})
	}
	if c.NoSwap {
		add("noSwap", host.NoSwap{})
	}
	add("journal", c.Journal.resources()...)
	if c.Unattended {
		add("unattended", unattendedUpgrades(c.HoldBack)...)
	}
	if c.Cgroups {
		words := []string{"cgroup_enable=cpuset", "cgroup_memory=1", "cgroup_enable=memory"}
		add("cgroups", host.KernelCmdline{Words: words, Controllers: []string{"memory"}, Reboot: c.Reboot})
	}
	if c.Reboot {
		add("reboot", host.Reboot{})
	}
	return parts
}
