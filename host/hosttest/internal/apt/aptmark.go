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
	return slices.ContainsFunc(parseStatus(string(b)), func(s *stanza) bool { return s.get("Package") == name && s.get("Auto-Installed") == "1" })
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
	verb, args := args[0], args[1:]
	switch verb {
	case "showhold", "showholds", "showheld", "showauto", "showmanual":
		for _, s := range packages(p.Kernel) {
			n := s.get("Package")
			want, _, _ := s.state()
			show := want == "hold"
			switch verb {
			case "showauto":
				show = s.installed() && autoMarked(p, n)
			case "showmanual":
				show = s.installed() && !autoMarked(p, n)
			}
			if show && (len(args) == 0 || slices.Contains(args, n)) {
				p.Print(n, "\n")
			}
		}
		return 0
	case "hold", "unhold", "auto", "manual":
	default:
		return aptFail(p, "Invalid operation %s", verb)
	}
	sources, bad := aptSources(p, conf)
	if bad != "" {
		p.Warnf("E: %s\nE: The list of sources could not be read.\n", bad)
		return 100
	}
	avail := available(p, sources)
	a := &apt{p: p, avail: avail}
	var names []string
	missing := false
	for _, arg := range args {
		n := a.plain(arg)
		if _, ok := avail[n]; !ok && findPackage(p.Kernel, n) == nil {
			p.Warnf("E: Unable to locate package %s\n", arg)
			missing = true
			continue
		}
		names = append(names, n)
	}
	if len(names) == 0 {
		return aptFail(p, "No packages found")
	}
	if missing {
		return 100
	}
	if verb == "auto" || verb == "manual" {
		for _, n := range names {
			word := map[string]string{"auto": "automatically", "manual": "manually"}[verb]
			if s := findPackage(p.Kernel, n); s == nil || !s.installed() {
				p.Printf("%s can not be marked as it is not installed.\n", n)
				continue
			}
			if autoMarked(p, n) == (verb == "auto") {
				p.Printf("%s was already set to %s installed.\n", n, word)
				continue
			}
			if err := markAuto(p, n, verb == "auto"); err != nil {
				p.Flush()
				p.Warnf("E: Could not create temporary file for %s - mkstemp (%s)\nE: Failed to write temporary StateFile %s\n", extendedStates, errnoText(err), extendedStates)
				return 100
			}
			p.Printf("%s set to %s installed.\n", n, word)
		}
		return 0
	}
	for _, n := range names {
		s := findPackage(p.Kernel, n)
		want, flag, st := "unknown", "ok", "not-installed"
		if s != nil {
			want, flag, st = s.state()
		}
		if (want == "hold") == (verb == "hold") {
			p.Printf("%s was already %s.\n", n, map[string]string{"hold": "set on hold", "unhold": "not on hold"}[verb])
			continue
		}
		if p.UID != 0 {
			p.Flush()
			p.Warnf("dpkg: error: required read/write access to the dpkg database directory /var/lib/dpkg\nE: Sub-process dpkg --set-selections returned an error code (2)\nE: Executing dpkg failed. Are you root?\n")
			return 100
		}
		want = "hold"
		if verb == "unhold" {
			if want = "install"; st == "not-installed" {
				want = "unknown"
			}
		}
		if err := editPackage(p, n, func(s *stanza) *stanza {
			if s == nil {
				s = &stanza{fields: map[string]string{}}
				s.set("Package", n)
			}
			s.set("Status", want+" "+flag+" "+st)
			return s
		}); err != nil {
			p.Flush()
			p.Warnf("dpkg: error: %s\nE: Sub-process dpkg --set-selections returned an error code (2)\nE: Executing dpkg failed. Are you root?\n", kernel.Strerror(err))
			return 100
		}
		if verb == "hold" {
			p.Printf("%s set on hold.\n", n)
		} else {
			p.Printf("Canceled hold on %s.\n", n)
		}
	}
	return 0
}
