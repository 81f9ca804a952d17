package apt

import (
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

const extendedStates = "/var/lib/apt/extended_states"

// autoMarked tells whether a package was installed for the sake of another.
func autoMarked(p *kernel.Process, name string) bool {
	b, _ := p.ReadFile(extendedStates)
	return slices.ContainsFunc(parseStatus(string(b)), func(s *stanza) bool {
		return s.get("Package") == name && s.get("Auto-Installed") == "1"
	})
}

func markAuto(p *kernel.Process, name string, auto bool) error {
	b, _ := p.ReadFile(extendedStates)
	list := parseStatus(string(b))
	at := slices.IndexFunc(list, func(s *stanza) bool { return s.get("Package") == name })
	if (at >= 0 && list[at].get("Auto-Installed") == "1") == auto {
		return nil
	}
	if at >= 0 {
		list = slices.Delete(list, at, at+1)
	}
	if auto {
		s := &stanza{fields: map[string]string{}}
		s.set("Package", name)
		s.set("Architecture", p.Kernel.Config.Arch)
		s.set("Auto-Installed", "1")
		list = append(list, s)
	}
	return libc.ReplaceFile(p, extendedStates, []byte(formatStatus(list)), 0o644)
}

// autoremovable are the packages that were installed for the sake of others which are gone.
func autoremovable(p *kernel.Process, gone []string) []string {
	need := map[string]bool{}
	var mark func(name string)
	mark = func(name string) {
		s := findPackage(p.Kernel, name)
		if s == nil || need[name] || slices.Contains(gone, name) {
			return
		}
		need[name] = true
		for _, any := range parseRelations(s.get("Depends")) {
			for _, r := range any {
				mark(r.name)
			}
		}
	}
	b, _ := p.ReadFile(extendedStates)
	auto := map[string]bool{}
	for _, s := range parseStatus(string(b)) {
		auto[s.get("Package")] = s.get("Auto-Installed") == "1"
	}
	if len(auto) == 0 {
		return nil
	}
	for _, s := range packages(p.Kernel) {
		if n := s.get("Package"); s.installed() && !auto[n] {
			mark(n)
		}
	}
	var out []string
	for _, s := range packages(p.Kernel) {
		if n := s.get("Package"); s.installed() && auto[n] && !need[n] {
			out = append(out, n)
		}
	}
	// What needs others goes first.
	slices.SortStableFunc(out, func(x, y string) int {
		needs := func(a, b string) bool {
			return slices.ContainsFunc(parseRelations(findPackage(p.Kernel, a).get("Depends")), func(any []relation) bool {
				return slices.ContainsFunc(any, func(r relation) bool { return r.name == b })
			})
		}
		return libc.BoolToInt(needs(y, x)) - libc.BoolToInt(needs(x, y))
	})
	return out
}

func cmdAptMark(p *kernel.Process) int {
	conf, bad := aptConfig(p)
	if bad != "" {
		return aptFail(p, "%s", bad)
	}
	_, args, bad := aptOptions(p, conf)
	if bad != "" {
		return aptFail(p, "%s", bad)
	}
	if len(args) == 0 {
		p.Printf("apt 2.6.1 (%s)\nUsage: apt-mark [options] {auto|manual} pkg1 [pkg2 ...]\n", p.Kernel.Config.Arch)
		return 1
	}
	a := &apt{p: p, conf: conf, verb: args[0], args: args[1:]}
	var set func(name string) int
	switch a.verb {
	case "showhold", "showholds", "showheld", "showauto", "showmanual":
		a.showMarked()
		return 0
	case "hold", "unhold":
		set = a.setHold
	case "auto", "manual":
		set = a.setAuto
	default:
		return aptFail(p, "Invalid operation %s", a.verb)
	}
	names, code := a.markNames()
	if code != 0 {
		return code
	}
	for _, n := range names {
		if code := set(n); code != 0 {
			return code
		}
	}
	return 0
}

// showMarked prints the packages that have the mark, of all or of those that are named.
func (a *apt) showMarked() {
	for _, s := range packages(a.p.Kernel) {
		n := s.get("Package")
		show := false
		switch a.verb {
		case "showauto":
			show = s.installed() && autoMarked(a.p, n)
		case "showmanual":
			show = s.installed() && !autoMarked(a.p, n)
		default:
			want, _, _ := s.state()
			show = want == "hold"
		}
		if show && (len(a.args) == 0 || slices.Contains(a.args, n)) {
			a.p.Print(n, "\n")
		}
	}
}

// markNames finds the packages of the command line. All of them must be there, or else apt-mark ends with the code.
func (a *apt) markNames() (names []string, code int) {
	p := a.p
	var bad string
	if a.sources, bad = aptSources(p, a.conf); bad != "" {
		p.Warnf("E: %s\nE: The list of sources could not be read.\n", bad)
		return nil, 100
	}
	a.avail = available(p, a.sources)
	for _, arg := range a.args {
		n := a.plain(arg)
		if _, ok := a.avail[n]; !ok && findPackage(p.Kernel, n) == nil {
			p.Warnf("E: Unable to locate package %s\n", arg)
			code = 100
			continue
		}
		names = append(names, n)
	}
	if len(names) == 0 {
		return nil, aptFail(p, "No packages found")
	}
	return names, code
}

// setAuto marks an installed package as installed for another's sake, or not.
func (a *apt) setAuto(name string) int {
	p, auto, word := a.p, a.verb == "auto", "manually"
	if auto {
		word = "automatically"
	}
	if s := findPackage(p.Kernel, name); s == nil || !s.installed() {
		p.Printf("%s can not be marked as it is not installed.\n", name)
		return 0
	}
	if autoMarked(p, name) == auto {
		p.Printf("%s was already set to %s installed.\n", name, word)
		return 0
	}
	if err := markAuto(p, name, auto); err != nil {
		p.Flush()
		p.Warnf("E: Could not create temporary file for %s - mkstemp (%s)\n"+
			"E: Failed to write temporary StateFile %s\n", extendedStates, errnoText(err), extendedStates)
		return 100
	}
	p.Printf("%s set to %s installed.\n", name, word)
	return 0
}

// setHold has dpkg hold a package, or no longer.
func (a *apt) setHold(name string) int {
	p, hold := a.p, a.verb == "hold"
	s := findPackage(p.Kernel, name)
	want, flag, st := "unknown", "ok", "not-installed"
	if s != nil {
		want, flag, st = s.state()
	}
	switch {
	case hold && want == "hold":
		p.Printf("%s was already set on hold.\n", name)
		return 0
	case !hold && want != "hold":
		p.Printf("%s was already not on hold.\n", name)
		return 0
	case p.UID != 0:
		return dpkgSelectionsFail(p,
			"required read/write access to the dpkg database directory /var/lib/dpkg")
	}
	switch {
	case hold:
		want = "hold"
	case st == "not-installed":
		want = "unknown"
	default:
		want = "install"
	}
	err := editPackage(p, name, func(s *stanza) *stanza {
		if s == nil {
			s = &stanza{fields: map[string]string{}}
			s.set("Package", name)
		}
		s.set("Status", want+" "+flag+" "+st)
		return s
	})
	switch {
	case err != nil:
		return dpkgSelectionsFail(p, kernel.Strerror(err))
	case hold:
		p.Printf("%s set on hold.\n", name)
	default:
		p.Printf("Canceled hold on %s.\n", name)
	}
	return 0
}

// dpkgSelectionsFail says that dpkg did not set a hold, and gives APT's exit code.
func dpkgSelectionsFail(p *kernel.Process, why string) int {
	p.Flush()
	p.Warnf("dpkg: error: %s\nE: Sub-process dpkg --set-selections returned an error code (2)\n"+
		"E: Executing dpkg failed. Are you root?\n", why)
	return 100
}
