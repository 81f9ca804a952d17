package lab

import (
	"html"
	"slices"
	"strconv"
	"strings"
)

// notation is a way in which programs escape single characters of a text.
type notation struct {
	sign byte // begins each escape
	// escape reads the escape at the beginning of text: what it stands for, and its length. 0 means
	// that it is none.
	escape func(text string) (string, int)
}

var notations = []notation{
	{'\\', func(string) (string, int) { return "", 1 }}, // a backslash before any character
	{'\\', escapeC},
	{'%', escapePercent},
	{'&', escapeHTML},
}

// escapeC reads an escape of C, JSON, Go, YAML and a shell's $'...'.
func escapeC(text string) (string, int) {
	if len(text) < 2 {
		return "", 0
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[1]]
	switch {
	case digits > 0 && len(text) >= 2+digits:
		n, err := strconv.ParseUint(text[2:2+digits], 16, 32)
		switch {
		case err != nil:
			return "", 0
		case digits == 2:
			return string([]byte{byte(n)}), 4
		}
		return string(rune(n)), 2 + digits
	case text[1] >= '0' && text[1] <= '3' && len(text) >= 4:
		n, err := strconv.ParseUint(text[1:4], 8, 8)
		if err != nil {
			return "", 0
		}
		return string([]byte{byte(n)}), 4
	}
	if i := strings.IndexByte("abfnrtve", text[1]); i >= 0 {
		return "\a\b\f\n\r\t\v\x1b"[i : i+1], 2
	}
	return text[1:2], 2
}

// escapePercent reads an escape of RFC 3986.
func escapePercent(text string) (string, int) {
	if len(text) < 3 {
		return "", 0
	}
	n, err := strconv.ParseUint(text[1:3], 16, 8)
	if err != nil {
		return "", 0
	}
	return string([]byte{byte(n)}), 3
}

// escapeHTML reads a character reference.
func escapeHTML(text string) (string, int) {
	end := strings.IndexByte(text[:min(len(text), 12)], ';')
	if end < 0 {
		return "", 0
	}
	char := html.UnescapeString(text[:end+1])
	if char == text[:end+1] {
		return "", 0
	}
	return char, end + 1
}

// decodedText is a text without its escapes.
type decodedText struct {
	text     string
	from, to []int // where each byte stood
	source   string
}

// decode removes the escapes.
func (n notation) decode(text string) decodedText {
	d := decodedText{source: text}
	var b strings.Builder
	for i := 0; i < len(text); {
		char, size := text[i:i+1], 1
		if text[i] == n.sign {
			if c, s := n.escape(text[i:]); s > 0 {
				char, size = c, s
			}
		}
		b.WriteString(char)
		for range len(char) {
			d.from, d.to = append(d.from, i), append(d.to, i+size)
		}
		i += size
	}
	d.text = b.String()
	return d
}

// find returns where in the source the parts are.
func (d decodedText) find(parts []string) (found []stretch) {
	for _, p := range parts {
		if len(d.source) != len(d.text) && !strings.Contains(d.text, p) && strings.IndexByte(p, '\\') >= 0 {
			p = strings.ReplaceAll(p, `\`, "")
		}
		if len(p) < minMasked {
			continue
		}
		for at := 0; ; {
			i := strings.Index(d.text[at:], p)
			if i < 0 {
				break
			}
			found = append(found, stretch{d.from[at+i], d.to[at+i+len(p)-1]})
			at += i + len(p)
		}
	}
	return found
}

// stretch is a stretch of a text, in bytes.
type stretch struct{ from, to int }

// hide replaces the stretches of text.
func hide(text string, found []stretch) string {
	if len(found) == 0 {
		return text
	}
	slices.SortFunc(found, func(a, b stretch) int { return a.from - b.from })
	var b strings.Builder
	at := 0
	for _, s := range found {
		if s.from >= at {
			b.WriteString(text[at:s.from])
			b.WriteString(hidden)
		}
		at = max(at, s.to)
	}
	b.WriteString(text[at:])
	return b.String()
}
