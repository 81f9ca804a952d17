package inventory

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Select returns the hosts that a pattern selects, each once. A pattern consists of terms that are
// separated by commas, or by colons as in "raspberries:&local:!gitea":
//
//	pi1, raspberries    a host, or the hosts of a group; all is every host, ungrouped those in no group
//	raspberries[0]      the first host of a group; [-1] the last, [1:2] the second and the third, [1:] all but the first
//	pi*, pi?, pi[!3]*   hosts and groups by a glob
//	~pi[12]             hosts and groups whose names begin with a match of a regular expression (Go's syntax)
//	&local              only hosts that local selects too
//	!gitea              no host that gitea selects
//
// Regardless of their positions, the plain terms are joined first, then intersected with each term
// with &, and then the hosts of the terms with ! are removed. The order of the hosts is that of the
// plain terms; within a group, that of the group; for all, a glob or an expression, that of the
// inventory.
//
// The meaning is Ansible's, without its traps. A pattern is refused if it names something that does
// not exist, selects no host, has no plain term (for Ansible that means all), or is something else
// to Ansible than what it looks like: [Inventory.SelectAnsible] then shows what. Every pattern that
// is accepted selects the same hosts as in Ansible. The error is a [*lab.Error]: with
// [lab.Problems] if anything is wrong with the pattern, or with [lab.ErrNotFound] if it selects no
// host.
func (inv *Inventory) Select(pattern string) ([]*Host, error) {
	fail := func(err error) ([]*Host, error) {
		return nil, &lab.Error{Op: "select hosts", Target: pattern, Err: err}
	}
	var ps lab.Problems
	terms := splitPattern(pattern)
	union, others := 0, make([][]*Host, len(terms))
	for i, text := range terms {
		t := parseTerm(text)
		if t.op == 0 {
			union++
		}
		hosts, problem := inv.selectTerm(t, strings.Contains(pattern, ","))
		if problem.Message != "" {
			ps = append(ps, problem)
		}
		others[i] = hosts
	}
	switch {
	case len(terms) == 0:
		ps = append(ps, lab.Problem{Message: "an empty pattern", Hint: "write all if you mean every host"})
	case union == 0:
		ps = append(ps, lab.Problem{Message: "only & and ! terms, which reduce a selection",
			Hint: "begin with all if you mean every host"})
	}
	if len(ps) > 0 {
		return fail(ps.Err())
	}
	var hosts []*Host
	for _, op := range []byte{0, '&', '!'} {
		for i, text := range terms {
			if t := parseTerm(text); t.op == op {
				hosts = t.apply(hosts, others[i])
			}
		}
	}
	if len(hosts) == 0 && inv.Sure(pattern) {
		return fail(fmt.Errorf("%w: it selects no hosts", lab.ErrNotFound))
	}
	return hosts, nil
}

// selectTerm returns the hosts of a term, or what is wrong with it. commas tells that the terms
// were separated by commas.
func (inv *Inventory) selectTerm(t term, commas bool) ([]*Host, lab.Problem) {
	switch {
	case t.expr == "":
		return t.refuse("nothing follows the sign", "")
	case strings.Contains(outsideBrackets(t.expr), ":") && commas:
		return t.refuse("a colon in a pattern with commas", "separate all terms by commas")
	case strings.Contains(outsideBrackets(t.expr), ":"):
		return t.refuse("it looks like an address with a port, or like an IPv6 address", "separate terms by commas")
	case strings.ContainsFunc(t.expr, isPatternSpace):
		return t.refuse("a space in a name", "separate terms by commas")
	case t.expr[0] == '&' || t.expr[0] == '!':
		return t.refuse("two signs", "")
	case (t.dash || t.glob() && t.slice != nil) && inv.groupNamed[t.expr] == nil && inv.looksLikeClass(t):
		return t.refuse("the last [] is an index", "for one of several letters write "+t.asRegexp())
	case t.dash && !t.glob():
		return t.refuse("a range is written with a colon", "write "+t.expr+strings.Replace(t.brackets, "-", ":", 1))
	case t.regexp() || t.glob():
		return inv.selectMatching(t)
	}
	return inv.selectNamed(t)
}

// refuse returns what is wrong with the term, for selectTerm to return.
func (t term) refuse(message, hint string) ([]*Host, lab.Problem) {
	return nil, lab.Problem{Message: message, Text: t.text, Hint: hint}
}

// selectNamed returns the hosts of a term that is the name of a host or a group.
func (inv *Inventory) selectNamed(t term) ([]*Host, lab.Problem) {
	g, h := inv.groupNamed[t.expr], inv.byName[t.expr]
	switch {
	case g == nil && h == nil && t.slice != nil && inv.looksLikeClass(t):
		return t.refuse("no such group",
			"[] after a name is an index; for one of several letters write ~"+t.expr+t.brackets)
	case g == nil && h == nil:
		return t.refuse("no such host or group", nearest(t.expr, inv.names()))
	case h != nil && t.slice != nil:
		return t.refuse("an index after a host, which only a group can have", "")
	case h != nil:
		return []*Host{h}, lab.Problem{}
	}
	hosts := g.members()
	if t.slice == nil {
		return hosts, lab.Problem{}
	}
	part, ok := t.slice.of(hosts)
	if inv.unsure[g.name] && len(part) == 0 {
		return nil, lab.Problem{}
	}
	if !ok || len(part) == 0 || t.slice.to != nil && *t.slice.to != -1 && *t.slice.to < t.slice.from {
		return t.refuse(fmt.Sprintf("no such part of the group, which has %d hosts", len(hosts)), "")
	}
	return part, lab.Problem{}
}

// selectMatching returns the hosts of a term that is a glob or a regular expression.
func (inv *Inventory) selectMatching(t term) ([]*Host, lab.Problem) {
	if t.slice != nil {
		return t.refuse("an index after a glob, whose hosts are in no order", "use the name of the group")
	}
	match, err := t.matcher()
	if err != nil {
		return t.refuse("not a regular expression: "+err.Error(), "")
	}
	if t.expr == "*" {
		return inv.Hosts(), lab.Problem{}
	}
	found := map[*Host]bool{}
	matched := false
	for _, g := range inv.groups {
		if !match(g.name) {
			continue
		}
		if g.name == groupAll || g.name == groupUngrouped {
			return t.refuse("it also matches the built-in group "+g.name,
				"write "+g.name+" if you mean that, or a more specific pattern")
		}
		matched = true
		for _, h := range g.members() {
			found[h] = true
		}
	}
	var hosts []*Host
	for _, h := range inv.hosts {
		if match(h.Name) {
			matched, found[h] = true, true
		}
		if found[h] {
			hosts = append(hosts, h)
		}
	}
	if !matched {
		return t.refuse("it matches no host and no group", "")
	}
	return hosts, lab.Problem{}
}

// looksLikeClass reports whether the brackets at the end would match as a character class: pi[12],
// db[0-9][0-9].
func (inv *Inventory) looksLikeClass(t term) bool {
	match := compileGlob(t.expr + t.brackets)
	return slices.ContainsFunc(inv.names(), match)
}

// names returns the names of all hosts and groups.
func (inv *Inventory) names() []string {
	names := inv.Groups()
	for _, h := range inv.hosts {
		names = append(names, h.Name)
	}
	return names
}
