package apt

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// An aptPin is a stanza of apt_preferences(5) for one pattern of packages.
type aptPin struct {
	pattern, pin string
	priority     int
}

func aptPins(p *kernel.Process) []aptPin {
	var out []aptPin
	files := []string{"/etc/apt/preferences"}
	names, _ := p.ReadDir("/etc/apt/preferences.d")
	slices.Sort(names)
	for _, n := range names {
		if ext := path.Ext(n); ext == "" || ext == ".pref" {
			files = append(files, "/etc/apt/preferences.d/"+n)
		}
	}
	for _, f := range files {
		b, err := p.ReadFile(f)
		if err != nil {
			continue
		}
		for _, s := range parseStatus(string(b)) {
			n, _ := strconv.Atoi(s.get("Pin-Priority"))
			for pattern := range strings.FieldsSeq(s.get("Package")) {
				out = append(out, aptPin{pattern, s.get("Pin"), n})
			}
		}
	}
	return out
}

// candidateOf is the version that would be installed: the one that a pin prefers, else the newest.
func candidateOf(name string, versions []candidate, pins []aptPin) (candidate, bool) {
	best, top := candidate{}, 0
	for _, c := range versions {
		priority := 500
		for _, pin := range pins {
			if pin.pattern != name && !(libc.IsGlob(pin.pattern) && libc.Fnmatch(pin.pattern, name)) {
				continue
			}
			kind, what, _ := strings.Cut(pin.pin, " ")
			hit := false
			switch kind {
			case "version":
				hit = libc.Fnmatch(strings.TrimSpace(what), c.version)
			case "origin":
				host := strings.Trim(what, `"`)
				hit = slices.ContainsFunc(c.places, func(i index) bool { return strings.Contains(i.source.uri, host) })
			case "release":
				terms := strings.FieldsFunc(what, func(r rune) bool { return r == ',' || r == ' ' })
				hit = what == "*" || slices.ContainsFunc(c.places, func(i index) bool {
					return slices.Contains(terms, "n="+i.source.suite)
				})
			}
			if hit {
				priority = pin.priority
				break
			}
		}
		if priority > top {
			best, top = c, priority
		}
	}
	return best, top > 0
}
