package compose

import (
	"context"
	"errors"
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

// place is where a text stands in a compose file.
type place struct {
	path string

	// weighty says that an empty variable would change what is run, mounted, published or kept secret.
	weighty bool
}

// places are where texts stand in the files of a stack, as they are written, by the texts.
type places map[string][]place

// Keys whose values are weighty: of the file, and of a service.
var (
	weightyKeys   = []string{"name", "include", "volumes", "networks", "secrets"}
	weightyOfEach = []string{"image", "volumes", "ports", "user", "env_file", "label_file", "extends", "secrets", "configs",
		"network_mode", "networks", "devices", "privileged", "cap_add", "security_opt", "group_add", "userns_mode", "pid", "ipc"}
)

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
		for key, v := range doc {
			if key != "services" {
				out.add(v, key, slices.Contains(weightyKeys, key))
				continue
			}
			services, _ := v.(map[string]any)
			for name, service := range services {
				keys, _ := service.(map[string]any)
				for k, v := range keys {
					out.add(v, "services."+name+"."+k, slices.Contains(weightyOfEach, k))
				}
			}
		}
	}
	for _, at := range out {
		slices.SortFunc(at, func(a, b place) int { return strings.Compare(a.path, b.path) })
	}
	return out
}

// add takes the texts of a value. Of a config, the content is none that weighs.
func (p places) add(v any, at string, weighty bool) {
	for path, text := range texts(v, at) {
		of := strings.HasPrefix(path, "configs.") && !strings.HasSuffix(path, ".content")
		if x := (place{path, weighty || of}); !slices.Contains(p[text], x) {
			p[text] = append(p[text], x)
		}
	}
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

// secret reports whether a text is a secret by the name or the option that it is for, or by its form.
func (p place) secret(text string) bool {
	name := p.path[strings.LastIndexByte(p.path, '.')+1:]
	if i := strings.IndexByte(name, '['); i >= 0 { // of a list, NAME=VALUE
		name, _, _ = strings.Cut(text, "=")
	}
	option := func(word string) bool { flag, _, _ := strings.Cut(word, "="); return secretFlag.MatchString(flag) }
	return secretName.MatchString(name) || urlSecret.MatchString(text) ||
		slices.ContainsFunc(strings.Fields(text), option)
}

// wholeVariable is a text that is a variable and nothing else, so that its name is not of a password.
var wholeVariable = regexp.MustCompile(`^([A-Za-z0-9_.-]+=)?\$\{[A-Za-z_][A-Za-z0-9_]*\}$`)

// problem returns what was found as a problem at a place.
func (f finding) problem(p place) lab.Problem {
	at := p.path
	switch {
	case f.message != "":
		return lab.Problem{Path: at, Message: f.message, Hint: f.hint, Set: f.set}
	case p.secret(f.text) && !wholeVariable.MatchString(f.text):
		return lab.Problem{Path: at, Message: cutShort,
			Hint: "write $$ for a dollar sign; or pass the variable, if it is meant"}
	case f.partly:
		return lab.Problem{Path: at, Message: "${" + f.variable + "} holds a variable that is not set",
			Hint: "pass that; or write the value without it"}
	}
	return lab.Problem{Path: at, Message: "${" + f.variable + "} is not set, and has no default",
		Hint: "write ${" + f.variable + ":-default}, or $$ for a dollar sign; or pass the variable, which may be empty",
		Set:  lab.Setting{Name: SettingVariable, Value: f.variable}}
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
		i := slices.IndexFunc(at, func(p place) bool { return p.weighty || p.secret(f.text) })
		switch {
		case len(at) == 0:
			ps = append(ps, f.problem(place{}))
		case f.message != "":
			ps = append(ps, f.problem(at[0]))
		case i >= 0:
			ps = append(ps, f.problem(at[i]))
		case !f.partly: // which its own file is warned of
			for _, p := range at {
				warnings = append(warnings, lab.Problem{Path: p.path,
					Message: "${" + f.variable + "} is not set, and counts as empty",
					Hint:    "write $$ for a dollar sign, or pass the variable",
					Set:     lab.Setting{Name: SettingVariable, Value: f.variable}})
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

// secretValues returns what must not be repeated in a message: the values of variables and of keys
// that are secrets by their names, and those that were passed. Words that name something are none.
func (l *loading) secretValues() (secrets []lab.Secret) {
	for k, v := range l.variables {
		if (secretName.MatchString(k) || urlSecret.MatchString(v)) && !l.named[v] {
			secrets = append(secrets, lab.NewSecret(v))
		}
	}
	for _, v := range l.source.Secrets {
		secrets = append(secrets, v)
	}
	for text, at := range l.places() {
		if slices.ContainsFunc(at, func(p place) bool { return p.secret(text) }) {
			for _, v := range []string{text, text[strings.IndexByte(text, '=')+1:]} {
				if !wholeVariable.MatchString(v) && !strings.HasPrefix(v, "-") && !l.named[v] {
					secrets = append(secrets, lab.NewSecret(v))
				}
			}
		}
	}
	return secrets
}

// fail returns an error of loading the stack, with the name of the file and without secrets.
func (l *loading) fail(err error) error {
	err = l.opened.fail(err)
	m := lab.NewMasker(l.secretValues()...)
	var ps lab.Problems
	if !errors.As(err, &ps) {
		return m.Err(err)
	}
	ps = slices.Clone(ps)
	for i, p := range ps {
		ps[i].Path, ps[i].Text, ps[i].Message, ps[i].Hint = m.Mask(p.Path), m.Mask(p.Text), m.Mask(p.Message), m.Mask(p.Hint)
	}
	return ps
}

// foreign returns an error of Compose's loader. Where the file is no YAML at all, what is a secret in
// it cannot be known, and nothing is repeated that is quoted.
func (l *loading) foreign(err error) error {
	if strings.Contains(err.Error(), "yaml: ") {
		return fmt.Errorf("%w: %s", lab.ErrInvalid, quoted.ReplaceAllString(err.Error(), "'...'"))
	}
	return fmt.Errorf("%w: %w", lab.ErrInvalid, err)
}
