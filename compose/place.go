package compose

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// places are where texts stand in the files of a stack, as they are written, by the texts.
type places map[string][]string

// places reads the compose files once more, and those that they include or extend.
func (l *loading) places() places {
	out := places{}
	contents := [][]byte{}
	for _, c := range l.opened.configs {
		contents = append(contents, c.Content)
	}
	for _, file := range l.included {
		if b, err := readSmall(file); err == nil { // the loader says what is wrong with it
			contents = append(contents, b)
		}
	}
	for _, b := range contents {
		var doc map[string]any
		_ = yaml.Unmarshal(b, &doc) // so does it here
		for at, text := range texts(doc, "") {
			if !slices.Contains(out[text], at) {
				out[text] = append(out[text], at)
			}
		}
	}
	return out
}

// recorder notes the files that compose files include or extend, and loads none.
type recorder struct{ l *loading }

// Accept implements loader.ResourceLoader.
func (r recorder) Accept(file string) bool {
	dirs := []string{r.l.dir}
	for _, other := range r.l.included {
		dirs = append(dirs, filepath.Dir(other))
	}
	for _, dir := range dirs {
		name := file
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		st, err := os.Stat(name)
		if err == nil && st.Mode().IsRegular() && !slices.Contains(r.l.included, name) {
			r.l.included = append(r.l.included, name)
		}
	}
	return false
}

// Load implements loader.ResourceLoader.
func (recorder) Load(_ context.Context, file string) (string, error) {
	return "", fmt.Errorf("%w: %s", lab.ErrNotFound, file)
}

// Dir implements loader.ResourceLoader.
func (recorder) Dir(file string) string { return path.Dir(file) }

// weighty are the places where an empty variable would change what is run, mounted, published or
// kept secret.
var weighty = regexp.MustCompile(`^(name$|include|volumes\.|networks\.|secrets\.|configs\.[^.]+\.(file|environment)` +
	`|services\.[^.]+\.(image|volumes|ports|user|env_file|label_file|extends|secrets|configs|network_mode|networks` +
	`|devices|privileged|cap_add|security_opt|group_add|userns_mode|pid|ipc)([.\[]|$))`)

// secretPlace reports whether a text at a place is a secret by its name or form.
func secretPlace(at, text string) bool {
	name := at[strings.LastIndexByte(at, '.')+1:]
	if i := strings.IndexByte(name, '['); i >= 0 { // of a list, NAME=VALUE
		name, _, _ = strings.Cut(text, "=")
	}
	return secretName.MatchString(name) || urlSecret.MatchString(text)
}

// wholeVariable is a text that is a variable and nothing else, so that its name is not of a password.
var wholeVariable = regexp.MustCompile(`^([A-Za-z0-9_.-]+=)?\$\{[A-Za-z_][A-Za-z0-9_]*\}$`)

// problem returns what was found as a problem at a place.
func (f finding) problem(at string) lab.Problem {
	switch {
	case f.message != "":
		return lab.Problem{Path: at, Message: f.message, Hint: f.hint}
	case secretPlace(at, f.text) && !wholeVariable.MatchString(f.text):
		return lab.Problem{Path: at, Message: cutShort,
			Hint: "write $$ for a dollar sign; or pass the variable, if it is meant"}
	case f.partly:
		return lab.Problem{Path: at, Message: "${" + f.variable + "} holds a variable that is not set",
			Hint: "pass that; or write the value without it"}
	}
	return lab.Problem{Path: at, Message: "${" + f.variable + "} is not set, and has no default",
		Hint: "pass it, -var " + f.variable + "=VALUE, which may be empty; or write ${" + f.variable +
			":-default}; write $$ for a dollar sign"}
}

// judge reports what was found of variables: as a warning when a variable that is not set may be
// empty, as Compose takes it.
func (l *loading) judge(found []finding) {
	if len(found) == 0 {
		return
	}
	index := l.places()
	var ps, warnings lab.Problems
	for _, f := range found {
		at := index[f.text]
		i := slices.IndexFunc(at, func(p string) bool { return weighty.MatchString(p) || secretPlace(p, f.text) })
		switch {
		case len(at) == 0:
			ps = append(ps, f.problem(""))
		case f.message != "":
			ps = append(ps, f.problem(at[0]))
		case i >= 0:
			ps = append(ps, f.problem(at[i]))
		case !f.partly: // which its own file is warned of
			for _, p := range at {
				warnings = append(warnings, lab.Problem{Path: p,
					Message: "${" + f.variable + "} is not set, and counts as empty",
					Hint:    "pass it, -var " + f.variable + "=VALUE; or write $$ for a dollar sign"})
			}
		}
	}
	byPlace := func(a, b lab.Problem) int { return strings.Compare(a.Path+"\x00"+a.Message, b.Path+"\x00"+b.Message) }
	slices.SortFunc(ps, byPlace)
	slices.SortFunc(warnings, byPlace)
	l.problems = append(l.problems, slices.Compact(ps)...)
	l.warnings = append(l.warnings, slices.Compact(warnings)...)
}

var quoted = regexp.MustCompile("'[^']*'|`[^`]*`|\"[^\"]*\"")

// foreign returns an error of Compose's loader without the values that it repeats: those of
// variables and of keys that are secrets by their names, and, where the file is no YAML at all,
// whatever is quoted.
func (l *loading) foreign(err error) error {
	var secrets []lab.Secret
	for k, v := range l.variables {
		if secretName.MatchString(k) || urlSecret.MatchString(v) {
			secrets = append(secrets, lab.NewSecret(v))
		}
	}
	for _, v := range l.source.Secrets {
		secrets = append(secrets, v)
	}
	for text, at := range l.places() {
		if slices.ContainsFunc(at, func(p string) bool { return secretPlace(p, text) }) {
			_, value, _ := strings.Cut(text, "=")
			secrets = append(secrets, lab.NewSecret(text), lab.NewSecret(value))
		}
	}
	text := lab.Mask(err.Error(), secrets...)
	if strings.Contains(text, "yaml: ") {
		text = quoted.ReplaceAllString(text, "'...'")
	}
	if text == err.Error() {
		return fmt.Errorf("%w: %w", lab.ErrInvalid, err)
	}
	return fmt.Errorf("%w: %s", lab.ErrInvalid, text)
}
