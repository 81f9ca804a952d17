package compose

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Source is a stack as its author wrote it: a compose.yaml (compose-spec.io) and what lies beside
// it. Nothing of it is taken from the environment of this program.
type Source struct {
	// Name is that of the project. Empty means COMPOSE_PROJECT_NAME of .env, the name in the
	// compose.yaml, or that of the directory without what the name of a project cannot have.
	Name string

	Dir string // the directory here; empty when the stack is made of Content and Files alone, and then nothing is read

	// File is the name of the compose.yaml in Dir, and in messages. Empty means those that
	// COMPOSE_FILE of .env names, or the one that docker compose finds, with its override file:
	// compose.yaml, compose.yml, docker-compose.yml or docker-compose.yaml, and the same with
	// .override before the extension. Content is its content; nil means that it is read.
	File    string
	Content []byte

	// Variables are what ${NAME} stands for, before those of a file .env in Dir. One that is in
	// neither and has no default is empty, with a warning; it is an error where that would change
	// which image, mount, port, user or secret the stack has. A value may be empty.
	Variables map[string]string

	// Profiles are those whose services the stack has, beside the services without a profile.
	// Containers of other services are removed. Nil means those that COMPOSE_PROFILES of .env names.
	Profiles []string

	// Secrets are values of the secrets of the compose.yaml, by their names there, for those whose
	// file is not beside it.
	Secrets map[string]lab.Secret

	Files []File // more files of the stack; those in Dir that a service mounts need not be named

	// Lock says which images the names stand for; nil means that of the [LockFile] in Dir, if it is
	// there.
	Lock Lock

	// PlainEnvironment names what looks like a secret and is none, or may be seen: variables of a
	// service as SERVICE.NAME, its commands as SERVICE.command, options of its logging as
	// SERVICE.logging, those of a volume as volumes.NAME, variables as NAME wherever they stand, and
	// secrets of the compose.yaml as secrets.NAME. A secret in the environment, the labels or the
	// arguments of a container is shown by docker inspect, so that it is refused. A value by which the
	// compose.yaml names its project, a service, an image or a network is not looked for.
	PlainEnvironment []string

	// Target is the stack's directory on the machine; empty means /opt/stacks/NAME.
	Target string
}

const (
	composeFile = "compose.yaml"
	stacksDir   = "/opt/stacks"
	projectRule = "lowercase letters, digits, - and _, a letter or digit first"
	envFile     = ".env"
)

var projectPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

func validateProject(name string) (ps lab.Problems) {
	if !projectPattern.MatchString(name) {
		ps = append(ps, lab.Problem{Path: "name", Text: name, Message: "is not the name of a project: " + projectRule,
			Hint: "write name: in the compose.yaml"})
	}
	return ps
}

// opened is a source whose files were found and read.
type opened struct {
	name, dir, target string
	file              string // of the compose.yaml
	configs           []types.ConfigFile
	variables         map[string]string
	hollow            map[string]bool // variables of .env that hold one that is not set
	ownedName         string          // the name, the files and the profiles that .env names
	named, profiles   []string
	warnings          lab.Problems
}

// Name returns the name of a stack's project and its directory on the machine, as [Load] takes
// them, without loading it.
func Name(s Source) (name, dir string, err error) {
	o, err := s.open()
	if err != nil {
		return "", "", o.fail(err)
	}
	return o.name, o.target, nil
}

// fail returns an error of reading the source with the name of the file.
func (o opened) fail(err error) error {
	file := cmp.Or(o.file, composeFile)
	var ps lab.Problems
	if errors.As(err, &ps) {
		for i := range ps {
			ps[i].File = cmp.Or(ps[i].File, file)
		}
		return ps
	}
	return &lab.Error{Op: "load stack", Path: file, Err: err}
}

// located returns the warnings with the name of the file.
func (o opened) located() lab.Problems {
	for i := range o.warnings {
		o.warnings[i].File = cmp.Or(o.warnings[i].File, o.file)
	}
	return o.warnings
}

// open finds the files and reads them. What it returns beside an error has the name of the file.
func (s Source) open() (o opened, err error) {
	o = opened{file: cmp.Or(s.File, composeFile), variables: map[string]string{}}
	files := []string{o.file}
	if s.Dir != "" {
		if o.dir, err = filepath.Abs(s.Dir); err != nil {
			return o, err
		}
		if err := o.readEnv(s); err != nil {
			return o, err
		}
		if s.File == "" && s.Content == nil {
			if files, err = o.find(); err != nil {
				return o, err
			}
			o.file = files[0]
		}
	}
	maps.Copy(o.variables, s.Variables)
	for i, file := range files {
		content := s.Content
		if content == nil || i > 0 {
			if content, err = os.ReadFile(filepath.Join(o.dir, file)); err != nil {
				return o, err
			}
		}
		o.configs = append(o.configs, types.ConfigFile{Filename: filepath.Join(o.dir, file),
			Content: withoutVersion(content)})
	}
	if o.name = s.Name; o.name == "" {
		if o.name, err = o.ownName(); err != nil {
			return o, err
		}
	}
	if ps := validateProject(o.name); len(ps) > 0 {
		return o, ps
	}
	o.target = cmp.Or(s.Target, path.Join(stacksDir, o.name))
	if o.dir == "" {
		o.dir = o.target
	}
	return o, nil
}

// find returns the compose files that .env names, or the compose file of a directory, and its
// override file when there is one (github.com/compose-spec/compose-go, cli.DefaultFileNames).
func (o opened) find() ([]string, error) {
	for i, name := range o.named {
		if !filepath.IsLocal(name) || i == 0 && filepath.Base(name) != filepath.Clean(name) {
			return nil, lab.Problems{{File: envFile, Path: composeFiles, Text: name,
				Message: "is not in the stack's directory", Hint: "move it there, or name the directory of the first file"}}
		}
	}
	if o.named != nil {
		return o.named, nil
	}
	dir := o.dir
	one := func(names ...string) (string, error) {
		have := slices.DeleteFunc(names, func(name string) bool {
			_, err := os.Stat(filepath.Join(dir, name))
			return errors.Is(err, fs.ErrNotExist)
		})
		switch len(have) {
		case 0:
			return "", nil
		case 1:
			return have[0], nil
		}
		return "", lab.Problems{{File: have[0],
			Message: strings.Join(have[1:], " and ") + " is beside it, and docker compose would not read it",
			Hint:    "remove what is not meant, or name the file"}}
	}
	file, err := one("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
	if err != nil {
		return nil, err
	}
	if file == "" {
		return nil, fmt.Errorf("%w: there is no compose.yaml in %s", lab.ErrNotFound, dir)
	}
	over, err := one("compose.override.yaml", "compose.override.yml", "docker-compose.override.yml",
		"docker-compose.override.yaml")
	if over == "" || err != nil {
		return []string{file}, err
	}
	return []string{file, over}, nil
}

// ownName returns the name in .env, that in the compose files, or that of the directory, as docker
// compose makes one of it (loader.NormalizeProjectName).
func (o *opened) ownName() (name string, err error) {
	if o.ownedName != "" {
		return o.ownedName, nil
	}
	for _, c := range o.configs {
		var head struct {
			Name string `yaml:"name"`
		}
		_ = yaml.Unmarshal(c.Content, &head) // Compose's loader says what is wrong with it
		name = cmp.Or(head.Name, name)
	}
	if name == "" && o.dir != "" {
		base := filepath.Base(o.dir)
		if name = loader.NormalizeProjectName(base); name != base {
			o.warnings = append(o.warnings, lab.Problem{Path: "name", Text: base,
				Message: "the directory's name is not that of a project, which is " + name,
				Hint:    "write name: in the compose.yaml"})
		}
		return name, nil
	}
	e := expander{lookup: lookup(o.variables), hollow: o.hollow}
	name = e.expand(name)
	var ps lab.Problems
	for _, f := range e.found {
		ps = append(ps, f.problem(place{path: "name"}))
	}
	return name, ps.Err()
}

var versionLine = regexp.MustCompile(`(?m)^version[ \t]*:[ \t]*["']?[0-9.]+["']?[ \t]*(#.*)?\r?$`)

// withoutVersion blanks the key version, which means nothing to Compose any more: its loader would
// print a warning to this program's standard error.
func withoutVersion(content []byte) []byte { return versionLine.ReplaceAll(content, nil) }

// nowhere is where the files of a stack are that has no directory.
type nowhere struct{}

func (nowhere) Accept(string) bool { return true }

func (nowhere) Load(_ context.Context, file string) (string, error) {
	return "", fmt.Errorf("%w: there is no directory that %s could be read from", lab.ErrNotFound, file)
}

func (nowhere) Dir(file string) string { return path.Dir(file) }
