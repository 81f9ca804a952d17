package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// local returns where a path that the loader made absolute lies in the stack's directory, when it does.
func (l *loading) local(p string) (rel string, ok bool) {
	r, err := filepath.Rel(l.dir, p)
	if err != nil || r == ".." || strings.HasPrefix(r, ".."+string(filepath.Separator)) {
		return "", false
	}
	return filepath.ToSlash(r), true
}

// bring reads a file, or the files in a directory, that a service mounts. What is not here is made
// by the service, on the machine.
func (l *loading) bring(source string) error {
	if l.source.Dir == "" {
		return nil
	}
	return filepath.WalkDir(source, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && p == source {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := l.local(p) // it is below a path that is local
		if slices.ContainsFunc(l.source.Files, func(f File) bool { return f.Path == rel }) {
			return nil
		}
		if origin, ok := l.origins[rel]; ok {
			if origin != p {
				return fmt.Errorf("%w: %s is where a secret or config of another content is put on the machine: "+
					"rename one of them", lab.ErrConflict, rel)
			}
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 {
			if err := l.inside(p); err != nil {
				return err
			}
		}
		st, err := os.Stat(p)
		if err != nil {
			return err
		}
		if !st.Mode().IsRegular() {
			return fmt.Errorf("%w: %s is not a regular file", lab.ErrInvalid, rel)
		}
		b, err := readSmall(p)
		if err != nil {
			return err
		}
		f := l.brought(p, string(b), st.Mode())
		f.Path = rel
		return l.keep(p, f)
	})
}

// keep takes a file that is from a place here.
func (l *loading) keep(origin string, f File) error {
	l.origins[f.Path] = origin
	l.files = append(l.files, f)
	if l.size += int64(len(f.content())); l.size > maxTotal || len(l.files) > maxFiles {
		return fmt.Errorf("%w: more than %d files or %d MiB are mounted; put them on the machine by other means, "+
			"and write their path there", lab.ErrInvalid, maxFiles, maxTotal>>20)
	}
	return nil
}

// inside returns an error for a link that leads out of the stack's directory.
func (l *loading) inside(link string) error {
	to, err := filepath.EvalSymlinks(link)
	if err != nil {
		return err
	}
	dir, err := filepath.EvalSymlinks(l.dir)
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(dir, to); err != nil || !filepath.IsLocal(rel) {
		return fmt.Errorf("%w: the link %s leads out of the stack's directory: put the file in its place",
			lab.ErrInvalid, filepath.Base(link))
	}
	return nil
}

// brought returns a file that is mounted. What nobody else may read here is not shown, and neither
// is a private key, whose mode is lost in a repository. Modes are those of an ordinary umask,
// whatever it is here: containers read the files as anybody.
func (l *loading) brought(p, content string, mode fs.FileMode) File {
	f := File{Mode: 0o644, mounted: true}
	if mode&0o111 != 0 {
		f.Mode = 0o755
	}
	secret := p == filepath.Join(l.dir, envFile) || slices.Contains(l.secretSources, p)
	private, key := mode.Perm()&0o077 == 0, privateKey.MatchString(content)
	if secret || private && key {
		f.Mode &= 0o700
	}
	if secret || private || key {
		f.Secret = lab.NewSecret(content)
	} else {
		f.Content = content
	}
	return f
}

var privateKey = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)

// shown returns an error without the path of the directory here.
func (l *loading) shown(err error) string {
	return strings.ReplaceAll(err.Error(), l.dir+string(filepath.Separator), "")
}

func readSmall(file string) ([]byte, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d MiB", filepath.Base(file), maxFile>>20)
	}
	return os.ReadFile(file)
}
