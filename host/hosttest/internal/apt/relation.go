package apt

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// A relation is one alternative of a dependency.
type relation struct{ name, op, version string }

func (r relation) String() string {
	if r.op == "" {
		return r.name
	}
	return r.name + " (" + r.op + " " + r.version + ")"
}

func (r relation) allows(version string) bool {
	c := compareVersions(version, r.version)
	switch r.op {
	case "":
		return true
	case ">=":
		return c >= 0
	case "<=":
		return c <= 0
	case ">>":
		return c > 0
	case "<<":
		return c < 0
	}
	return c == 0
}

// parseRelations reads a field such as Depends: all of them are needed, each by one of its alternatives.
func parseRelations(s string) [][]relation {
	var out [][]relation
	for group := range strings.SplitSeq(s, ",") {
		var any []relation
		for alt := range strings.SplitSeq(group, "|") {
			name, cond, _ := strings.Cut(strings.TrimSpace(alt), "(")
			name, _, _ = strings.Cut(strings.TrimSpace(name), ":")
			if name == "" {
				continue
			}
			r := relation{name: name}
			if f := strings.Fields(strings.TrimSuffix(strings.TrimSpace(cond), ")")); len(f) == 2 {
				r.op, r.version = f[0], f[1]
			}
			any = append(any, r)
		}
		if len(any) > 0 {
			out = append(out, any)
		}
	}
	return out
}

func relationText(any []relation) string {
	var s []string
	for _, r := range any {
		s = append(s, r.String())
	}
	return strings.Join(s, " | ")
}

// unmet names what a package depends on and is not installed.
func unmet(k *kernel.Kernel, pk Package) []string {
	return unmetField(k, pk.Depends, func(st string) bool { return st == "installed" })
}

func unmetField(k *kernel.Kernel, depends string, good func(status string) bool) []string {
	var out []string
	for _, any := range parseRelations(depends) {
		if !slices.ContainsFunc(any, func(r relation) bool {
			s := findPackage(k, r.name)
			if s == nil {
				return false
			}
			_, _, st := s.state()
			return good(st) && r.allows(s.get("Version"))
		}) {
			out = append(out, relationText(any))
		}
	}
	return out
}
