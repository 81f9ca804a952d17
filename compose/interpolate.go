package compose

import (
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// expander replaces variables, and gathers what is wrong. Compose's own substitution takes what is
// not set for empty, and prints a warning to this program's standard error.
type expander struct {
	lookup   func(name string) (string, bool)
	problems lab.Problems
}

func lookup(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := values[name]; return v, ok }
}

func (e *expander) add(message, hint string) {
	if p := (lab.Problem{Message: message, Hint: hint}); !slices.Contains(e.problems, p) {
		e.problems = append(e.problems, p)
	}
}

func (e *expander) unset(part string) {
	e.add(lab.Printable(part)+" is not set, and has no default",
		"pass the variable, or write ${NAME:-default}; write $$ for a dollar sign")
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*`)

// expand replaces $NAME and ${NAME}, with the six forms of a default
// (docs.docker.com/reference/compose-file/interpolation), which may hold variables themselves.
func (e *expander) expand(text string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			return b.String() + text
		}
		b.WriteString(text[:i])
		rest := text[i+1:]
		name := variableName.FindString(rest)
		end := closing(rest)
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			text = rest[1:]
		case name != "":
			value, ok := e.lookup(name)
			if !ok {
				e.unset("$" + name)
			}
			b.WriteString(value)
			text = rest[len(name):]
		case end > 0 && variableName.MatchString(rest[1:end]):
			b.WriteString(e.braced(rest[1:end]))
			text = rest[end+1:]
		default:
			e.add(lab.Printable(text[i:])+" is not the form of a variable", "write $$ for a dollar sign")
			return b.String()
		}
	}
}

// closing returns where the brace is that closes the one that a text begins with, 0 when there is none.
func closing(text string) int {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 {
			return i // 0 when it does not begin with a brace
		}
	}
	return 0
}

// braced expands what is within ${}.
func (e *expander) braced(text string) string {
	name := variableName.FindString(text)
	rest := text[len(name):]
	value, set := e.lookup(name)
	there := set
	if r, ok := strings.CutPrefix(rest, ":"); ok { // what is empty counts as not set
		rest, there = r, value != ""
	}
	if text == name {
		if !set {
			e.unset("${" + text + "}")
		}
		return value
	}
	if rest == "" {
		rest = " " // a colon and nothing after it
	}
	other := rest[1:]
	switch rest[0] {
	case '-':
		if !there {
			return e.expand(other)
		}
	case '?':
		if !there {
			message := "${" + name + "} is not set: " + e.expand(other)
			e.add(lab.Printable(message), "pass the variable")
		}
	case '+':
		if !there {
			return ""
		}
		return e.expand(other)
	default:
		e.add(lab.Printable("${"+text+"}")+" is not the form of a variable", "write $$ for a dollar sign")
	}
	return value
}
