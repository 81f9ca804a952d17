package cli

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// cells returns how many columns of a terminal a rune takes: two for East Asian wide ones and emoji,
// none for what combines with the rune before it (Unicode Standard Annex 11).
func cells(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// cellsOf returns how many columns a line takes.
func cellsOf(line string) (n int) {
	for _, r := range line {
		n += cells(r)
	}
	return n
}

// cut returns the line, or its beginning and "…" if it takes more than that many columns.
func cut(line string, columns int) string {
	if cellsOf(line) <= columns {
		return line
	}
	var b strings.Builder
	n := 0
	for _, r := range line {
		if n += cells(r); n > columns-1 {
			break
		}
		b.WriteRune(r)
	}
	if columns > 0 {
		b.WriteString("…")
	}
	return b.String()
}

// rowsOf returns how many rows of a terminal with that many columns a line takes. A wide rune that
// does not fit into the last column is on the next row as a whole.
func rowsOf(line string, columns int) int {
	rows, at := 1, 0
	for _, r := range line {
		n := cells(r)
		if at += n; at > columns && n > 0 {
			rows, at = rows+1, n
		}
	}
	return rows
}
