package ssh

import "strings"

// script returns the text of an embedded script with the assignments of its variables in front of it.
// vars are names and values, alternating.
func script(text string, vars ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(vars); i += 2 {
		b.WriteString(vars[i] + "=" + Quote(vars[i+1]) + "\n")
	}
	return b.String() + text
}
