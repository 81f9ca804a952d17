package hosttest

import "slices"

const extendedStates = "/var/lib/apt/extended_states"

// autoMarked tells whether a package was installed for the sake of another.
func (p *proc) autoMarked(name string) bool {
	b, _ := p.readFile(extendedStates)
	return slices.ContainsFunc(parseStatus(string(b)), func(s *stanza) bool { return s.get("Package") == name && s.get("Auto-Installed") == "1" })
}

func (p *proc) markAuto(name string, auto bool) error {
	b, _ := p.readFile(extendedStates)
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
		s.set("Architecture", p.k.cfg.Arch)
		s.set("Auto-Installed", "1")
		list = append(list, s)
	}
	return p.replaceFile(extendedStates, []byte(formatStatus(list)), 0o644)
}

// autoremovable are the packages that were installed for the sake of others which are gone.
func (p *proc) autoremovable(gone []string) []string {
	need := map[string]bool{}
	var mark func(name string)
	mark = func(name string) {
		s := p.k.findPackage(name)
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
	b, _ := p.readFile(extendedStates)
	auto := map[string]bool{}
	for _, s := range parseStatus(string(b)) {
		auto[s.get("Package")] = s.get("Auto-Installed") == "1"
	}
	if len(auto) == 0 {
		return nil
	}
	for _, s := range p.k.packages() {
		if n := s.get("Package"); s.installed() && !auto[n] {
			mark(n)
		}
	}
	var out []string
	for _, s := range p.k.packages() {
		if n := s.get("Package"); s.installed() && auto[n] && !need[n] {
			out = append(out, n)
		}
	}
	// What needs others goes first.
	slices.SortStableFunc(out, func(x, y string) int {
		needs := func(a, b string) bool {
			return slices.ContainsFunc(parseRelations(p.k.findPackage(a).get("Depends")), func(any []relation) bool {
				return slices.ContainsFunc(any, func(r relation) bool { return r.name == b })
			})
		}
		return btoi(needs(y, x)) - btoi(needs(x, y))
	})
	return out
}

func cmdAptMark(p *proc) int {
	conf, bad := p.aptConfig()
	if bad != "" {
		return p.aptFail("%s", bad)
	}
	_, args, bad := p.aptOptions(conf)
	if bad != "" {
		return p.aptFail("%s", bad)
	}
	if len(args) == 0 {
		p.printf("apt 2.6.1 (%s)\nUsage: apt-mark [options] {auto|manual} pkg1 [pkg2 ...]\n", p.k.cfg.Arch)
		return 1
	}
	verb, args := args[0], args[1:]
	switch verb {
	case "showhold", "showholds", "showheld", "showauto", "showmanual":
		for _, s := range p.k.packages() {
			n := s.get("Package")
			want, _, _ := s.state()
			show := want == "hold"
			switch verb {
			case "showauto":
				show = s.installed() && p.autoMarked(n)
			case "showmanual":
				show = s.installed() && !p.autoMarked(n)
			}
			if show && (len(args) == 0 || slices.Contains(args, n)) {
				p.print(n, "\n")
			}
		}
		return 0
	case "hold", "unhold", "auto", "manual":
	default:
		return p.aptFail("Invalid operation %s", verb)
	}
	sources, bad := p.aptSources()
	if bad != "" {
		p.warn("E: %s\nE: The list of sources could not be read.\n", bad)
		return 100
	}
	avail := p.available(sources)
	a := &apt{p: p, avail: avail}
	var names []string
	missing := false
	for _, arg := range args {
		n := a.plain(arg)
		if _, ok := avail[n]; !ok && p.k.findPackage(n) == nil {
			p.warn("E: Unable to locate package %s\n", arg)
			missing = true
			continue
		}
		names = append(names, n)
	}
	if len(names) == 0 {
		return p.aptFail("No packages found")
	}
	if missing {
		return 100
	}
	if verb == "auto" || verb == "manual" {
		for _, n := range names {
			word := map[string]string{"auto": "automatically", "manual": "manually"}[verb]
			if s := p.k.findPackage(n); s == nil || !s.installed() {
				p.printf("%s can not be marked as it is not installed.\n", n)
				continue
			}
			if p.autoMarked(n) == (verb == "auto") {
				p.printf("%s was already set to %s installed.\n", n, word)
				continue
			}
			if err := p.markAuto(n, verb == "auto"); err != nil {
				p.flush()
				p.warn("E: Could not create temporary file for %s - mkstemp (%s)\nE: Failed to write temporary StateFile %s\n", extendedStates, errnoText(err), extendedStates)
				return 100
			}
			p.printf("%s set to %s installed.\n", n, word)
		}
		return 0
	}
	for _, n := range names {
		s := p.k.findPackage(n)
		want, flag, st := "unknown", "ok", "not-installed"
		if s != nil {
			want, flag, st = s.state()
		}
		if (want == "hold") == (verb == "hold") {
			p.printf("%s was already %s.\n", n, map[string]string{"hold": "set on hold", "unhold": "not on hold"}[verb])
			continue
		}
		if p.uid != 0 {
			p.flush()
			p.warn("dpkg: error: required read/write access to the dpkg database directory /var/lib/dpkg\nE: Sub-process dpkg --set-selections returned an error code (2)\nE: Executing dpkg failed. Are you root?\n")
			return 100
		}
		want = "hold"
		if verb == "unhold" {
			if want = "install"; st == "not-installed" {
				want = "unknown"
			}
		}
		if err := p.editPackage(n, func(s *stanza) *stanza {
			if s == nil {
				s = &stanza{fields: map[string]string{}}
				s.set("Package", n)
			}
			s.set("Status", want+" "+flag+" "+st)
			return s
		}); err != nil {
			p.flush()
			p.warn("dpkg: error: %s\nE: Sub-process dpkg --set-selections returned an error code (2)\nE: Executing dpkg failed. Are you root?\n", strerror(err))
			return 100
		}
		if verb == "hold" {
			p.printf("%s set on hold.\n", n)
		} else {
			p.printf("Canceled hold on %s.\n", n)
		}
	}
	return 0
}
