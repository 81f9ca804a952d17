package apt

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// simulate prints what apt-get -s prints of the plan.
func (a *apt) simulate(pending []string) {
	p, k := a.p, a.p.Kernel
	for _, n := range a.remove {
		p.Printf("Remv %s [%s]\n", n, findPackage(k, n).get("Version"))
	}
	for _, pk := range a.install {
		old := ""
		if s, st := a.state(pk.Name); st != "" {
			old = "[" + s.get("Version") + "] "
		}
		p.Printf("Inst %s %s(%s %s [%s])\n", pk.Name, old, pk.Version, a.from[pk.Name].release(), pk.arch(k.Config.Arch))
	}
	for _, pk := range a.install {
		p.Printf("Conf %s (%s %s [%s])\n", pk.Name, pk.Version, a.from[pk.Name].release(), pk.arch(k.Config.Arch))
	}
	for _, n := range pending {
		s := findPackage(k, n)
		p.Printf("Conf %s (%s  [%s])\n", n, s.get("Version"), s.get("Architecture"))
	}
}

// announce tells the commands of DPkg::Pre-Install-Pkgs what dpkg will do (apt.conf(5)). Any of them can prevent it.
func (a *apt) announce(pending []string) int {
	p := a.p
	for _, command := range a.conf["dpkg::pre-install-pkgs"] {
		first, _, _ := strings.Cut(command, " ")
		text := ""
		switch version := a.conf.get("DPkg::Tools::Options::" + first + "::Version"); version {
		case "3":
			text = a.announcement(pending)
		default:
			p.Warnf("E: hosttest: version %q of the protocol of DPkg::Pre-Install-Pkgs is not known to this machine\n", version)
			return 100
		}
		r, w := kernel.NewPipe(0).Descriptions()
		w.Write(p, []byte(text))
		w.Release()
		p.Flush()
		c := libc.Spawn(p, []string{"/bin/sh", "-c", command}, p.Env, func(c *kernel.Process) { c.SetFD(0, r) })
		if code := p.WaitFor(c).ExitCode(); code != 0 {
			p.Warnf("E: Sub-process %s returned an error code (%d)\n", command, code)
			return aptFail(p, "Failure running script %s", command)
		}
	}
	return 0
}

// announcement is the plan in version 3 of the protocol: the configuration, an empty line, and a line for each step.
func (a *apt) announcement(pending []string) string {
	k := a.p.Kernel
	var b strings.Builder
	b.WriteString("VERSION 3\nAPT::Architecture=" + k.Config.Arch + "\n\n")
	line := func(name string, old *stanza, version, arch, what string) {
		from, way := "- - none", "<"
		if old != nil {
			from = old.get("Version") + " " + old.get("Architecture") + " none"
			switch c := compareVersions(version, old.get("Version")); {
			case version == "" || c < 0:
				way = ">"
			case c == 0:
				way = "="
			}
		}
		to := "- - none"
		if version != "" {
			to = version + " " + arch + " none"
		}
		fmt.Fprintln(&b, name, from, way, to, what)
	}
	installed := func(name string) *stanza {
		if s, st := a.state(name); st != "" {
			return s
		}
		return nil
	}
	for _, n := range a.remove {
		line(n, installed(n), "", "", "**REMOVE**")
	}
	for _, pk := range a.install {
		line(pk.Name, installed(pk.Name), pk.Version, pk.arch(k.Config.Arch), debDir+pk.debFile(k.Config.Arch))
	}
	for _, pk := range a.install {
		line(pk.Name, installed(pk.Name), pk.Version, pk.arch(k.Config.Arch), "**CONFIGURE**")
	}
	for _, n := range slices.Sorted(slices.Values(pending)) {
		s := findPackage(k, n)
		line(n, s, s.get("Version"), s.get("Architecture"), "**CONFIGURE**")
	}
	return b.String()
}
