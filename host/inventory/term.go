package inventory

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// term is one part of a pattern.
type term struct {
	text     string     // as it is written
	op       byte       // '&', '!', or 0
	expr     string     // a name, a glob, or ~ and a regular expression, without slice
	slice    *hostRange // nil without an index
	brackets string     // the index as it is written
	dash     bool       // the index is written [1-2], which Ansible accepts with a warning
}

// hostRange is a part of a list: one host, or the hosts from from to to, both included.
type hostRange struct {
	from int
	to   *int // nil means only the host at from; -1 means the end
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
		if err != nil { // longer than any list
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

// matcher returns a function that reports whether the term matches a name.
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

// asRegexp returns the regular expression, with its sign, that matches as the whole term would as a glob.
func (t term) asRegexp() string {
	return "~" + strings.NewReplacer(".", `\.`, "*", ".*", "?", ".", "[!", "[^").Replace(t.expr+t.brackets) + "$"
}

// apply adds the hosts that the term selects to a selection, or intersects them, or removes them,
// as the sign says.
func (t term) apply(hosts, selected []*Host) []*Host {
	if t.op == 0 {
		for _, h := range selected {
			if !slices.Contains(hosts, h) {
				hosts = append(hosts, h)
			}
		}
		return hosts
	}
	var kept []*Host
	for _, h := range hosts {
		if slices.Contains(selected, h) == (t.op == '&') {
			kept = append(kept, h)
		}
	}
	return kept
}

// of returns the part of hosts, and false if a single index is out of range.
func (s *hostRange) of(hosts []*Host) ([]*Host, bool) {
	from := s.from
	if s.to == nil || *s.to == 0 { // to Ansible [2:0] is [2]
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

// splitPattern returns the terms of a pattern as Ansible does: separated by commas if there are
// any; otherwise the whole if it looks like the address of a host, with brackets for ranges and a
// port after a colon; otherwise separated by colons, spaces and single brackets.
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

// isPatternSpace reports whether Python treats r as white space.
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

// outsideBrackets returns text without its parts in brackets.
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

// What Ansible considers the address of a host. Each part may be a range, [1:3] or [a:f], with a step.
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

	// IPv4 looks like a name. For IPv6 the beginning suffices: up to six parts and two colons, or
	// eight parts, or the long forms that end with an IPv4 address.
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
