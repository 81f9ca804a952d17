package apt

import (
	"maps"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

func cmdAptCache(p *kernel.Process) int {
	conf, bad := aptConfig(p)
	if bad != "" {
		return aptFail(p, "%s", bad)
	}
	_, args, bad := aptOptions(p, conf)
	if bad != "" {
		return aptFail(p, "%s", bad)
	}
	if len(args) == 0 {
		p.Printf("apt 2.6.1 (%s)\nUsage: apt-cache [options] command\n"+
			"       apt-cache [options] show pkg1 [pkg2 ...]\n", p.Kernel.Config.Arch)
		return 1
	}
	sources, bad := aptSources(p, conf)
	if bad != "" {
		p.Warnf("E: %s\nE: The list of sources could not be read.\n", bad)
		return 100
	}
	a := &apt{p: p, verb: args[0], args: args[1:], sources: sources, avail: available(p, sources), pins: aptPins(p)}
	switch a.verb {
	case "policy":
		if len(a.args) == 0 {
			a.policyOfSources()
		}
		for _, arg := range a.args {
			a.policy(a.plain(arg))
		}
	case "madison":
		for _, arg := range a.args {
			a.madison(a.plain(arg))
		}
	case "show":
		if !a.showRecords() {
			return aptFail(p, "No packages found")
		}
	case "pkgnames":
		for _, n := range slices.Sorted(maps.Keys(a.avail)) {
			if len(a.args) == 0 || strings.HasPrefix(n, a.args[0]) {
				p.Print(n, "\n")
			}
		}
	case "showpkg":
		for _, arg := range a.args {
			a.showPackage(a.plain(arg))
		}
	case "search", "depends", "rdepends", "showsrc", "stats", "dump", "dumpavail", "unmet", "dotty", "xvcg", "gencaches":
		p.Warnf("E: hosttest: apt-cache %s is not known to this machine\n", a.verb)
		return 100
	default:
		return aptFail(p, "Invalid operation %s", a.verb)
	}
	return 0
}

// policyOfSources prints the priority of each list that was fetched.
func (a *apt) policyOfSources() {
	p, arch := a.p, a.p.Kernel.Config.Arch
	p.Print("Package files:\n 100 /var/lib/dpkg/status\n     release a=now\n")
	for _, s := range a.sources {
		for _, i := range s.indexes() {
			if _, err := p.Stat(i.file(arch)); err == nil {
				p.Printf(" 500 %s Packages\n     release n=%s,c=%s,b=%s\n", i.place(arch), s.suite, i.component, arch)
			}
		}
	}
	p.Print("Pinned packages:\n")
}

// policy prints the versions of a package, and which of them is installed and would be installed.
func (a *apt) policy(name string) {
	p := a.p
	s, st := a.state(name)
	versions := slices.Clone(a.avail[name])
	if len(versions) == 0 && st == "" {
		return
	}
	installed, best := "(none)", "(none)"
	if st != "" {
		installed = s.get("Version")
		if !slices.ContainsFunc(versions, func(c candidate) bool { return c.version == installed }) {
			versions = append(versions, candidate{version: installed})
			slices.SortStableFunc(versions, func(a, b candidate) int { return compareVersions(b.version, a.version) })
		}
		best = installed
	}
	if c, ok := a.candidate(name); ok && (st == "" || compareVersions(c.version, installed) >= 0) {
		best = c.version
	}
	p.Printf("%s:\n  Installed: %s\n  Candidate: %s\n  Version table:\n", name, installed, best)
	for _, c := range versions {
		mark, priority := "   ", 500
		if c.version == installed {
			mark = "***"
		}
		if len(c.places) == 0 {
			priority = 100
		}
		p.Printf(" %s %s %d\n", mark, c.version, priority)
		for _, i := range c.places {
			p.Printf("        500 %s Packages\n", i.place(p.Kernel.Config.Arch))
		}
		if c.version == installed {
			p.Print("        100 /var/lib/dpkg/status\n")
		}
	}
}

// madison prints a table of the versions of a package.
func (a *apt) madison(name string) {
	for _, c := range a.avail[name] {
		for _, i := range c.places {
			a.p.Printf("%10s | %10s | %s Packages\n", name, c.version, i.place(a.p.Kernel.Config.Arch))
		}
	}
}

// showRecords prints the records of the packages, and tells whether there was one.
func (a *apt) showRecords() bool {
	p := a.p
	found := false
	for _, arg := range a.args {
		name := a.plain(arg)
		for _, c := range a.avail[name] {
			pk, ok := inArchive(p.Kernel, name, c.version)
			if !ok {
				continue
			}
			s := pk.stanza(p.Kernel.Config.Arch, "")
			for _, k := range s.keys {
				p.Print(k, ": ", s.get(k), "\n")
			}
			p.Print("\n")
			found = true
		}
	}
	return found
}

// showPackage prints what provides a package. Its versions and what depends on it are left out.
func (a *apt) showPackage(name string) {
	list := a.providers(name)
	if s, _ := a.state(name); len(list) == 0 && len(a.avail[name]) == 0 && s == nil {
		a.p.Warnf("W: Unable to locate package %s\n", name)
		return
	}
	a.p.Printf("Package: %s\nVersions: \n\nReverse Depends: \nDependencies: \nProvides: \nReverse Provides: \n", name)
	for _, by := range list {
		v, _ := a.candidate(by)
		a.p.Printf("%s %s (= )\n", by, v.version)
	}
}
