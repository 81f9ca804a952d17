package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

// LockFile is the name of the lock file, beside the compose.yaml whose images it pins. [Load] reads
// it there.
const LockFile = "compose.lock.yaml"

// Pin says which image a name stands for: one of both is set.
type Pin struct {
	Digest string `yaml:"digest"` // "sha256:..." of the manifest, or of the list of manifests, at the registry

	// ID is "sha256:..." of an image that is in no registry: it was imported, loaded or built on the machine.
	ID string `yaml:"id"`
}

// Lock pins the images of a stack, by the name that its compose.yaml gives them. A name there that
// has a digest itself needs no pin. The zero Lock pins nothing.
type Lock map[string]Pin

var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// ReadLock reads a lock file. The error is a [lab.Problems]; the name of the file is for its messages.
func ReadLock(file string, data []byte) (Lock, error) {
	d, err := strictyaml.Parse(file, data)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Images map[string]Pin `yaml:"images"`
	}
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	return doc.Images, d.Locate(Lock(doc.Images).validate().Under("images").Err())
}

// lock returns the lock of the source: the one that was passed, or else the one in its directory.
func (s Source) lock() (Lock, error) {
	if s.Lock != nil || s.Dir == "" {
		return s.Lock, nil
	}
	file := filepath.Join(s.Dir, LockFile)
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &lab.Error{Op: "read lock", Path: file, Hint: "make it readable; or remove it, and pin the images again",
			Set: lab.Setting{Name: SettingLock}, Err: err}
	}
	return ReadLock(file, data)
}

func (l Lock) validate() (ps lab.Problems) {
	for _, name := range slices.Sorted(maps.Keys(l)) {
		p := l[name]
		if _, err := reference.ParseDockerRef(name); err != nil {
			ps = append(ps, lab.Problem{Path: name, Message: err.Error()})
		}
		switch {
		case (p.Digest == "") == (p.ID == ""):
			ps = append(ps, lab.Problem{Path: name, Message: "not just one of digest and id"})
		case !digestPattern.MatchString(p.Digest + p.ID):
			ps = append(ps, lab.Problem{Path: name, Text: p.Digest + p.ID,
				Message: "is not sha256: and 64 hexadecimal digits"})
		}
	}
	return ps
}

// Format returns the lock as a file, its images in alphabetical order.
func (l Lock) Format() []byte {
	var b strings.Builder
	b.WriteString("# Which image each name in compose.yaml stands for. Written on request; deploying never changes it.\nimages:")
	if len(l) == 0 {
		b.WriteString(" {}")
	}
	b.WriteByte('\n')
	for _, name := range slices.Sorted(maps.Keys(l)) {
		if p := l[name]; p.Digest != "" {
			fmt.Fprintf(&b, "  %q: {digest: %q}\n", name, p.Digest)
		} else {
			fmt.Fprintf(&b, "  %q: {id: %q}\n", name, p.ID)
		}
	}
	return []byte(b.String())
}

// pin returns what a compose.yaml on a machine says of the image: NAME@DIGEST, which is pulled as
// such whatever its tag has moved to, or the ID.
func (l Lock) pin(image string) (string, error) {
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return "", err
	}
	if _, ok := named.(reference.Digested); ok {
		return image, nil
	}
	p, ok := l[image]
	switch {
	case !ok:
		return "", fmt.Errorf("%w: the image %s is not pinned", lab.ErrNotFound, image)
	case p.ID != "":
		return p.ID, nil
	}
	return reference.TagNameOnly(named).String() + "@" + p.Digest, nil
}

// imageID returns the ID in a pinned image, "" when it is pinned by digest.
func imageID(pinned string) string {
	if digestPattern.MatchString(pinned) {
		return pinned
	}
	return ""
}
