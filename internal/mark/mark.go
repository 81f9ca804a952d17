// Package mark writes and reads the sign by which an object on a server of somebody else's is known as
// ours: in a description, a comment, a label.
package mark

import "strings"

// Mark says whose an object is. None of its fields may hold a semicolon, an equals sign, a space or a
// control character, and Stack and Kind no slash.
type Mark struct {
	Stack string // the environment or the program that owns it: "sandbox"
	Kind  string // "token"
	Name  string // of the object in what is wanted: "cms"
}

const managed = "managed-by=lab"

// String returns "managed-by=lab;owner=STACK/KIND/NAME".
func (m Mark) String() string { return managed + ";owner=" + m.Stack + "/" + m.Kind + "/" + m.Name }

// Parse reads a mark in a text that may say other things too, before or after it, with semicolons
// between. It reports false if there is none: "managed-by=lab2" is not ours.
func Parse(text string) (m Mark, ok bool) {
	ours := false
	for field := range strings.SplitSeq(text, ";") {
		field = strings.TrimSpace(field)
		if field == managed {
			ours = true
		}
		if owner, found := strings.CutPrefix(field, "owner="); found && m == (Mark{}) {
			parts := strings.SplitN(owner, "/", 3)
			if len(parts) == 3 {
				m = Mark{parts[0], parts[1], parts[2]}
			}
		}
	}
	if !ours || m == (Mark{}) {
		return Mark{}, false
	}
	return m, true
}
