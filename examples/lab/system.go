package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
)

// wanted is the state of a machine, and of each of its resources the place in the config that asks for it.
type wanted struct {
	state host.State
	from  []place
}

// place is a place in the config.
type place struct {
	path   string
	scalar bool // the value there is one text, and has no fields
}

func (w *wanted) add(path string, scalar bool, resources ...host.Resource) {
	for _, r := range resources {
		w.state, w.from = append(w.state, r), append(w.from, place{path, scalar})
	}
}

// sameAs begins what [host.State.Validate] says of a resource that is there twice.
const sameAs = "the same as "

var (
	resourceIndex = regexp.MustCompile(`^\[([0-9]+)\](.*)$`)
	sameIndex     = regexp.MustCompile(`^` + sameAs + `\[([0-9]+)\]$`)
)

// problems is what is wrong with the state, each at its place in the config.
func (w *wanted) problems() (ps lab.Problems) {
	err := w.state.Validate()
	var found lab.Problems
	if err != nil && !errors.As(err, &found) {
		ps.Add("system", "%v", err)
	}
	at := func(number string) (place, bool) {
		n, err := strconv.Atoi(number)
		if err != nil || n >= len(w.from) {
			return place{}, false
		}
		return w.from[n], true
	}
	for _, p := range found {
		if m := resourceIndex.FindStringSubmatch(p.Path); m != nil {
			if here, ok := at(m[1]); ok {
				switch p.Path = here.path; {
				case !here.scalar:
					p.Path += m[2]
				case m[2] == ".domain":
					p.Path = "domain" // of the hostname
				}
			}
		}
		if m := sameIndex.FindStringSubmatch(p.Message); m != nil {
			if first, ok := at(m[1]); ok {
				p.Message = sameAs + first.path
			}
		}
		ps = append(ps, p)
	}
	return ps
}

// state returns what a machine should be in stage 01_system: its base, and the resources that are placed on it.
func (l *Lab) state(h *inventory.Host) (host.State, error) {
	return l.wanted(h).state.Resolve(os.LookupEnv, l.dir.ReadFile)
}

// wanted is pure: references to secrets stay references.
func (l *Lab) wanted(h *inventory.Host) *wanted {
	w := l.system(h)
	for i, p := range l.Resources {
		if i < len(l.placed) && slices.Contains(l.placed[i], h.Name) {
			for j, r := range p.State {
				w.add(fmt.Sprintf("resources[%d].state[%d]", i, j), false, r)
			}
		}
	}
	return w
}

// system returns the base of a machine.
func (l *Lab) system(h *inventory.Host) *wanted {
	c, w := l.System, &wanted{}
	w.add("inventory.hosts."+h.Name, true, host.Hostname{Name: h.Name, Domain: l.Domain})
	for _, other := range l.Hosts {
		if other.Name != h.Name && isIP(other.Address) {
			w.add("inventory.hosts."+other.Name, true, host.Line{Path: "/etc/hosts", Match: `\s` + regexp.QuoteMeta(other.Name) + `$`, Line: fmt.Sprintf("%s %s.%s %s", other.Address, other.Name, l.Domain, other.Name)})
		}
	}
	// apt waits for unattended-upgrades, which holds its lock for minutes after a boot, and tries again what a bad line broke
	w.add("system", true, host.File{Path: "/etc/apt/apt.conf.d/80-lab", Content: "Acquire::Retries \"3\";\nDPkg::Lock::Timeout \"300\";\n"})
	for i, p := range c.Packages {
		w.add(fmt.Sprintf("system.packages[%d]", i), true, host.Package{Name: p})
	}
	if c.Timezone != "" {
		w.add("system.timezone", true, host.Timezone{Name: c.Timezone})
	}
	yes := true
	if len(c.NTP) > 0 {
		conf := host.File{Path: "/etc/systemd/timesyncd.conf.d/10-lab.conf", Content: "[Time]\nNTP=" + strings.Join(c.NTP, " ") + "\n"}
		w.add("system.ntp", true, host.Package{Name: "systemd-timesyncd"}, host.Directory{Path: "/etc/systemd/timesyncd.conf.d"}, conf,
			host.Unit{Name: "systemd-timesyncd.service", Enabled: &yes, State: host.Started, RestartOn: []string{conf.ID()}})
	}
	for i, u := range c.Users {
		w.add(fmt.Sprintf("system.users[%d]", i), false, u)
	}
	for i, k := range c.Keys {
		w.add(fmt.Sprintf("system.keys[%d]", i), true, host.AuthorizedKey{User: userOf(h, l), Key: k})
	}
	for _, k := range slices.Sorted(maps.Keys(c.Sysctl)) {
		w.add("system.sysctl."+k, true, host.Sysctl{Key: k, Value: c.Sysctl[k]})
	}
	for i, m := range c.Modules {
		w.add(fmt.Sprintf("system.modules[%d]", i), true, host.KernelModule{Name: m})
	}
	if c.NoSwap {
		w.add("system.noSwap", true, host.NoSwap{})
	}
	if c.Unattended {
		w.add("system.unattended", true, unattended(c.HoldBack)...)
	}
	if c.Cgroups {
		w.add("system.cgroups", true, host.KernelCmdline{Words: []string{"cgroup_enable=cpuset", "cgroup_memory=1", "cgroup_enable=memory"}, Controllers: []string{"memory"}, Reboot: c.Reboot})
	}
	if c.Reboot {
		w.add("system.reboot", true, host.Reboot{})
	}
	return w
}

// unattended installs security updates every day. Upgrades of Docker are held back: they stop every container, and k3s may not know the new one.
func unattended(holdBack []string) host.State {
	var b strings.Builder
	b.WriteString("Unattended-Upgrade::Automatic-Reboot \"false\";\nUnattended-Upgrade::Package-Blacklist {\n")
	for _, p := range holdBack {
		fmt.Fprintf(&b, "\t%q;\n", p)
	}
	b.WriteString("};\n")
	return host.State{
		host.Package{Name: "unattended-upgrades"},
		host.File{Path: "/etc/apt/apt.conf.d/20auto-upgrades", Content: "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n"},
		host.File{Path: "/etc/apt/apt.conf.d/52-lab-unattended", Content: b.String()},
	}
}

func userOf(h *inventory.Host, l *Lab) string {
	if h.User != "" {
		return h.User
	}
	return l.user()
}

// stages returns the lab's stages for the machines, by the names that the lab has always had.
func (l *Lab) stages(machines []*host.Machine, only *selection) Pipeline {
	fleet := host.Fleet{Machines: machines, Serial: 0}
	if l.System.Reboot {
		fleet.Serial = 1 // never two machines down at once
	}
	return Pipeline{
		{Name: "01_system", Plan: func(ctx context.Context) (*lab.Plan, error) {
			return fleet.Plan(ctx, func(m *host.Machine) (host.State, error) {
				h, err := l.inventory.Host(m.Name())
				if err != nil {
					return nil, err
				}
				return only.of(l.state(h))
			}, only.globs...)
		}},
	}
}
