package compose

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// readEnv reads the variables of the file .env.
func (o *opened) readEnv(given map[string]string) error {
	b, err := readSmall(filepath.Join(o.dir, envFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	values, ps := parseEnv(envFile, string(b), "", given)
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if strings.HasPrefix(k, "COMPOSE_") {
			ps = append(ps, lab.Problem{File: envFile, Path: k,
				Message: "is for docker compose, and has no effect here",
				Hint:    "remove it; write name: in the compose.yaml, and name profiles and files to this program"})
		}
	}
	maps.Copy(o.variables, values)
	return ps.Err()
}

var variableUse = regexp.MustCompile(`\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})`)

// parseEnv reads a file of variables, in Compose's format or, with "raw", as lines NAME=VALUE. A
// variable that stands in a value is one of those before it or one that is given.
func parseEnv(file, text, format string, given map[string]string) (map[string]string, lab.Problems) {
	var ps lab.Problems
	values := map[string]string{}
	switch format {
	case "raw":
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\r\n")
			if strings.TrimSpace(line) == "" || line[0] == '#' {
				continue
			}
			k, v, ok := strings.Cut(line, "=")
			if !ok {
				if v, ok = given[k]; !ok {
					ps = append(ps, noValue(file, k))
				}
			}
			values[k] = v
		}
		return values, ps
	case "":
	default:
		return nil, lab.Problems{{File: file, Text: format, Message: "is not a format that is known",
			Hint: "write format: raw, or none"}}
	}
	// What is not set is given as empty: the parser would print a warning to this program's
	// standard error.
	anything := func(string) (string, bool) { return "", true }
	own, err := dotenv.ParseWithLookup(strings.NewReader(text), anything)
	if err != nil {
		return nil, lab.Problems{{File: file, Message: "cannot be read: " + lab.Printable(err.Error())}}
	}
	used := map[string]bool{}
	for _, m := range variableUse.FindAllStringSubmatch(text, -1) {
		used[m[1]+m[2]] = true
	}
	values, err = dotenv.ParseWithLookup(strings.NewReader(text), func(name string) (string, bool) {
		if v, ok := given[name]; ok {
			return v, true
		}
		if _, ok := own[name]; ok && !alone(text, name) {
			return "", false // of this file
		}
		switch {
		case alone(text, name):
			ps = append(ps, noValue(file, name))
		case used[name]:
			ps = append(ps, lab.Problem{File: file, Message: "$" + name + " is not set",
				Hint: "pass the variable; or write the value in single quotes, and it is left as it is"})
		}
		return "", true
	})
	if err != nil {
		return nil, lab.Problems{{File: file, Message: "cannot be read: " + lab.Printable(err.Error())}}
	}
	return values, ps
}

func noValue(file, name string) lab.Problem {
	return lab.Problem{File: file, Path: lab.Printable(name),
		Message: "has no value, and would be taken from the environment", Hint: "give it one"}
}

// alone reports whether a line is the name of a variable and nothing else.
func alone(text, name string) bool {
	for line := range strings.Lines(text) {
		if strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "export ")) == name {
			return true
		}
	}
	return false
}
