package apt

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/systemd"
)

const aptGetUsage = "Usage: apt-get [options] command\n" +
	"       apt-get [options] install|remove pkg1 [pkg2 ...]\n" +
	"       apt-get [options] source pkg1 [pkg2 ...]\n"

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
		p.Printf("apt 2.6.1 (%s)\n%s", p.Kernel.Config.Arch, aptGetUsage)
		return libc.BoolToInt(!flags["help"])
	}
	a := &apt{
		p: p, conf: conf, flags: flags, verb: args[0], args: args[1:],
		from: map[string]candidate{}, named: map[string]bool{},
	}
	if v := strings.ToLower(conf.get("APT::Get::Assume-Yes")); systemd.IsYes(v) {
		flags["yes"] = true
	}
	return a.get()
}

// get is the operation of apt-get that the command line names.
func (a *apt) get() int {
	p := a.p
	var operation func() int
	switch a.verb {
	case "update":
		operation = a.update
	case "indextargets":
		operation = a.indexTargets
	case "clean", "autoclean":
		operation = a.clean
	case "check", "install", "reinstall", "remove", "purge", "autoremove", "autopurge",
		"upgrade", "dist-upgrade", "full-upgrade":
		operation = a.change
	case "source", "build-dep", "download", "changelog", "satisfy", "dselect-upgrade", "list", "show", "search":
		p.Warnf("E: hosttest: %s %s is not known to this machine\n", p.Name(), a.verb)
		return 100
	default:
		return aptFail(p, "Invalid operation %s", a.verb)
	}
	var bad string
	if a.sources, bad = aptSources(p, a.conf); bad != "" {
		p.Flush()
		p.Warnf("E: %s\nE: The list of sources could not be read.\n", bad)
		return 100
	}
	return operation()
}

// indexTargets prints where the lists are fetched from.
func (a *apt) indexTargets() int {
	for _, s := range a.sources {
		for _, i := range s.indexes() {
			a.p.Printf("URI: %s\n\n", i.url(a.p.Kernel.Config.Arch))
		}
	}
	return 0
}

// clean removes the .deb files that were fetched. autoclean finds none that can no longer be fetched.
func (a *apt) clean() int {
	code := a.lock("/var/cache/apt/archives/lock", "Unable to lock directory /var/cache/apt/archives/")
	if code != 0 || a.verb == "autoclean" {
		return code
	}
	names, _ := a.p.ReadDir(debDir)
	for _, n := range names {
		if strings.HasSuffix(n, ".deb") {
			a.p.Unlink(debDir + n)
		}
	}
	return 0
}

// change plans what the command line asks for, and does it.
func (a *apt) change() int {
	p := a.p
	if !a.flags["simulate"] && a.verb != "check" {
		if code := a.lockFrontend(); code != 0 {
			return code
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

// lockFrontend takes dpkg's frontend lock, and refuses to work after an interrupted dpkg.
func (a *apt) lockFrontend() int {
	code := a.lock(frontendLock,
		"Unable to acquire the dpkg frontend lock ("+frontendLock+"), is another process using it?")
	if code != 0 {
		return code
	}
	names, _ := a.p.ReadDir("/var/lib/dpkg/updates")
	if slices.ContainsFunc(names, func(n string) bool { _, ok := kernel.ParseUint(n); return ok }) {
		return aptFail(a.p, "dpkg was interrupted, "+
			"you must manually run 'dpkg --configure -a' to correct the problem. ")
	}
	return 0
}

// repair refuses to work beside what an interrupted dpkg left half installed if that cannot be unpacked again. It is
// not unpacked again unless the command line says so, with --reinstall or another version.
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

// checkPlan says which dependencies would be broken.
func (a *apt) checkPlan() int {
	p := a.p
	for _, s := range packages(p.Kernel) {
		n := s.get("Package")
		changed := slices.Contains(a.remove, n) ||
			slices.ContainsFunc(a.install, func(pk Package) bool { return pk.Name == n })
		if _, st := a.state(n); st == "" || changed {
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
				a.unmet = append(a.unmet, fmt.Sprintf(" %s : Depends: %s but it is not going to be installed",
					pk.Name, relationText(any)))
			}
		}
		if slices.Contains(a.remove, pk.Name) {
			a.unmet = append(a.unmet,
				fmt.Sprintf(" %s : Conflicts: with a package that is to be installed too", pk.Name))
		}
	}
	if len(a.unmet) == 0 {
		return 0
	}
	p.Print("Some packages could not be installed. This may mean that you have\n" +
		"requested an impossible situation or if you are using the unstable\n" +
		"distribution that some required packages have not yet been created\n" +
		"or been moved out of Incoming.\n" +
		"The following information may help to resolve the situation:\n\n" +
		"The following packages have unmet dependencies:\n")
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
