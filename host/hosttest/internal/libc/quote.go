package libc

import (
	"fmt"
	"strings"
)

// Quote quotes a name as GNU tools do in the C locale: always.
func Quote(s string) string { return QuoteEscaped(s) }

// QuoteEscaped is gnulib's shell-escape-always style: control characters become $'\n', and a name whose only trouble is
// an apostrophe is put in double quotes.
func QuoteEscaped(s string) string {
	if strings.IndexByte(s, '\'') >= 0 {
		compat := true
		for i := range len(s) {
			c := s[i]
			compat = compat && c >= 32 && c < 127 && strings.IndexByte("!\"$&()*;<=>[^`|?\\", c) < 0 &&
				(i == 0 || c != '#' && c != '~')
		}
		if compat {
			return `"` + s + `"`
		}
	}
	var b strings.Builder
	b.WriteByte('\'')
	// Once it has seen an apostrophe gnulib starts anew, and forgets that its first pass ended within $'...'.
	in := strings.IndexByte(s, '\'') >= 0 && (s[len(s)-1] < 32 || s[len(s)-1] >= 127)
	for i := range len(s) {
		c := s[i]
		if c < 32 || c >= 127 {
			if !in {
				b.WriteString("'$'")
				in = true
			}
			if k := strings.IndexByte("\a\b\t\n\v\f\r", c); k >= 0 {
				b.WriteString(`\` + "abtnvfr"[k:k+1])
			} else {
				fmt.Fprintf(&b, `\%03o`, c)
			}
			continue
		}
		if c == '\'' {
			b.WriteString(`'\''`)
			in = false
			continue
		}
		if in {
			b.WriteString("''")
			in = false
		}
		b.WriteByte(c)
	}
	b.WriteByte('\'')
	return b.String()
}

// QuoteMaybe quotes only what needs it, as most coreutils messages about files do (quotef).
func QuoteMaybe(s string) string {
	if s == "" {
		return "''"
	}
	if strings.ContainsAny(s, " '\"!$&()*;<=>[^`|?\\:") || s[0] == '#' || s[0] == '~' || s == "{" || s == "}" {
		return QuoteEscaped(s)
	}
	for i := range len(s) {
		if s[i] < 32 || s[i] >= 127 {
			return QuoteEscaped(s)
		}
	}
	return s
}
