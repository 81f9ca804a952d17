package cli

import (
	"os"
	"path/filepath"
	"strings"
)

// Folder is where the relative names in a config are taken from: the folder of its file. Empty means the working directory.
type Folder string

// FolderOf returns the folder of a config's file.
func FolderOf(file string) Folder { return Folder(filepath.Dir(file)) }

// Path returns the file that a config means by the name: below the home for one that begins with ~/, else below the folder unless it is
// absolute. An empty name stays empty.
func (d Folder) Path(name string) (string, error) {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		home, err := os.UserHomeDir()
		return filepath.Join(home, rest), err
	}
	if filepath.IsAbs(name) || name == "" {
		return name, nil
	}
	return filepath.Join(string(d), name), nil
}

// ReadFile reads the file that a config means by the name. It is what resolves a [lab.SecretRef] of the config.
func (d Folder) ReadFile(name string) ([]byte, error) {
	p, err := d.Path(name)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(p)
}
