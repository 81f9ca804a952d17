package apt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/systemd"
)

func cmdAptGet(p *kernel.Process) int {
	conf, bad := aptConfig(p)
	if bad != "" {
		return aptFail(p, "%s", bad)
	}
	flags, args, bad := aptOptions(p, conf)
	if bad != "" {
		return aptFail(p, "%s", bad)
	}
	if p.Name() == "apt" {
		p.Warnf("\nWARNING: apt does not have a stable CLI interface. Use with caution in scripts.\n\n")
	}
	if flags["version"] {
		p.Printf("apt 2.6.1 (%s)\n", p.Kernel.Config.Arch)
		return 0
	}
	if len(args) == 0 || flags["help"] {
		p.Printf("apt 2.6.1 (%s)\nUsage: apt-get [options] command\n       apt-get [options] install|remove pkg1 [pkg2 ...]\n       apt-get [options] source pkg1 [pkg2 ...]\n", p.Kernel.Config.Arch)
		return libc.BoolToInt(!flags["help"])
	}
	a := &apt{p: p, conf: conf, flags: flags, verb: args[0], args: args[1:], from: map[string]candidate{}, named: map[string]bool{}}
	if v := strings.ToLower(conf.get("APT::Get::Assume-Yes")); systemd.IsYes(v) {
		flags["yes"] = true
	}
	switch a.verb {
	case "update", "indextargets", "clean", "autoclean", "check", "install", "reinstall", "remove", "purge", "autoremove", "autopurge", "upgrade", "dist-upgrade", "full-upgrade":
	case "source", "build-dep", "download", "changelog", "satisfy", "dselect-upgrade", "list", "show", "search":
		p.Warnf("E: hosttest: %s %s is not known to this machine\n", p.Name(), a.verb)
		return 100
	default:
		return aptFail(p, "Invalid operation %s", a.verb)
	}
	if a.sources, bad = aptSources(p, conf); bad != "" {
		p.Flush()
		p.Warnf("E: %s\nE: The list of sources could not be read.\n", bad)
		return 100
	}
	switch a.verb {
	case "update":
		return a.update()
	case "indextargets":
		for _, s := range a.sources {
			for _, i := range s.indexes() {
				p.Printf("URI: %s\n\n", i.url(p.Kernel.Config.Arch))
			}
		}
		return 0
	case "clean", "autoclean":
		if code := a.lock("/var/cache/apt/archives/lock", "Unable to lock directory /var/cache/apt/archives/"); code != 0 {
			return code
		}
		if a.verb == "clean" {
			names, _ := p.ReadDir(debDir)
			for _, n := range names {
				if strings.HasSuffix(n, ".deb") {
					p.Unlink(debDir + n)
				}
			}
		}
		return 0
	}
	if !flags["simulate"] && a.verb != "check" {
		if code := a.lock(frontendLock, "Unable to acquire the dpkg frontend lock ("+frontendLock+"), is another process using it?"); code != 0 {
			return code
		}
		names, _ := p.ReadDir("/var/lib/dpkg/updates")
		if slices.ContainsFunc(names, func(n string) bool { _, ok := kernel.ParseUint(n); return ok }) {
			return aptFail(p, "dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem. ")
		}
	}
	p.Print("Reading package lists...\nBuilding dependency tree...\nReading state information...\n")
	a.avail, a.pins = available(p, a.sources), aptPins(p)
	if code := a.repair(); code != 0 {
		return code
	}
	switch a.verb {
	case "check":
		return 0
	case "install", "reinstall":
		if code := a.chooseInstall(); code != 0 {
			return code
		}
	case "remove", "purge":
		if code := a.chooseRemove(); code != 0 {
			return code
		}
	case "autoremove", "autopurge":
		a.remove = autoremovable(p, nil)
	case "upgrade", "dist-upgrade", "full-upgrade":
		a.chooseUpgrade()
	}
	if a.flags["auto-remove"] && a.verb != "autoremove" {
		for _, n := range autoremovable(p, a.remove) {
			if !slices.Contains(a.remove, n) {
				a.remove = append(a.remove, n)
			}
		}
	}
	return a.commit()
}

// repair refuses to work beside what an interrupted dpkg left half installed if that cannot be unpacked again. It is not
// unpacked again unless the command line says so, with --reinstall or another version.
func (a *apt) repair() int {
	for _, s := range packages(a.p.Kernel) {
		n := s.get("Package")
		if _, st := a.state(n); st == "half-installed" && len(a.avail[n]) == 0 {
			return aptFail(a.p, "The package %s needs to be reinstalled, but I can't find an archive for it.", n)
		}
	}
	return 0
}

// plain takes the architecture off a name, when it is one of this machine.
func (a *apt) plain(name string) string {
	base, arch, ok := strings.Cut(name, ":")
	if ok && (arch == a.p.Kernel.Config.Arch || arch == "any" || arch == "all") {
		return base
	}
	return name
}

func (a *apt) chooseInstall() int {
	p := a.p
	type choice struct {
		name string
		c    candidate
	}
	var chosen []choice
	code := 0
	for _, arg := range a.args {
		if strings.Contains(arg, "/") {
			if !strings.HasPrefix(arg, "/") && !strings.HasPrefix(arg, ".") {
				return aptFail(p, "Release '%s' for '%s' was not found", arg[strings.IndexByte(arg, '/')+1:], arg[:strings.IndexByte(arg, '/')])
			}
			b, err := p.ReadFile(arg)
			pk, ok := packageOf(p.Kernel, b)
			if err != nil || !ok {
				return aptFail(p, "Unsupported file %s given on commandline", arg)
			}
			p.Printf("Note, selecting '%s' instead of '%s'\n", pk.Name, arg)
			chosen = append(chosen, choice{pk.Name, candidate{pk.Version, pk.arch(p.Kernel.Config.Arch), pk.Depends, nil}})
			continue
		}
		full, version, has := strings.Cut(arg, "=")
		name := a.plain(full)
		s, st := a.state(name)
		if _, known := a.avail[name]; !known && st == "" {
			if base, ok := strings.CutSuffix(name, "-"); ok {
				base = a.plain(base)
				a.named[base] = true
				if _, st := a.state(base); st != "" {
					a.drop(base)
				} else {
					p.Printf("Package '%s' is not installed, so not removed\n", base)
				}
				continue
			}
			if libc.IsGlob(name) {
				for _, n := range slices.Sorted(maps.Keys(a.avail)) {
					if c, ok := a.candidate(n); ok && libc.Fnmatch(name, n) {
						p.Printf("Note, selecting '%s' for glob '%s'\n", n, name)
						chosen = append(chosen, choice{n, c})
					}
				}
				continue
			}
			if list := a.offered(name); len(list) == 1 {
				// The one package that provides it is taken without a word, when apt-get is quiet.
				c, _ := a.candidate(list[0])
				chosen = append(chosen, choice{list[0], c})
				continue
			} else if len(list) > 0 {
				p.Printf("Package %s is a virtual package provided by:\n", name)
				for _, n := range list {
					c, _ := a.candidate(n)
					p.Printf("  %s %s\n", n, c.version)
				}
				p.Print("You should explicitly select one to install.\n\n")
				p.Flush()
				p.Warnf("E: Package '%s' has no installation candidate\n", name)
				code = 100
				continue
			}
			p.Flush()
			p.Warnf("E: Unable to locate package %s\n", full)
			if strings.Contains(full, ".") {
				p.Warnf("E: Couldn't find any package by glob '%s'\n", full)
			}
			code = 100
			continue
		}
		c, ok := a.candidate(name)
		if has {
			at := slices.IndexFunc(a.avail[name], func(c candidate) bool { return c.version == version })
			switch {
			case at >= 0:
				c, ok = a.avail[name][at], true
				p.Printf("Selected version '%s' (%s [%s]) for '%s'\n", version, c.release(), c.arch, name)
			case st != "" && s.get("Version") == version:
				c, ok = candidate{version, s.get("Architecture"), s.get("Depends"), nil}, true
			default:
				p.Printf("Package %s is not available, but is referred to by another package.\nThis may mean that the package is missing, has been obsoleted, or\nis only available from another source\n\n", name)
				p.Flush()
				p.Warnf("E: Version '%s' for '%s' was not found\n", version, name)
				code = 100
				continue
			}
		}
		if !ok {
			if st == "" {
				p.Printf("Package %s is not available, but is referred to by another package.\nThis may mean that the package is missing, has been obsoleted, or\nis only available from another source\n\n", name)
				p.Flush()
				p.Warnf("E: Package '%s' has no installation candidate\n", name)
				code = 100
				continue
			}
			c = candidate{s.get("Version"), s.get("Architecture"), s.get("Depends"), nil}
		}
		// What is installed and newer than the lists stays, unless a version was asked for.
		if !has && st != "" && compareVersions(s.get("Version"), c.version) > 0 {
			c = candidate{s.get("Version"), s.get("Architecture"), s.get("Depends"), nil}
		}
		chosen = append(chosen, choice{name, c})
	}
	if code != 0 {
		return code
	}
	for _, x := range chosen {
		a.named[x.name] = true
		s, st := a.state(x.name)
		same := st != "" && s.get("Version") == x.c.version
		switch {
		case same && !a.flags["reinstall"] && a.verb != "reinstall":
			p.Printf("%s is already the newest version (%s).\n", x.name, x.c.version)
			if autoMarked(p, x.name) {
				p.Printf("%s set to manually installed.\n", x.name)
				if !a.flags["simulate"] {
					markAuto(p, x.name, false)
				}
			}
			continue
		case same && len(x.c.places) == 0:
			p.Printf("Reinstallation of %s is not possible, it cannot be downloaded.\n", x.name)
			continue
		case st == "" && a.flags["only-upgrade"]:
			p.Printf("Skipping %s, it is not installed and only upgrades are requested.\n", x.name)
			continue
		case st != "" && a.flags["no-upgrade"]:
			p.Printf("Skipping %s, it is already installed and upgrade is not set.\n", x.name)
			continue
		}
		a.add(x.name, x.c)
	}
	return a.checkPlan()
}

// checkPlan says which dependencies would be broken.
func (a *apt) checkPlan() int {
	p := a.p
	for _, s := range packages(p.Kernel) {
		n := s.get("Package")
		if _, st := a.state(n); st == "" || slices.Contains(a.remove, n) || slices.ContainsFunc(a.install, func(pk Package) bool { return pk.Name == n }) {
			continue
		}
		for _, any := range parseRelations(s.get("Depends")) {
			if !a.holds(any) {
				v, ok := a.after(any[0].name)
				why := "but it is not going to be installed"
				if ok {
					why = "but " + v + " is to be installed"
				}
				a.unmet = append(a.unmet, fmt.Sprintf(" %s : Depends: %s %s", n, relationText(any), why))
			}
		}
	}
	for _, pk := range a.install {
		for _, any := range parseRelations(pk.Depends) {
			if !a.holds(any) && len(a.unmet) == 0 {
				a.unmet = append(a.unmet, fmt.Sprintf(" %s : Depends: %s but it is not going to be installed", pk.Name, relationText(any)))
			}
		}
		if slices.Contains(a.remove, pk.Name) {
			a.unmet = append(a.unmet, fmt.Sprintf(" %s : Conflicts: with a package that is to be installed too", pk.Name))
		}
	}
	if len(a.unmet) == 0 {
		return 0
	}
	p.Print("Some packages could not be installed. This may mean that you have\nrequested an impossible situation or if you are using the unstable\ndistribution that some required packages have not yet been created\nor been moved out of Incoming.\nThe following information may help to resolve the situation:\n\nThe following packages have unmet dependencies:\n")
	for _, u := range a.unmet {
		p.Print(u, "\n")
	}
	return aptFail(p, "Unable to correct problems, you have held broken packages.")
}

func (a *apt) chooseRemove() int {
	p := a.p
	code := 0
	for _, arg := range a.args {
		name := a.plain(arg)
		s, _ := a.state(name)
		names := []string{name}
		if libc.IsGlob(name) && s == nil {
			names = nil
			for _, x := range packages(p.Kernel) {
				if n := x.get("Package"); libc.Fnmatch(name, n) {
					p.Printf("Note, selecting '%s' for glob '%s'\n", n, name)
					names = append(names, n)
				}
			}
		} else if _, known := a.avail[name]; !known && s == nil {
			p.Flush()
			p.Warnf("E: Unable to locate package %s\n", arg)
			code = 100
			continue
		}
		for _, n := range names {
			s, st := a.state(n)
			a.named[n] = true
			switch {
			case st != "":
				a.drop(n)
			case s != nil && a.purging():
				if _, _, w := s.state(); w == "config-files" {
					a.remove = append(a.remove, n)
				}
			default:
				p.Printf("Package '%s' is not installed, so not removed\n", n)
			}
		}
	}
	return code
}

func (a *apt) purging() bool {
	return a.flags["purge"] || a.verb == "purge" || a.verb == "autopurge"
}

func (a *apt) chooseUpgrade() {
	var kept []string
	for _, s := range packages(a.p.Kernel) {
		n := s.get("Package")
		want, _, _ := s.state()
		c, ok := a.candidate(n)
		if _, st := a.state(n); st == "" || !ok || compareVersions(c.version, s.get("Version")) <= 0 {
			continue
		}
		if want == "hold" {
			kept = append(kept, n)
			continue
		}
		before, from := slices.Clone(a.install), len(a.unmet)
		removed := len(a.remove)
		a.add(n, c)
		if len(a.unmet) > from || a.verb == "upgrade" && len(a.remove) > removed {
			a.install, a.unmet, a.remove = before, a.unmet[:from], a.remove[:removed]
			kept = append(kept, n)
			continue
		}
		a.named[n] = true
	}
	a.p.Print("Calculating upgrade...\n")
	wrapList(a.p, "The following packages have been kept back:", kept)
}

// wrapList prints names as APT does, when there are any.
func wrapList(p *kernel.Process, title string, names []string) {
	if len(names) == 0 {
		return
	}
	p.Print(title, "\n")
	line := " "
	for _, n := range names {
		if len(line)+1+len(n) > 80 && line != " " {
			p.Print(line, "\n")
			line = " "
		}
		line += " " + n
	}
	p.Print(line, "\n")
}
