package ovh

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// token is a word or a string of a zone file.
type token struct {
	raw   string // as it is written, with quotation marks
	value string // what it means, as bytes
	line  int
	first bool // it stands at the very beginning of its line
	opens bool // it is the first of an entry, which goes on over lines in parentheses
}

// tokenize splits a zone file, or the data of one record, into its tokens (RFC 1035, 5.1).
func tokenize(text string) (tokens []token, err error) {
	line, depth, at := 1, 0, 0 // at is the position in the line
	opens := true
	for n := 0; n < len(text); {
		c := text[n]
		switch {
		case c == '\n':
			line, at = line+1, -1
			opens = opens || depth == 0
		case c == ' ' || c == '\t' || c == '\r':
		case c == ';':
			for n < len(text) && text[n] != '\n' {
				n++
			}
			continue
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return nil, fmt.Errorf("line %d: a parenthesis is closed that was not opened", line)
			}
		default:
			t, length, err := word(text[n:])
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
			t.line, t.first, t.opens = line, at == 0, opens
			opens = false
			tokens = append(tokens, t)
			n += length
			at += length
			continue
		}
		n++
		at++
	}
	if depth > 0 {
		return nil, fmt.Errorf("line %d: a parenthesis is not closed", line)
	}
	return tokens, nil
}

// word reads the token that text begins with, and returns how long it is.
func word(text string) (t token, length int, err error) {
	quoted := text[0] == '"'
	var value []byte
	n := 0
	if quoted {
		n = 1
	}
	for ; n < len(text); n++ {
		c := text[n]
		switch {
		case c == '\\':
			b, skip, err := escaped(text[n+1:])
			if err != nil {
				return t, 0, err
			}
			value = append(value, b)
			n += skip
			continue
		case quoted && c == '"':
			return token{raw: text[:n+1], value: string(value)}, n + 1, nil
		case quoted && c == '\n':
			return t, 0, fmt.Errorf("a string does not end")
		case !quoted && strings.IndexByte(" \t\r\n;()\"", c) >= 0:
			return token{raw: text[:n], value: string(value)}, n, nil
		}
		value = append(value, c)
	}
	if quoted {
		return t, 0, fmt.Errorf("a string does not end")
	}
	return token{raw: text, value: string(value)}, n, nil
}

// escaped reads what stands behind a backslash: three digits, or one character.
func escaped(text string) (b byte, length int, err error) {
	if text == "" || text[0] == '\n' {
		return 0, 0, fmt.Errorf("nothing is behind a backslash")
	}
	if text[0] < '0' || text[0] > '9' {
		return text[0], 1, nil
	}
	if len(text) < 3 {
		return 0, 0, fmt.Errorf("no three digits are behind a backslash")
	}
	v, err := strconv.ParseUint(text[:3], 10, 8)
	if err != nil {
		return 0, 0, fmt.Errorf("no three digits of a byte are behind a backslash")
	}
	return byte(v), 3, nil
}

// zoneContent is what a zone serves, or will after its next refresh.
type zoneContent struct {
	ttl  int // of records that have none of their own
	sets map[rrset]content
}

// defaultTTL is that of a zone that says none.
const defaultTTL = 3600

// parseZone reads a zone as OVH exports it. The SOA record is left out. What it does not understand is an error: a zone
// that was half understood would be compared wrongly.
func parseZone(zone, text string) (zoneContent, error) {
	z := zoneContent{ttl: defaultTTL, sets: map[rrset]content{}}
	tokens, err := tokenize(text)
	if err != nil {
		return z, err
	}
	origin, owner := zone+".", zone+"."
	for n := 0; n < len(tokens); {
		end := n + 1
		for end < len(tokens) && !tokens[end].opens {
			end++
		}
		entry := tokens[n:end]
		n = end
		var err error
		switch entry[0].raw {
		case "$TTL":
			if len(entry) != 2 || !seconds(entry[1].raw, &z.ttl) {
				err = fmt.Errorf("is no time to live")
			}
		case "$ORIGIN":
			if len(entry) != 2 {
				err = fmt.Errorf("is no name")
			} else {
				origin = absolute(entry[1].raw, origin)
			}
		default:
			owner, err = z.add(zone, origin, owner, entry)
		}
		if err != nil {
			return z, fmt.Errorf("line %d: %s: %w", entry[0].line, entry[0].raw, err)
		}
	}
	for s, c := range z.sets {
		slices.Sort(c.targets) // one that is there twice stays: it is one too many
		z.sets[s] = c
	}
	return z, nil
}

// add reads one record, and returns whose it is.
func (z *zoneContent) add(zone, origin, owner string, entry []token) (string, error) {
	if strings.HasPrefix(entry[0].raw, "$") {
		return owner, fmt.Errorf("is no directive that is known")
	}
	if entry[0].first {
		owner = strings.ToLower(absolute(entry[0].raw, origin))
		entry = entry[1:]
	}
	ttl := z.ttl
	for len(entry) > 0 && (strings.EqualFold(entry[0].raw, "IN") || seconds(entry[0].raw, &ttl)) {
		entry = entry[1:]
	}
	if len(entry) < 2 {
		return owner, fmt.Errorf("is no record")
	}
	name, below := strings.CutSuffix("."+owner, "."+zone+".")
	if !below {
		return owner, fmt.Errorf("is not in the zone")
	}
	s := setOf(entry[0].raw, strings.TrimPrefix(name, "."))
	if s.Type == "SOA" {
		return owner, nil
	}
	target, err := data(s.Type, entry[1:], origin)
	if err != nil {
		return owner, err
	}
	c, more := z.sets[s]
	if more && c.ttl != ttl {
		ttl = mixed
	}
	z.sets[s] = content{targets: append(c.targets, target), ttl: ttl}
	return owner, nil
}

// data is the canonical form of a record's data.
func data(recordType string, tokens []token, origin string) (string, error) {
	if recordType == "TXT" {
		text := ""
		for _, t := range tokens {
			text += t.value
		}
		return quoteText(text), nil
	}
	raw := make([]string, len(tokens))
	for n, t := range tokens {
		raw[n] = t.raw
	}
	return canonical(recordType, strings.Join(raw, " "), origin)
}

// absolute returns a name with a dot at its end.
func absolute(name, origin string) string {
	switch {
	case name == "@":
		return origin
	case strings.HasSuffix(name, "."):
		return name
	}
	return name + "." + origin
}

// seconds reads a time to live: a number of seconds, or of another unit, as BIND writes it.
func seconds(text string, into *int) bool {
	unit := 1
	if u, ok := map[byte]int{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 604800}[strings.ToLower(text)[len(text)-1]]; ok {
		unit, text = u, text[:len(text)-1]
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n > 1<<31/uint64(unit) {
		return false
	}
	*into = int(n) * unit
	return true
}

// names returns the sets in the order in which they are shown.
func (z zoneContent) names() []rrset {
	return slices.SortedFunc(maps.Keys(z.sets), func(a, b rrset) int {
		return strings.Compare(a.Name+" "+a.Type, b.Name+" "+b.Type)
	})
}
