package apt

import (
	"fmt"
	"slices"
)

func (a *apt) candidate(name string) (candidate, bool) {
	return candidateOf(name, a.avail[name], a.pins)
}

// state is the package in the status file and its status; "" when it has none.
func (a *apt) state(name string) (*stanza, string) {
	s := findPackage(a.p.Kernel, name)
	if s == nil {
		return nil, ""
	}
	_, _, st := s.state()
	if st == "not-installed" || st == "config-files" {
		return s, ""
	}
	return s, st
}

// after is the version that is installed when the plan is done.
func (a *apt) after(name string) (string, bool) {
	for _, pk := range a.install {
		if pk.Name == name {
			return pk.Version, true
		}
	}
	if slices.Contains(a.remove, name) {
		return "", false
	}
	s, st := a.state(name)
	if st == "" {
		return "", false
	}
	return s.get("Version"), true
}

func (a *apt) holds(any []relation) bool {
	return slices.ContainsFunc(any, func(r relation) bool {
		v, ok := a.after(r.name)
		return ok && r.allows(v) || r.op == "" && slices.ContainsFunc(a.providers(r.name), func(n string) bool {
			_, ok := a.after(n)
			return ok
		})
	})
}

// providers are the packages that provide a virtual one.
func (a *apt) providers(name string) []string {
	var out []string
	for _, pk := range everyPackage(a.p.Kernel) {
		for _, any := range parseRelations(pk.Provides) {
			if any[0].name == name && !slices.Contains(out, pk.Name) {
				out = append(out, pk.Name)
			}
		}
	}
	return out
}

// offered are those of the providers that could be installed.
func (a *apt) offered(name string) (out []string) {
	for _, n := range a.providers(name) {
		if _, ok := a.candidate(n); ok {
			out = append(out, n)
		}
	}
	return out
}

// conflict plans the removal of an installed package that cannot stay beside one that is installed. One that is held or
// essential stays, and apt-get gives up.
func (a *apt) conflict(name, other string, r relation) {
	s, _ := a.state(other)
	if want, _, _ := s.state(); !a.named[other] && (want == "hold" || s.get("Essential") == "yes") {
		a.unmet = append(a.unmet, fmt.Sprintf(" %s : Conflicts: %s", name, r))
		return
	}
	a.drop(other)
}

// means tells whether a relation of another package is about one that has this name or provides it.
func (r relation) means(name, version, provides string) bool {
	return r.name == name && r.allows(version) || r.op == "" &&
		slices.ContainsFunc(parseRelations(provides), func(any []relation) bool { return any[0].name == r.name })
}

// add plans a version and what it needs.
func (a *apt) add(name string, c candidate) {
	k := a.p.Kernel
	if at := slices.IndexFunc(a.install, func(pk Package) bool { return pk.Name == name }); at >= 0 {
		if a.install[at].Version == c.version || !a.named[name] {
			return
		}
		a.install = slices.Delete(a.install, at, at+1) // repair wanted another version than the command line does
	}
	pk, ok := inArchive(k, name, c.version)
	if !ok {
		pk = Package{Name: name, Version: c.version, Arch: c.arch, Depends: c.depends}
	}
	a.install = append(a.install, pk) // so that a circle of dependencies ends
	a.from[name] = c
	a.remove = slices.DeleteFunc(a.remove, func(n string) bool { return n == name })
	for _, any := range parseRelations(pk.Depends) {
		if a.holds(any) || a.satisfy(any) {
			continue
		}
		why := "but it is not installable"
		if v, ok := a.after(any[0].name); ok {
			why = "but " + v + " is to be installed"
		} else if c, ok := a.candidate(any[0].name); ok {
			why = "but " + c.version + " is to be installed"
		}
		a.unmet = append(a.unmet, fmt.Sprintf(" %s : Depends: %s %s", name, relationText(any), why))
	}
	// Dependencies come first.
	at := slices.IndexFunc(a.install, func(x Package) bool { return x.Name == name })
	a.install = append(slices.Delete(a.install, at, at+1), pk)
	a.resolveConflicts(pk)
}

// satisfy plans a version that a dependency of alternatives allows, of the first that can be had.
func (a *apt) satisfy(any []relation) bool {
	for _, r := range any {
		if c, ok := a.allowed(r); ok {
			a.add(r.name, c)
			return true
		}
		if r.op != "" {
			continue
		}
		if list := a.providers(r.name); len(list) > 0 {
			if c, ok := a.candidate(list[0]); ok {
				a.add(list[0], c)
				return true
			}
		}
	}
	return false
}

// allowed is the version that a dependency can be satisfied with. Nothing is downgraded that was not asked for.
func (a *apt) allowed(r relation) (candidate, bool) {
	s, st := a.state(r.name)
	best, ok := a.candidate(r.name)
	for _, c := range a.avail[r.name] {
		if st != "" && compareVersions(c.version, s.get("Version")) < 0 {
			break
		}
		if r.allows(c.version) && (!ok || best.version == c.version || r.op == "=") {
			return c, true
		}
	}
	return candidate{}, false
}

// resolveConflicts plans the removal of what cannot stay beside a package.
func (a *apt) resolveConflicts(pk Package) {
	for _, s := range packages(a.p.Kernel) {
		n := s.get("Package")
		if _, st := a.state(n); st == "" || n == pk.Name || slices.Contains(a.remove, n) {
			continue
		}
		for _, any := range parseRelations(s.get("Conflicts")) {
			if any[0].means(pk.Name, pk.Version, pk.Provides) {
				a.conflict(pk.Name, n, any[0])
			}
		}
		for _, any := range parseRelations(pk.Conflicts) {
			if any[0].means(n, s.get("Version"), s.get("Provides")) {
				a.conflict(pk.Name, n, any[0])
			}
		}
	}
}

// drop plans to remove a package and what needs it.
func (a *apt) drop(name string) {
	if slices.Contains(a.remove, name) {
		return
	}
	a.remove = append(a.remove, name)
	for _, s := range packages(a.p.Kernel) {
		n := s.get("Package")
		if _, st := a.state(n); st == "" || n == name {
			continue
		}
		for _, any := range parseRelations(s.get("Depends")) {
			if slices.ContainsFunc(any, func(r relation) bool { return r.name == name }) && !a.holds(any) {
				a.drop(n)
				// What needs it goes first.
				a.remove = append([]string{n}, slices.DeleteFunc(a.remove, func(x string) bool { return x == n })...)
			}
		}
	}
}
