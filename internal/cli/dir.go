package cli

import (
	"os"
	"path/filepath"
	"strings"
)

// Dir is the directory of a config file, against which relative paths in the config are resolved.
// Empty means the working directory.
type Dir string

// DirOf returns the directory of a config file.
func DirOf(file string) Dir { return Dir(filepath.Dir(file)) }

// Path resolves a path in the config: one that begins with ~/ is below the home directory, and any
// other relative path below d. An empty path stays empty.
func (d Dir) Path(name string) (string, error) {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		home, err := os.UserHomeDir()
		return filepath.Join(home, rest), err
	}
	if filepath.IsAbs(name) || name == "" {
		return name, nil
	}
	return filepath.Join(string(d), name), nil
}

// ReadFile reads the file at a path in the config. It is for [lab.SecretRef.Resolve].
func (d Dir) ReadFile(name string) ([]byte, error) {
	p, err := d.Path(name)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(p)
}
