package compose

import (
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// expander replaces variables, and gathers what is wrong with them and which are not set. Compose's
// own substitution prints a warning to this program's standard error. What it says never repeats
// the text, which may be a password with a dollar sign in it: only names of variables.
type expander struct {
	lookup func(name string) (string, bool)
	hollow map[string]bool // variables whose own value holds one that is not set

	found []finding // in the order of the texts
	text  string    // that is expanded, as it is written
}

// finding is something about a text as it is written, whose place in the files is found by it.
type finding struct {
	text     string
	variable string // that is not set and has no default, and counts as empty; else there is a message
	partly   bool   // it is set, to a value that holds one that is not
	message  string
	hint     string
	set      lab.Setting // that the hint names
}

func lookup(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := values[name]; return v, ok }
}

func (e *expander) add(f finding) {
	if f.text = e.text; !slices.Contains(e.found, f) {
		e.found = append(e.found, f)
	}
}

func (e *expander) wrong(message, hint string) { e.add(finding{message: message, hint: hint}) }

const notAForm = "a ${ is not closed, or what follows it is not the form of a variable"

// value returns what a variable stands for, where it has no default.
func (e *expander) value(name string) string {
	v, ok := e.lookup(name)
	if !ok || e.hollow[name] {
		e.add(finding{variable: name, partly: ok})
	}
	return v
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*`)

// expand replaces $NAME and ${NAME}, with the six forms of a default
// (docs.docker.com/reference/compose-file/interpolation), which may hold variables themselves. A
// dollar sign before anything else stays.
func (e *expander) expand(text string) string {
	e.text = text
	return e.expandAll(text)
}

func (e *expander) expandAll(text string) string {
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
			b.WriteString(e.value(name))
			text = rest[len(name):]
		case end > 0 && variableName.MatchString(rest[1:end]):
			b.WriteString(e.braced(rest[1:end]))
			text = rest[end+1:]
		case strings.HasPrefix(rest, "{"):
			e.wrong(notAForm, "write $$ for a dollar sign")
			return b.String()
		default:
			b.WriteByte('$')
			text = rest
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
	value, there := e.lookup(name)
	if r, ok := strings.CutPrefix(rest, ":"); ok { // what is empty counts as not set
		rest, there = r, value != ""
	}
	if text == name {
		return e.value(name)
	}
	if rest == "" {
		rest = " " // a colon and nothing after it
	}
	other := rest[1:]
	switch rest[0] {
	case '-':
		if there {
			return e.value(name)
		}
		return e.expandAll(other)
	case '?':
		if there {
			return e.value(name)
		}
		message := "${" + name + "} is not set: " + e.expandAll(other)
		e.add(finding{message: lab.Printable(message), hint: "pass the variable",
			set: lab.Setting{Name: SettingVariable, Value: name}})
	case '+':
		if !there {
			return ""
		}
		return e.expandAll(other)
	default:
		e.wrong(notAForm, "write $$ for a dollar sign")
	}
	return value
}
