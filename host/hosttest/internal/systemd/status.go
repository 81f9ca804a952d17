package systemd

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func (c *systemctl) cat(args []string) int {
	s, p := c.s, c.p
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, a := range args {
		fresh := &Manager{k: s.k, units: map[string]*unit{}}
		u := fresh.loadUnit(unitNameOf(a))
		if u.load == "not-found" || u.fragment == "" {
			p.Flush()
			p.Warnf("No files found for %s.\n", u.name)
			return 1
		}
		if i > 0 {
			p.Print("\n")
		}
		for j, f := range append([]string{u.fragment}, u.dropIns...) {
			if j > 0 {
				p.Print("\n")
			}
			b, _, err := s.read(f)
			if err != nil {
				b = nil
			}
			p.Print("# ", f, "\n", string(b))
		}
	}
	return 0
}

func (c *systemctl) status(args []string) int {
	s, p := c.s, c.p
	s.mu.Lock()
	defer s.mu.Unlock()
	code := 0
	for _, a := range args {
		for _, u := range c.expand(a) {
			if u.load == "not-found" {
				p.Flush()
				p.Warnf("Unit %s could not be found.\n", u.name)
				code = 4
				continue
			}
			dot := map[string]string{"active": "●", "failed": "×"}[u.active]
			p.Printf("%s %s\n     Loaded: %s (%s; %s; preset: enabled)\n     Active: %s (%s)\n", cmp.Or(dot, "○"),
				s.describe(u), u.load, u.fragment, s.enabledState(u.name), u.active, u.sub)
			if u.proc != nil {
				p.Printf("   Main PID: %d (%s)\n", u.proc.PID, u.proc.Comm())
			}
			if u.active != "active" && code == 0 {
				code = 3
			}
		}
	}
	return code
}

func (c *systemctl) list(verb string, args []string) int {
	s, p := c.s, c.p
	s.mu.Lock()
	defer s.mu.Unlock()
	legend := !c.o.Has("no-legend") && c.o.Get("legend") != "no" && c.o.Get("legend") != "false"
	n := 0
	if verb == "list-timers" {
		if legend {
			p.Print("NEXT LEFT LAST PASSED UNIT ACTIVATES\n")
		}
		for _, u := range s.unitList() {
			if strings.HasSuffix(u.name, ".timer") && (u.active == "active" || c.o.Has("a")) {
				p.Printf("n/a n/a n/a n/a %s %s\n", u.name, u.activates())
				n++
			}
		}
		if legend {
			p.Printf("\n%d timers listed.\n", n)
		}
		return 0
	}
	if legend {
		p.Print("  UNIT LOAD ACTIVE SUB DESCRIPTION\n")
	}
	types := strings.Split(c.o.Get("t"), ",")
	states := strings.Split(c.o.Get("state"), ",")
	for _, u := range s.unitList() {
		if c.o.Get("t") != "" && !slices.Contains(types, strings.TrimPrefix(path.Ext(u.name), ".")) {
			continue
		}
		switch {
		case c.o.Get("state") != "":
			if !slices.Contains(states, u.active) && !slices.Contains(states, u.sub) && !slices.Contains(states, u.load) {
				continue
			}
		case c.o.Has("failed"):
			if u.active != "failed" {
				continue
			}
		case !c.o.Has("a") && (u.active == "inactive" || u.load == "not-found"):
			continue
		}
		if !named(args, u.name) {
			continue
		}
		mark := "  "
		if u.active == "failed" {
			mark = "● "
		}
		if c.o.Has("plain") {
			mark = ""
		}
		p.Printf("%s%s %s %s %s %s\n", mark, u.name, u.load, u.active, u.sub,
			cmp.Or(s.specifiers(u, u.file.get("Unit.Description")), u.name))
		n++
	}
	if legend {
		p.Printf("\n%d loaded units listed.\n", n)
	}
	return 0
}

// named tells that an argument is the name of a unit, or a pattern that it matches. Without arguments every unit is.
func named(args []string, unit string) bool {
	return len(args) == 0 || slices.ContainsFunc(args, func(a string) bool {
		return libc.Fnmatch(a, unit) || unit == unitNameOf(a)
	})
}

func (c *systemctl) listFiles(args []string) int {
	s, p := c.s, c.p
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{}
	for _, dir := range unitDirs {
		names, _ := s.k.FS().ReadDir(dir)
		for _, n := range names {
			if unitSections[path.Ext(n)] != nil {
				seen[n] = true
			}
		}
	}
	legend := !c.o.Has("no-legend")
	if legend {
		p.Print("UNIT FILE STATE PRESET\n")
	}
	n := 0
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		if c.o.Get("t") != "" && "."+c.o.Get("t") != path.Ext(name) {
			continue
		}
		if !named(args, name) {
			continue
		}
		st := s.enabledState(name)
		if c.o.Get("state") != "" && st != c.o.Get("state") {
			continue
		}
		p.Printf("%s %s enabled\n", name, st)
		n++
	}
	if legend {
		p.Printf("\n%d unit files listed.\n", n)
	}
	if n == 0 && len(args) > 0 {
		return 1
	}
	return 0
}
