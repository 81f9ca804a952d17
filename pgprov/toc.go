package pgprov

import (
	"regexp"
	"strings"
)

// entry is one line of a dump's table of contents, as pg_restore --list prints it.
type entry struct {
	line   string
	kind   string // TABLE, TABLE DATA, FUNCTION, ...
	schema string // "-" when it is in none
	name   string
	owner  string
}

var (
	entryLine = regexp.MustCompile(`^\d+; \d+ \d+ (.+)$`)
	kindWord  = regexp.MustCompile(`^[A-Z]+$`)
)

// parseTOC reads a table of contents; lines that begin with a semicolon are comments.
func parseTOC(list string) (entries []entry) {
	for line := range strings.Lines(list) {
		line = strings.TrimRight(line, "\r\n")
		m := entryLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		words := strings.Split(m[1], " ")
		n := 0
		for n < len(words) && kindWord.MatchString(words[n]) {
			n++
		}
		e := entry{line: line, kind: strings.Join(words[:n], " ")}
		if rest := words[n:]; len(rest) >= 2 {
			e.schema, e.name = rest[0], strings.Join(rest[1:], " ")
			if len(rest) >= 3 {
				e.name, e.owner = strings.Join(rest[1:len(rest)-1], " "), rest[len(rest)-1]
			}
		}
		entries = append(entries, e)
	}
	return entries
}

// restorable reports whether the entry belongs to the app. What the provisioner owns, extensions,
// the schema public and the lookup functions, is there already and stays.
func (e entry) restorable() bool {
	switch {
	case e.schema == lookupSchema, e.kind == "SCHEMA" && e.name == lookupSchema,
		e.kind == "COMMENT" && e.name == "SCHEMA "+lookupSchema:
		return false
	case e.kind == "EXTENSION", e.kind == "COMMENT" && strings.HasPrefix(e.name, "EXTENSION "):
		return false
	case e.kind == "SCHEMA" && e.name == "public", e.kind == "COMMENT" && e.name == "SCHEMA public":
		return false
	case e.kind == "FUNCTION" && strings.HasPrefix(e.name, "user_lookup("),
		e.kind == "COMMENT" && strings.HasPrefix(e.name, "FUNCTION user_lookup("):
		return false
	case e.kind == "ACL", e.kind == "DEFAULT ACL":
		return false
	}
	return true
}
