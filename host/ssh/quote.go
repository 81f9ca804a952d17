package ssh

import "strings"

// Quote returns s as one word for a POSIX shell: in single quotes, or unchanged if it needs none.
// The only byte that a word cannot contain is NUL; Quote keeps it, and [Conn.Run] refuses the
// script.
func Quote(s string) string {
	if s == "" {
		return "''"
	}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("%+,-./:@_", r)
	}
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
