package compose

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// variableFile is a file of variables that was read: a .env, or an env_file.
type variableFile struct {
	values   map[string]string
	hollow   map[string]bool // those whose values hold a variable that is not set
	uses     map[string]bool // variables that stand in its values
	warnings lab.Problems
	problems lab.Problems
}

var (
	variableUse = regexp.MustCompile(`\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})`)
	anyUse      = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)
	assignment  = regexp.MustCompile(`^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*[=:]`)
	plainName   = regexp.MustCompile(`^[A-Z_][A-Z0-9_]{0,63}$`)
	envLine     = regexp.MustCompile(`^line ([0-9]+): `)
)

// parseEnv reads a file of variables, in Compose's format or, with "raw", as lines NAME=VALUE. A
// variable that stands in a value is one of those before it or one that is given. A line that is a
// name alone is such a variable, and nothing when that is not set.
func parseEnv(file, text, format string, given map[string]string) (f variableFile) {
	f = variableFile{values: map[string]string{}, hollow: map[string]bool{}, uses: map[string]bool{}}
	text = strings.TrimPrefix(text, "\ufeff")
	switch format {
	case "raw":
		f.raw(file, text, given)
	case "":
		f.parse(file, text, given)
	default:
		f.problems = lab.Problems{{File: file, Text: format, Message: "is not a format that is known",
			Hint: "write format: raw, or none"}}
	}
	return f
}

func (f *variableFile) raw(file, text string, given map[string]string) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		k, v, ok := strings.Cut(line, "=")
		if !ok {
			if v, ok = given[k]; !ok {
				f.noValue(file, n, k)
				continue
			}
		}
		f.values[k] = v
	}
}

func (f *variableFile) parse(file, text string, given map[string]string) {
	// What is not set is given as empty: the parser would print a warning to this program's
	// standard error.
	own, err := dotenv.ParseWithLookup(strings.NewReader(text), anything)
	if err != nil {
		f.problems = lab.Problems{unreadable(file, text, err)}
		return
	}
	plain := map[string]bool{} // that stand somewhere without a default
	for _, m := range variableUse.FindAllStringSubmatch(text, -1) {
		plain[m[1]+m[2]] = true
	}
	for _, m := range anyUse.FindAllStringSubmatch(text, -1) {
		f.uses[m[1]] = true
	}
	lines := strings.Split(text, "\n")
	assigned := map[string]bool{}
	for _, line := range lines {
		if m := assignment.FindStringSubmatch(line); m != nil {
			assigned[m[1]] = true
		}
	}
	var unset []string
	f.values, err = dotenv.ParseWithLookup(strings.NewReader(text), func(name string) (string, bool) {
		v, ok := given[name]
		switch _, own := own[name]; {
		case ok:
			return v, true
		case own && assigned[name], !own && !plain[name]:
			return "", false // of this file, or with a default
		case !own && !slices.Contains(unset, name):
			unset = append(unset, name)
		}
		return "", true
	})
	if err != nil {
		f.problems = lab.Problems{unreadable(file, text, err)}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(f.values)) {
		if _, ok := given[name]; !ok && !assigned[name] {
			delete(f.values, name)
			f.noValue(file, alone(lines, name), name)
		}
	}
	for _, name := range unset {
		f.notSet(file, lines, name)
	}
}

func anything(string) (string, bool) { return "", true }

// notSet reports a variable that is not set and has no default, wherever it stands. What looks like
// one may be of a password with a dollar sign in it, which would be cut short.
func (f *variableFile) notSet(file string, lines []string, name string) {
	key := ""
	for i, line := range lines {
		if m := assignment.FindStringSubmatch(line); m != nil {
			key = m[1]
		}
		used := slices.ContainsFunc(variableUse.FindAllStringSubmatch(line, -1),
			func(m []string) bool { return m[1]+m[2] == name })
		if !used || strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		f.hollow[key] = true
		if secretName.MatchString(key) || urlSecret.MatchString(line) {
			f.problems = append(f.problems, lab.Problem{File: file, Line: i + 1, Path: key, Message: cutShort,
				Hint: "write the value in single quotes, and it is left as it is; or pass the variable"})
			continue
		}
		f.warnings = append(f.warnings, lab.Problem{File: file, Line: i + 1, Path: key,
			Message: "$" + name + " is not set, and counts as empty",
			Hint:    "pass the variable; or write the value in single quotes, and it is left as it is"})
	}
}

const cutShort = "holds a dollar sign, and what follows it is no variable that is set: the secret would be cut short"

// noValue warns of a line that is not NAME=VALUE. It may be a line of a key, which is not shown.
func (f *variableFile) noValue(file string, line int, name string) {
	p := lab.Problem{File: file, Line: line, Message: "has no value, and is not set", Hint: "give it one, or remove it"}
	if plainName.MatchString(name) {
		p.Path = name
	}
	f.warnings = append(f.warnings, p)
}

// unreadable says what the parser does not understand, without its message, which repeats the value.
func unreadable(file, text string, err error) lab.Problem {
	p := lab.Problem{File: file, Message: "cannot be read as variables, NAME=VALUE",
		Hint: "write each variable on a line of its own, a value with spaces or of many lines in single quotes"}
	if m := envLine.FindStringSubmatch(err.Error()); m != nil {
		p.Line, _ = strconv.Atoi(m[1]) // digits
	}
	switch says := err.Error(); {
	case strings.Contains(says, "unterminated quoted value"):
		p.Message, p.Hint = "a quote is opened and not closed", "close it, or write \\ before a quote that is of the value"
		p.Line = openedAt(text) // the parser says where the file ends
	case strings.Contains(says, "key cannot contain a space"):
		p.Message = "the name of a variable holds a space"
	case strings.Contains(says, "unexpected character"):
		p.Message = "the name of a variable holds another character than letters, digits, _, . and -"
	case strings.Contains(says, "nvalid template"), strings.Contains(says, "nvalid interpolation"):
		p.Message, p.Hint = notAForm, "write $$ for a dollar sign, or the value in single quotes"
	}
	return p
}

// openedAt returns the line whose quote is not closed: all before it can be read. It is 0 in files
// so long that it is not looked for.
func openedAt(text string) int {
	lines := strings.SplitAfter(text, "\n")
	if len(lines) > 500 {
		return 0
	}
	for n := len(lines) - 1; n >= 0; n-- {
		_, err := dotenv.ParseWithLookup(strings.NewReader(strings.Join(lines[:n], "")), anything)
		if err == nil {
			return n + 1
		}
	}
	return 0
}

// alone returns the line that is the name of a variable and nothing else, 0 when none is.
func alone(lines []string, name string) int {
	for i, line := range lines {
		if strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "export ")) == name {
			return i + 1
		}
	}
	return 0
}
