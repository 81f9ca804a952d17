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
		p.Printf("apt 2.6.1 (%s)\nUsage: apt-cache [options] command\n       apt-cache [options] show pkg1 [pkg2 ...]\n", p.Kernel.Config.Arch)
		return 1
	}
	verb, args := args[0], args[1:]
	sources, bad := aptSources(p, conf)
	if bad != "" {
		p.Warnf("E: %s\nE: The list of sources could not be read.\n", bad)
		return 100
	}
	avail := available(p, sources)
	a := &apt{p: p, avail: avail, pins: aptPins(p)}
	switch verb {
	case "policy":
		if len(args) == 0 {
			p.Print("Package files:\n 100 /var/lib/dpkg/status\n     release a=now\n")
			for _, s := range sources {
				for _, i := range s.indexes() {
					if _, err := p.Stat(i.file(p.Kernel.Config.Arch)); err == nil {
						p.Printf(" 500 %s Packages\n     release n=%s,c=%s,b=%s\n", i.place(p.Kernel.Config.Arch), s.suite, i.component, p.Kernel.Config.Arch)
					}
				}
			}
			p.Print("Pinned packages:\n")
		}
		for _, arg := range args {
			n := a.plain(arg)
			s, st := a.state(n)
			versions := slices.Clone(avail[n])
			if len(versions) == 0 && st == "" {
				continue
			}
			installed, cand := "(none)", "(none)"
			if st != "" {
				installed = s.get("Version")
				if !slices.ContainsFunc(versions, func(c candidate) bool { return c.version == installed }) {
					versions = append(versions, candidate{version: installed})
					slices.SortStableFunc(versions, func(a, b candidate) int { return compareVersions(b.version, a.version) })
				}
				cand = installed
			}
			if c, ok := a.candidate(n); ok && (st == "" || compareVersions(c.version, installed) >= 0) {
				cand = c.version
			}
			p.Printf("%s:\n  Installed: %s\n  Candidate: %s\n  Version table:\n", n, installed, cand)
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
	case "madison":
		for _, arg := range args {
			n := a.plain(arg)
			for _, c := range avail[n] {
				for _, i := range c.places {
					p.Printf("%10s | %10s | %s Packages\n", n, c.version, i.place(p.Kernel.Config.Arch))
				}
			}
		}
	case "show":
		found := false
		for _, arg := range args {
			n := a.plain(arg)
			for _, c := range avail[n] {
				if pk, ok := inArchive(p.Kernel, n, c.version); ok {
					s := pk.stanza(p.Kernel.Config.Arch, "")
					for _, k := range s.keys {
						p.Print(k, ": ", s.get(k), "\n")
					}
					p.Print("\n")
					found = true
				}
			}
		}
		if !found {
			return aptFail(p, "No packages found")
		}
	case "pkgnames":
		for _, n := range slices.Sorted(maps.Keys(avail)) {
			if len(args) == 0 || strings.HasPrefix(n, args[0]) {
				p.Print(n, "\n")
			}
		}
	case "showpkg":
		for _, arg := range args {
			n := a.plain(arg)
			list := a.providers(n)
			if s, _ := a.state(n); len(list) == 0 && len(avail[n]) == 0 && s == nil {
				p.Warnf("W: Unable to locate package %s\n", n)
				continue
			}
			p.Printf("Package: %s\nVersions: \n\nReverse Depends: \nDependencies: \nProvides: \nReverse Provides: \n", n)
			for _, by := range list {
				v, _ := a.candidate(by)
				p.Printf("%s %s (= )\n", by, v.version)
			}
		}
	case "search", "depends", "rdepends", "showsrc", "stats", "dump", "dumpavail", "unmet", "dotty", "xvcg", "gencaches":
		p.Warnf("E: hosttest: apt-cache %s is not known to this machine\n", verb)
		return 100
	default:
		return aptFail(p, "Invalid operation %s", verb)
	}
	return 0
}
