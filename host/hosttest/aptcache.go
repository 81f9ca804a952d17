package hosttest

import (
	"maps"
	"slices"
	"strings"
)

func cmdAptCache(p *proc) int {
	conf, bad := p.aptConfig()
	if bad != "" {
		return p.aptFail("%s", bad)
	}
	_, args, bad := p.aptOptions(conf)
	if bad != "" {
		return p.aptFail("%s", bad)
	}
	if len(args) == 0 {
		p.printf("apt 2.6.1 (%s)\nUsage: apt-cache [options] command\n       apt-cache [options] show pkg1 [pkg2 ...]\n", p.k.cfg.Arch)
		return 1
	}
	verb, args := args[0], args[1:]
	sources, bad := p.aptSources()
	if bad != "" {
		p.warn("E: %s\nE: The list of sources could not be read.\n", bad)
		return 100
	}
	avail := p.available(sources)
	a := &apt{p: p, avail: avail, pins: p.aptPins()}
	switch verb {
	case "policy":
		if len(args) == 0 {
			p.print("Package files:\n 100 /var/lib/dpkg/status\n     release a=now\n")
			for _, s := range sources {
				for _, i := range s.indexes() {
					if _, err := p.stat(i.file(p.k.cfg.Arch)); err == nil {
						p.printf(" 500 %s Packages\n     release n=%s,c=%s,b=%s\n", i.place(p.k.cfg.Arch), s.suite, i.component, p.k.cfg.Arch)
					}
				}
			}
			p.print("Pinned packages:\n")
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
			p.printf("%s:\n  Installed: %s\n  Candidate: %s\n  Version table:\n", n, installed, cand)
			for _, c := range versions {
				mark, priority := "   ", 500
				if c.version == installed {
					mark = "***"
				}
				if len(c.places) == 0 {
					priority = 100
				}
				p.printf(" %s %s %d\n", mark, c.version, priority)
				for _, i := range c.places {
					p.printf("        500 %s Packages\n", i.place(p.k.cfg.Arch))
				}
				if c.version == installed {
					p.print("        100 /var/lib/dpkg/status\n")
				}
			}
		}
	case "madison":
		for _, arg := range args {
			n := a.plain(arg)
			for _, c := range avail[n] {
				for _, i := range c.places {
					p.printf("%10s | %10s | %s Packages\n", n, c.version, i.place(p.k.cfg.Arch))
				}
			}
		}
	case "show":
		found := false
		for _, arg := range args {
			n := a.plain(arg)
			for _, c := range avail[n] {
				if pk, ok := p.k.inArchive(n, c.version); ok {
					s := pk.stanza(p.k.cfg.Arch, "")
					for _, k := range s.keys {
						p.print(k, ": ", s.get(k), "\n")
					}
					p.print("\n")
					found = true
				}
			}
		}
		if !found {
			return p.aptFail("No packages found")
		}
	case "pkgnames":
		for _, n := range slices.Sorted(maps.Keys(avail)) {
			if len(args) == 0 || strings.HasPrefix(n, args[0]) {
				p.print(n, "\n")
			}
		}
	case "search", "depends", "rdepends", "showpkg", "showsrc", "stats", "dump", "dumpavail", "unmet", "dotty", "xvcg", "gencaches":
		p.warn("E: hosttest: apt-cache %s is not known to this machine\n", verb)
		return 100
	default:
		return p.aptFail("Invalid operation %s", verb)
	}
	return 0
}
