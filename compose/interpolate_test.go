package compose

import (
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/template"
)

func TestExpand(t *testing.T) {
	values := map[string]string{"A": "a", "EMPTY": "", "JSON": `{"x": {"y": "$1"}}`}
	for text, want := range map[string]string{
		"":                          "",
		"$A-${A}b$$A":               "a-ab$A",
		"${A:-x}${EMPTY:-x}${N:-x}": "axx",
		"${A-x}${EMPTY-x}${N-x}":    "ax",
		"${A:+x}${EMPTY:+x}${N:+x}": "x",
		"${A+x}${EMPTY+x}${N+x}":    "xx",
		"${A:?e}${EMPTY?e}":         "a",
		"${N:-${A}}":                "a",
		"${N:-${M:-${A}b}c}d":       "abcd",
		"${N:+${M}}":                "",                   // M is not needed
		"${A:-${M}}":                "a",                  // nor here
		"${N:-${JSON}}":             `{"x": {"y": "$1"}}`, // braces and dollar signs of a value stay
		`${N:-{"a": {}}}`:           `{"a": {}}`,
		"${N:-$$x}":                 "$x",
		"${N:-}":                    "",
		"${N:-a:-b}":                "a:-b",
		"100$":                      "100$", // a dollar sign that begins nothing
		"$1 $ $-":                   "$1 $ $-",
	} {
		v := expander{lookup: lookup(values)}
		if got := v.expand(text); got != want || len(v.found) > 0 {
			t.Errorf("%s is %q, %v", text, got, v.found)
		}
		if strings.Contains(text, "JSON") {
			continue // Compose would expand the value
		}
		if theirs, err := template.Substitute(text, v.lookup); err != nil || theirs != want {
			t.Errorf("%s: Compose says %q, %v", text, theirs, err)
		}
	}
	for text, want := range map[string]string{
		"$N":                    "${N} is not set",
		"${N}":                  "${N} is not set",
		"${EMPTY:-${M}}":        "${M} is not set",
		"${A:+$M}":              "${M} is not set",
		"${N:?say why ${A}}":    "${N} is not set: say why a",
		"${EMPTY:?}":            "${EMPTY} is not set",
		"${N?}":                 "${N} is not set",
		"${A":                   "not the form",
		"${}":                   "not the form",
		"${A b}":                "not the form",
		"${A:}":                 "not the form",
		"a${A} ${M} and ${N:?}": "${M} is not set",
	} {
		v := expander{lookup: lookup(values)}
		v.expand(text)
		if len(v.found) == 0 || !strings.Contains(v.found[0].problem(place{path: "here"}).String(), want) {
			t.Errorf("%s: got %v", text, v.found)
		}
	}
}

// FuzzExpand compares with Compose's own substitution, where all that is asked for is there: it
// prints a warning else.
func FuzzExpand(f *testing.F) {
	f.Add("a$A${A:-x}${EMPTY:-${A}}$$")
	f.Add("${A:+{x}}}")
	f.Fuzz(func(t *testing.T, text string) {
		v := expander{lookup: lookup(map[string]string{"A": "a", "EMPTY": ""})}
		got := v.expand(text)
		if len(v.found) > 0 || strings.Count(text, "${") > 1 || strings.Count(text, "}") > 1 ||
			strings.ContainsAny(text, "{}") && !strings.HasPrefix(text, "${A") {
			return // what is nested in odd ways, they read otherwise
		}
		theirs, err := template.SubstituteWithOptions(text, v.lookup, template.WithoutLogging)
		if err == nil && theirs != got {
			t.Errorf("%q: %q, and Compose says %q", text, got, theirs)
		}
	})
}
