package main

import (
	"strconv"
	"time"
	"unicode/utf8"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// short keeps the end of a long name, in which the replicas of one volume differ.
func short(s string, n int) string {
	s = lab.Printable(s)
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return "…" + string(r[len(r)-n+1:])
}

// stamp returns a time for a table, "-" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// name returns a name for JSON, which has no strings of bytes: one that is not UTF-8 is quoted as in Go,
// so that it stays different from others.
func name(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return lab.Printable(s)
}

// count returns a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
