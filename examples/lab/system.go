package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// state returns what a machine should be in stage 01_system: its base, and the resources that are placed on it.
func (l *Lab) state(h *host.Host) (host.State, error) {
	s, err := l.system(h)
	if err != nil {
		return nil, err
	}
	for i, p := range l.Resources {
		if slices.Contains(l.placed[i], h.Name) {
			s = append(s, p.State...)
		}
	}
	return s.Resolve(os.LookupEnv, l.dir.ReadFile)
}

// system returns the base of a machine. It is pure, except that references to secrets stay references.
func (l *Lab) system(h *host.Host) (host.State, error) {
	c := l.System
	s := host.State{host.Hostname{Name: h.Name, Domain: l.Domain}}
	for _, other := range l.Hosts {
		if other.Name != h.Name && isIP(other.Address) {
			s = append(s, host.Line{Path: "/etc/hosts", Match: `\s` + regexp.QuoteMeta(other.Name) + `$`, Line: fmt.Sprintf("%s %s.%s %s", other.Address, other.Name, l.Domain, other.Name)})
		}
	}
	// apt waits for unattended-upgrades, which holds its lock for minutes after a boot, and tries again what a bad line broke
	s = append(s, host.File{Path: "/etc/apt/apt.conf.d/80-lab", Content: "Acquire::Retries \"3\";\nDPkg::Lock::Timeout \"300\";\n"})
	for _, p := range c.Packages {
		s = append(s, host.Package{Name: p})
	}
	if c.Timezone != "" {
		s = append(s, host.Timezone{Name: c.Timezone})
	}
	yes := true
	if len(c.NTP) > 0 {
		conf := host.File{Path: "/etc/systemd/timesyncd.conf.d/10-lab.conf", Content: "[Time]\nNTP=" + strings.Join(c.NTP, " ") + "\n"}
		s = append(s, host.Package{Name: "systemd-timesyncd"}, host.Directory{Path: "/etc/systemd/timesyncd.conf.d"}, conf,
			host.Unit{Name: "systemd-timesyncd.service", Enabled: &yes, State: host.Started, RestartOn: []string{conf.ID()}})
	}
	for _, u := range c.Users {
		s = append(s, u)
	}
	for _, k := range c.Keys {
		s = append(s, host.AuthorizedKey{User: userOf(h, l), Key: k})
	}
	for _, k := range slices.Sorted(maps.Keys(c.Sysctl)) {
		s = append(s, host.Sysctl{Key: k, Value: c.Sysctl[k]})
	}
	for _, m := range c.Modules {
		s = append(s, host.KernelModule{Name: m})
	}
	if c.NoSwap {
		s = append(s, host.NoSwap{})
	}
	if c.Unattended {
		s = append(s, unattended(c.HoldBack)...)
	}
	if c.Cgroups {
		s = append(s, host.KernelCmdline{Words: []string{"cgroup_enable=cpuset", "cgroup_memory=1", "cgroup_enable=memory"}, Controllers: []string{"memory"}, Reboot: c.Reboot})
	}
	if c.Reboot {
		s = append(s, host.Reboot{})
	}
	return s, nil
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

func userOf(h *host.Host, l *Lab) string {
	if h.User != "" {
		return h.User
	}
	return l.user()
}

// stages returns the lab's stages for the machines, by the names that the lab has always had.
func (l *Lab) stages(machines []*host.Machine, only []string) Pipeline {
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
				return l.state(h)
			}, only...)
		}},
	}
}
