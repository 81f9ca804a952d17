package inventory

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Select returns the hosts that a pattern selects, each once. A pattern is terms, separated by commas, or by colons as in
// "raspberries:&local:!gitea":
//
//	pi1, raspberries    a host, or the hosts of a group; all is every host, ungrouped those in no group
//	raspberries[0]      the first host of a group; [-1] the last, [1:2] the second and the third, [1:] all but the first
//	pi*, pi?, pi[!3]*   hosts and groups by a glob
//	~pi[12]             hosts and groups whose names begin with what a regular expression matches (Go's syntax)
//	&local              only hosts that are also selected by local
//	!gitea              no host that is selected by gitea
//
// Wherever they stand, the hosts of plain terms are joined first, then cut by each term with &, and then those with ! are taken away.
// The order is that of the plain terms; of the hosts of a group, that of the group; of all, a glob or an expression, that of the inventory.
//
// It is Ansible's meaning with the traps closed. A pattern is refused that names what does not exist, that selects no host, that has no
// plain term, which Ansible takes for all, or that Ansible would read in another way than it looks: [Inventory.SelectAnsible]
// then shows how. What is not refused selects the same hosts there. The error is a [lab.Problems] with everything that is wrong with the pattern,
// or a [lab.ErrNotFound] when nothing is wrong with it but no host is left; either in a [*lab.Error].
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
		ps = append(ps, lab.Problem{Message: "an empty pattern", Hint: "write all if every host is meant"})
	case union == 0:
		ps = append(ps, lab.Problem{Message: "only & and ! terms, which choose among other hosts", Hint: "write all first if every host is meant"})
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
	if len(hosts) == 0 {
		return fail(fmt.Errorf("%w: it selects no host", lab.ErrNotFound))
	}
	return hosts, nil
}

// selectTerm returns the hosts of a term, or what is wrong with it. commas says that the terms were separated by commas.
func (inv *Inventory) selectTerm(t term, commas bool) ([]*Host, lab.Problem) {
	wrong := func(message, hint string) ([]*Host, lab.Problem) {
		return nil, lab.Problem{Message: message, Text: t.text, Hint: hint}
	}
	if t.expr == "" {
		return wrong("nothing stands after the sign", "")
	}
	if strings.Contains(outsideBrackets(t.expr), ":") {
		if commas {
			return wrong("a colon in a pattern with commas", "separate all terms by commas")
		}
		return wrong("it reads as an address with a port, or of IPv6", "separate terms by commas")
	}
	if strings.ContainsFunc(t.expr, isPatternSpace) {
		return wrong("a space in a name", "separate terms by commas")
	}
	if t.expr[0] == '&' || t.expr[0] == '!' {
		return wrong("two signs", "")
	}
	if t.dash {
		return wrong("a range is written with a colon", "write "+t.expr+strings.Replace(t.brackets, "-", ":", 1))
	}
	if !t.regexp() && !t.glob() {
		g, h := inv.groupNamed[t.expr], inv.byName[t.expr]
		switch {
		case g == nil && h == nil && t.slice != nil && inv.looksLikeClass(t):
			return wrong("no such group", "[] after a name chooses by number; for a choice of letters write ~"+t.expr+t.brackets)
		case g == nil && h == nil:
			return wrong("no such host or group", nearest(t.expr, inv.names()))
		case h != nil && t.slice != nil:
			return wrong("a number after a host; only groups are counted", "")
		case h != nil:
			return []*Host{h}, lab.Problem{}
		}
		hosts := g.members()
		if t.slice == nil {
			return hosts, lab.Problem{}
		}
		part, ok := t.slice.of(hosts)
		if !ok || len(part) == 0 || t.slice.to != nil && *t.slice.to != -1 && *t.slice.to < t.slice.from {
			return wrong(fmt.Sprintf("no such part of the group, which has %d hosts", len(hosts)), "")
		}
		return part, lab.Problem{}
	}
	if t.slice != nil {
		return wrong("a number after a glob, whose hosts have no order of their own", "name the group")
	}
	match, err := t.matcher()
	if err != nil {
		return wrong("not a regular expression: "+err.Error(), "")
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
			return wrong("it matches "+g.name+" too, a group that every inventory has", "write "+g.name+" if that is meant, or a longer pattern")
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
		return wrong("it matches no host and no group", "")
	}
	return hosts, lab.Problem{}
}

// looksLikeClass reports whether the brackets of an unknown group would match a name as a choice of letters: pi[12].
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

// SelectAnsible returns what ansible-core selects, in its order, and what it warns of: terms that match nothing, which it ignores. Unlike
// [Inventory.Select] it takes a pattern without a plain term for all, lets it select no host, and knows a localhost that no inventory names.
//
// The inventory it is compared with lists every host under all, in inventory order. Two things are not Ansible's: regular expressions have Go's syntax, and
// the hosts of a group come level by level in the order of the spec, where Ansible's order of a third level is accidental.
func (inv *Inventory) SelectAnsible(pattern string) (hosts []*Host, warnings []string, err error) {
	a := ansibleSelection{inv: inv, done: map[string][]*Host{}}
	terms := splitPattern(pattern)
	plain := slices.ContainsFunc(terms, func(t string) bool { return t[0] != '&' && t[0] != '!' })
	if !plain {
		terms = append([]string{groupAll}, terms...)
	}
	for _, op := range []byte{0, '&', '!'} {
		for _, text := range terms {
			t := parseTerm(text)
			if t.op != op {
				continue
			}
			those, err := a.term(t)
			if err != nil {
				return nil, a.warnings, &lab.Error{Op: "select hosts", Target: pattern, Err: err}
			}
			hosts = t.apply(hosts, those)
		}
	}
	return hosts, a.warnings, nil
}

// ansibleSelection is one evaluation of a pattern in Ansible's way.
type ansibleSelection struct {
	inv      *Inventory
	local    *Host              // that no inventory names, once it was asked for
	done     map[string][]*Host // terms without their sign: each is warned of once
	warnings []string
}

// localhosts are the names of the host that is there without being named.
var localhosts = []string{"127.0.0.1", "::1", "localhost"}

func (a *ansibleSelection) term(t term) ([]*Host, error) {
	if h := a.inv.byName[t.text]; h != nil {
		return []*Host{h}, nil
	}
	rest := t.text
	if t.op != 0 {
		rest = t.text[1:]
	}
	if hosts, ok := a.done[rest]; ok {
		return hosts, nil
	}
	if t.expr == "" {
		return nil, lab.Problems{{Message: "nothing stands after the sign", Text: t.text}}
	}
	match, err := t.matcher()
	if err != nil {
		return nil, lab.Problems{{Message: "not a regular expression: " + err.Error(), Text: t.text}}
	}
	var hosts []*Host
	add := func(h *Host) {
		if !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	var all []*Host // with repetitions, which count in slices
	grouped := false
	for _, g := range a.inv.groups {
		if match(g.name) {
			grouped = true
			all = append(all, g.members()...)
		}
	}
	if !grouped || t.regexp() || strings.ContainsAny(t.expr, "?*[") {
		for _, h := range a.inv.hosts {
			if match(h.Name) {
				all = append(all, h)
			}
		}
	}
	if len(all) == 0 && slices.Contains(localhosts, t.expr) {
		all = append(all, a.localhost(t.expr))
	}
	if len(all) == 0 && !grouped && t.expr != groupAll {
		a.warnings = append(a.warnings, "no host or group matches, ignored: "+t.expr)
	}
	if t.slice != nil && len(all) > 0 {
		part, ok := t.slice.of(all)
		if !ok {
			return nil, lab.Problems{{Message: "no such part of what it matches", Text: t.text}}
		}
		all = part
	}
	for _, h := range all {
		add(h)
	}
	a.done[rest] = hosts
	return hosts, nil
}

// localhost returns the machine that Ansible runs on: a host with one of its names, or one that is made up under the name asked for first.
func (a *ansibleSelection) localhost(name string) *Host {
	for _, h := range a.inv.hosts {
		if slices.Contains(localhosts, h.Name) {
			return h
		}
	}
	if a.local == nil {
		a.local = &Host{Name: name, Local: true}
	}
	return a.local
}

// term is one part of a pattern.
type term struct {
	text     string     // as it is written
	op       byte       // '&', '!', or 0
	expr     string     // a name, a glob, or ~ and a regular expression, without slice
	slice    *hostRange // nil when all are meant
	brackets string     // the slice as it is written
	dash     bool       // the slice is written [1-2], which Ansible reads, and warns of
}

// hostRange is a part of a list: from, or from to to, both included.
type hostRange struct {
	from int
	to   *int // nil for the one at from; -1 for the end
}

var subscript = regexp.MustCompile(`^(.+)(\[(?:(-?[0-9]+)|([0-9]+)([:-])([0-9]*))\])\n?$`)

func parseTerm(text string) term {
	t := term{text: text, expr: text}
	if text != "" && (text[0] == '&' || text[0] == '!') {
		t.op, t.expr = text[0], text[1:]
	}
	if t.regexp() {
		return t
	}
	m := subscript.FindStringSubmatch(t.expr)
	if m == nil {
		return t
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil { // beyond every list
			n = 1 << 30
			if s[0] == '-' {
				n = -n
			}
		}
		return n
	}
	t.expr, t.brackets = m[1], m[2]
	t.slice, t.dash = &hostRange{}, m[5] == "-"
	if m[3] != "" {
		t.slice.from = number(m[3])
		return t
	}
	to := -1
	if m[6] != "" {
		to = number(m[6])
	}
	t.slice.from, t.slice.to = number(m[4]), &to
	return t
}

func (t term) regexp() bool { return strings.HasPrefix(t.expr, "~") }
func (t term) glob() bool   { return strings.ContainsAny(t.expr, "*?[]") }

// matcher returns what decides whether a name is meant.
func (t term) matcher() (func(name string) bool, error) {
	if !t.regexp() {
		return compileGlob(t.expr), nil
	}
	if _, err := regexp.Compile(t.expr[1:]); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	re := regexp.MustCompile(`^(?:` + t.expr[1:] + `)`)
	return re.MatchString, nil
}

// apply returns hosts after the term, which selects those.
func (t term) apply(hosts, those []*Host) []*Host {
	if t.op == 0 {
		for _, h := range those {
			if !slices.Contains(hosts, h) {
				hosts = append(hosts, h)
			}
		}
		return hosts
	}
	var kept []*Host
	for _, h := range hosts {
		if slices.Contains(those, h) == (t.op == '&') {
			kept = append(kept, h)
		}
	}
	return kept
}

// of returns the part of hosts, and false when there is none at a single number.
func (s *hostRange) of(hosts []*Host) ([]*Host, bool) {
	from := s.from
	if s.to == nil || *s.to == 0 { // Ansible takes [2:0] for [2]
		if from < 0 {
			from += len(hosts)
		}
		if from < 0 || from >= len(hosts) {
			return nil, false
		}
		return hosts[from : from+1], true
	}
	end := *s.to + 1
	if *s.to == -1 || end > len(hosts) {
		end = len(hosts)
	}
	return hosts[min(from, end):end], true
}

// splitPattern returns the terms of a pattern, as Ansible finds them: separated by commas when there is one; else the whole when it reads as
// the address of a host, with brackets for ranges and a port after a colon; else what colons, spaces and single brackets leave.
func splitPattern(pattern string) []string {
	var parts []string
	switch {
	case strings.Contains(pattern, ","):
		parts = strings.Split(pattern, ",")
	case looksLikeAddress(pattern):
		parts = []string{pattern}
	default:
		parts = splitColons(pattern)
	}
	var terms []string
	for _, p := range parts {
		if p = strings.TrimFunc(p, isPatternSpace); p != "" {
			terms = append(terms, p)
		}
	}
	return terms
}

// isPatternSpace is what Python counts as white space.
func isPatternSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func splitColons(pattern string) []string {
	var parts []string
	var b strings.Builder
	end := func() {
		if b.Len() > 0 {
			parts = append(parts, b.String())
			b.Reset()
		}
	}
	for i := 0; i < len(pattern); {
		if pattern[i] == '[' {
			if n := strings.IndexByte(pattern[i:], ']'); n >= 0 {
				b.WriteString(pattern[i : i+n+1])
				i += n + 1
				continue
			}
		}
		r, n := rune(pattern[i]), 1
		if r >= 0x80 {
			for j, c := range pattern[i:] {
				if j > 0 {
					n = j
					break
				}
				r, n = c, len(pattern)-i
			}
		}
		if r == ':' || r == '[' || r == ']' || isPatternSpace(r) {
			end()
		} else {
			b.WriteString(pattern[i : i+n])
		}
		i += n
	}
	end()
	return parts
}

// outsideBrackets returns text without what stands in brackets.
func outsideBrackets(text string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '[')
		if i < 0 {
			break
		}
		n := strings.IndexByte(text[i:], ']')
		if n < 0 {
			break
		}
		b.WriteString(text[:i])
		text = text[i+n+1:]
	}
	b.WriteString(text)
	return b.String()
}

// What Ansible takes for the address of a host. Each part may be a range, [1:3] or [a:f], with a step.
const (
	letterRange  = `\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]`
	hexOrRange   = `(?:[0-9a-f]{1,4}|\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\])`
	dottedHex    = `(?:` + hexOrRange + `\.){3}` + hexOrRange
	wordOrRange  = `(?:[\p{L}\p{N}_]|` + letterRange + `)`
	innerOrRange = `(?:[\p{L}\p{N}_-]|` + letterRange + `)`
	lastOrRange  = `(?:[\p{L}\p{N}]|` + letterRange + `)`
	hostLabel    = `(?:` + wordOrRange + innerOrRange + `*)?` + lastOrRange
)

var (
	bracketsPort = regexp.MustCompile(`^\[(.+)\]:[0-9]+\n?$`)
	addressPort  = regexp.MustCompile(`^((?:[^:\[\]]|\[[^\]]*\])*):[0-9]+\n?$`)
	dnsName      = regexp.MustCompile(`(?i)^` + hostLabel + `(?:\.` + hostLabel + `)*\n?$`)

	// IPv4 looks like a name. Of IPv6 its beginning is enough: up to six parts and two colons, or eight parts, or the long forms that end in IPv4.
	beginsIPv6 = regexp.MustCompile(`(?i)^(?:::|(?:` + hexOrRange + `:){1,6}:|(?:` + hexOrRange + `:){7}` + hexOrRange +
		`|(?:0:){6}` + dottedHex + `|(?:0:){5}ffff:` + dottedHex + `\n?$)`)
)

func looksLikeAddress(pattern string) bool {
	if m := bracketsPort.FindStringSubmatch(pattern); m != nil {
		pattern = m[1]
	}
	if m := addressPort.FindStringSubmatch(pattern); m != nil {
		pattern = m[1]
	}
	return pattern != "" && (beginsIPv6.MatchString(pattern) || dnsName.MatchString(pattern))
}

// compileGlob returns a function that matches whole names, letter case and all, as Python's fnmatch does: * is any text, ? any character, [a-c] and [!a-c] one of
// those or none of them. A [ that is not closed is itself.
func compileGlob(glob string) func(name string) bool {
	var tokens []globToken
	p := []rune(glob)
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '*':
			tokens = append(tokens, globToken{star: true})
			continue
		case '?':
			tokens = append(tokens, globToken{not: true})
			continue
		case '[':
			first := i + 1
			if first < len(p) && p[first] == '!' {
				first++
			}
			end := first
			if end < len(p) && p[end] == ']' {
				end++
			}
			for end < len(p) && p[end] != ']' {
				end++
			}
			if end < len(p) {
				t := globToken{not: first == i+2}
				for j := first; j < end; j++ {
					low, high := p[j], p[j]
					if j+2 < end && p[j+1] == '-' {
						high = p[j+2]
						j += 2
					}
					t.ranges = append(t.ranges, [2]rune{low, high})
				}
				tokens = append(tokens, t)
				i = end
				continue
			}
		}
		tokens = append(tokens, globToken{ranges: [][2]rune{{p[i], p[i]}}})
	}
	return func(name string) bool { return matchGlob(tokens, []rune(name)) }
}

// globToken is a star, or a set of characters, or with not all others.
type globToken struct {
	star   bool
	not    bool
	ranges [][2]rune
}

func (t globToken) matches(r rune) bool {
	in := slices.ContainsFunc(t.ranges, func(x [2]rune) bool { return x[0] <= r && r <= x[1] })
	return in != t.not
}

// matchGlob is linear but for the last star, to which it returns when what follows does not match.
func matchGlob(tokens []globToken, name []rune) bool {
	t, n, star, from := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case t < len(tokens) && tokens[t].star:
			star, from = t, n
			t++
		case t < len(tokens) && tokens[t].matches(name[n]):
			t++
			n++
		case star >= 0:
			from++
			t, n = star+1, from
		default:
			return false
		}
	}
	for t < len(tokens) && tokens[t].star {
		t++
	}
	return t == len(tokens)
}
