package apt

import (
	"maps"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// A choice is a version of a package that the command line asks for.
type choice struct {
	name string
	c    candidate
}

// candidate is the version that is installed, as one that no list names.
func (s *stanza) candidate() candidate {
	return candidate{s.get("Version"), s.get("Architecture"), s.get("Depends"), nil}
}

// selection reads the operands of apt-get install.
type selection struct {
	*apt
	chosen []choice
	code   int // the exit code; apt-get looks at every operand before it gives up
}

// chooseInstall plans to install what the operands name.
func (a *apt) chooseInstall() int {
	s := &selection{apt: a}
	for _, arg := range a.args {
		if strings.Contains(arg, "/") {
			if code := s.file(arg); code != 0 {
				return code
			}
			continue
		}
		s.operand(arg)
	}
	if s.code != 0 {
		return s.code
	}
	for _, x := range s.chosen {
		a.choose(x)
	}
	return a.checkPlan()
}

// choose plans to install a version, unless it is there or the options say otherwise.
func (a *apt) choose(x choice) {
	p := a.p
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
	case same && len(x.c.places) == 0:
		p.Printf("Reinstallation of %s is not possible, it cannot be downloaded.\n", x.name)
	case st == "" && a.flags["only-upgrade"]:
		p.Printf("Skipping %s, it is not installed and only upgrades are requested.\n", x.name)
	case st != "" && a.flags["no-upgrade"]:
		p.Printf("Skipping %s, it is already installed and upgrade is not set.\n", x.name)
	default:
		a.add(x.name, x.c)
	}
}

func (s *selection) take(name string, c candidate) { s.chosen = append(s.chosen, choice{name, c}) }

// fail says what is wrong with an operand.
func (s *selection) fail(format string, a ...any) { s.code = aptFail(s.p, format, a...) }

// unavailable says that no list has a package that others know.
func (s *selection) unavailable(name string) {
	s.p.Printf("Package %s is not available, but is referred to by another package.\n"+
		"This may mean that the package is missing, has been obsoleted, or\n"+
		"is only available from another source\n\n", name)
}

// file takes the package of a .deb file. apt-get gives up at once, with the code, when that cannot be.
func (s *selection) file(arg string) int {
	if !strings.HasPrefix(arg, "/") && !strings.HasPrefix(arg, ".") {
		name, release, _ := strings.Cut(arg, "/")
		return aptFail(s.p, "Release '%s' for '%s' was not found", release, name)
	}
	b, err := s.p.ReadFile(arg)
	pk, ok := packageOf(s.p.Kernel, b)
	if err != nil || !ok {
		return aptFail(s.p, "Unsupported file %s given on commandline", arg)
	}
	s.p.Printf("Note, selecting '%s' instead of '%s'\n", pk.Name, arg)
	s.take(pk.Name, candidate{pk.Version, pk.arch(s.p.Kernel.Config.Arch), pk.Depends, nil})
	return 0
}

// operand reads NAME or NAME=VERSION.
func (s *selection) operand(arg string) {
	full, version, exact := strings.Cut(arg, "=")
	name := s.plain(full)
	have, st := s.state(name)
	if _, known := s.avail[name]; !known && st == "" {
		s.unknown(name, full)
		return
	}
	if exact {
		s.version(name, version)
		return
	}
	c, ok := s.candidate(name)
	switch {
	case !ok && st == "":
		s.unavailable(name)
		s.fail("Package '%s' has no installation candidate", name)
		return
	case !ok, st != "" && compareVersions(have.get("Version"), c.version) > 0:
		// What is installed and newer than the lists stays, unless a version was asked for.
		c = have.candidate()
	}
	s.take(name, c)
}

// version takes the version that the command line asks for.
func (s *selection) version(name, version string) {
	have, st := s.state(name)
	at := slices.IndexFunc(s.avail[name], func(c candidate) bool { return c.version == version })
	switch {
	case at >= 0:
		c := s.avail[name][at]
		s.p.Printf("Selected version '%s' (%s [%s]) for '%s'\n", version, c.release(), c.arch, name)
		s.take(name, c)
	case st != "" && have.get("Version") == version:
		s.take(name, have.candidate())
	default:
		s.unavailable(name)
		s.fail("Version '%s' for '%s' was not found", version, name)
	}
}

// unknown reads an operand that is not the name of a package: one that ends in a dash is removed, a pattern stands for
// the packages that it matches, and a virtual package for the one that provides it.
func (s *selection) unknown(name, full string) {
	if base, ok := strings.CutSuffix(name, "-"); ok {
		base = s.plain(base)
		s.named[base] = true
		if _, st := s.state(base); st != "" {
			s.drop(base)
		} else {
			s.p.Printf("Package '%s' is not installed, so not removed\n", base)
		}
		return
	}
	if libc.IsGlob(name) {
		for _, n := range slices.Sorted(maps.Keys(s.avail)) {
			if c, ok := s.candidate(n); ok && libc.Fnmatch(name, n) {
				s.p.Printf("Note, selecting '%s' for glob '%s'\n", n, name)
				s.take(n, c)
			}
		}
		return
	}
	switch list := s.offered(name); len(list) {
	case 0:
		s.fail("Unable to locate package %s", full)
		if strings.Contains(full, ".") {
			s.fail("Couldn't find any package by glob '%s'", full)
		}
	case 1:
		// The one package that provides it is taken without a word, when apt-get is quiet.
		c, _ := s.candidate(list[0])
		s.take(list[0], c)
	default:
		s.p.Printf("Package %s is a virtual package provided by:\n", name)
		for _, n := range list {
			c, _ := s.candidate(n)
			s.p.Printf("  %s %s\n", n, c.version)
		}
		s.p.Print("You should explicitly select one to install.\n\n")
		s.fail("Package '%s' has no installation candidate", name)
	}
}
