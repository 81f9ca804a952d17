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

	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Source is a stack as its author wrote it: a compose.yaml (compose-spec.io) and what lies beside
// it. Nothing of it is taken from the environment of this program.
type Source struct {
	Name string // of the project; empty means the name in the compose.yaml, or else that of the directory
	Dir  string // the directory here; empty when the stack is made of Content and Files alone, and then nothing is read

	// File is the name of the compose.yaml in Dir, and in messages. Empty means the one that docker
	// compose finds, with its override file: compose.yaml, compose.yml, docker-compose.yml or
	// docker-compose.yaml, and the same with .override before the extension. Content is its
	// content; nil means that it is read.
	File    string
	Content []byte

	// Variables are what ${NAME} stands for, before those of a file .env in Dir. One that is in
	// neither and has no default is an error.
	Variables map[string]string

	// Profiles are those whose services the stack has, beside the services without a profile.
	// Containers of other services are removed.
	Profiles []string

	// Secrets are values of the secrets of the compose.yaml, by their names there, for those whose
	// file is not beside it.
	Secrets map[string]lab.Secret

	Files []File // more files of the stack; those in Dir that a service mounts need not be named
	Lock  Lock   // which images the names stand for

	// PlainEnvironment names variables, as SERVICE.NAME, that look like a secret and are none, and
	// commands, as SERVICE.command. A secret in the environment or in the arguments of a container
	// is shown by docker inspect, so that it is refused.
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

// open finds the files and reads them. What it returns beside an error has the name of the file.
func (s Source) open() (o opened, err error) {
	o = opened{file: cmp.Or(s.File, composeFile), variables: map[string]string{}}
	files := []string{o.file}
	if s.Dir != "" {
		if o.dir, err = filepath.Abs(s.Dir); err != nil {
			return o, err
		}
		if s.File == "" && s.Content == nil {
			if files, err = find(o.dir); err != nil {
				return o, err
			}
			o.file = files[0]
		}
		if err := o.readEnv(s.Variables); err != nil {
			return o, err
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

// find returns the compose file of a directory, and its override file when there is one
// (github.com/compose-spec/compose-go, cli.DefaultFileNames).
func find(dir string) ([]string, error) {
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

// ownName returns the name in the compose files, or that of the directory.
func (o opened) ownName() (name string, err error) {
	for _, c := range o.configs {
		var head struct {
			Name string `yaml:"name"`
		}
		_ = yaml.Unmarshal(c.Content, &head) // Compose's loader says what is wrong with it
		name = cmp.Or(head.Name, name)
	}
	if name == "" && o.dir != "" {
		return filepath.Base(o.dir), nil
	}
	e := expander{lookup: lookup(o.variables)}
	return e.expand(name), e.problems.Err()
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
