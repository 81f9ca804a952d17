package lab

import (
	"strconv"
	"strings"
)

// Printable returns s in a form that is safe on one line of a terminal: unchanged if every rune is
// printable and no space is at either end, otherwise quoted as a Go string. Names on a machine may
// contain newlines and escape sequences.
func Printable(s string) string {
	if s == "" || strings.TrimSpace(s) != s {
		return strconv.Quote(s)
	}
	for _, r := range s {
		if r == '\uFFFD' || !strconv.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}

// PrintableText returns a text of several lines, such as an error or the output of a machine, in a
// form that is safe on a terminal: control characters are replaced by U+FFFD. Each line but the
// first is preceded by indent.
func PrintableText(s, indent string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = printableLine(strings.TrimSuffix(line, "\r"))
	}
	return strings.Join(lines, "\n"+indent)
}

// printableLine returns a line without control characters.
func printableLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) {
			return r
		}
		return '\uFFFD'
	}, s)
}
