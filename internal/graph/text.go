package graph

import (
	"strings"
	"unicode"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// shown returns a text as it is drawn: on one line, without what a viewer would obey, and no wider than
// width columns. What is left out is in the middle, since names differ at both ends.
func shown(s string, width int) string {
	if s == "" {
		return ""
	}
	s = lab.Printable(s)
	if columns(s) <= width {
		return s
	}
	runes := []rune(s)
	head, tail := 0, len(runes)
	for room := width - 1; head < tail; {
		n := columns(string(runes[head]))
		if room -= n; room < 0 {
			break
		}
		head++
		m := columns(string(runes[tail-1]))
		if room -= m; room < 0 || head >= tail {
			break
		}
		tail--
	}
	return string(runes[:head]) + "…" + string(runes[tail:])
}

// columns returns how many columns of a monospaced font a text takes: two for what East Asian scripts and
// emoji take, none for combining marks.
func columns(s string) (n int) {
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
			r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 ||
			r >= 0xffe0 && r <= 0xffe6 || r >= 0x1f300 && r <= 0x1f9ff || r >= 0x20000 && r <= 0x3fffd):
			n += 2
		default:
			n++
		}
	}
	return n
}

// xmlText escapes a text for the content and the attributes of SVG. What XML cannot hold becomes U+FFFD.
func xmlText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == '"':
			b.WriteString("&#34;")
		case r == '\'':
			b.WriteString("&#39;")
		case r < ' ' || r == 0x7f || r >= 0x80 && r <= 0x9f || r == 0xfffe || r == 0xffff || unicode.Is(unicode.Cf, r):
			b.WriteRune('\uFFFD')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
