package compose

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/distribution/reference"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// Images returns the images that a stack names, in services of any profile and in mounts, each
// once: those that are to be locked. Names with a digest need no lock and are left out.
func Images(ctx context.Context, s Source) ([]string, error) {
	l := &loading{source: s}
	if err := l.read(ctx); err != nil {
		return nil, l.fail(err)
	}
	seen := map[string]bool{}
	add := func(image string) {
		if named, err := reference.ParseDockerRef(image); image != "" && err == nil {
			if _, ok := named.(reference.Digested); !ok {
				seen[image] = true
			}
		}
	}
	for _, service := range l.project.AllServices() {
		add(service.Image)
		for _, v := range service.Volumes {
			if v.Type == types.VolumeTypeImage {
				add(v.Source)
			}
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// Resolve asks what the images are now, through the machine's Docker Engine: each is pulled, and
// pinned by the digest that its registry gave. One that is in no registry, but on the machine, is
// pinned by its ID. It is the only place where a tag is looked up, and it writes no lock: the
// caller does.
//
// Errors are [lab.ErrNotFound], [lab.ErrUnauthorized], for a registry that wants a docker login of
// root on the machine, and [lab.ErrUnreachable].
func Resolve(ctx context.Context, m *host.Machine, images []string) (Lock, error) {
	lock := Lock{}
	for _, image := range images {
		text := head + script.Join(embedded, script.Variables{"image": image}, "resolve.sh")
		r, err := m.Run(ctx, ssh.Command{Script: text, Root: true})
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			return nil, err
		}
		pin, err := resolved(image, string(r.Stdout), lastLine(string(r.Stderr)))
		if err != nil {
			return nil, &lab.Error{Op: "resolve image", Target: m.Name(), Path: image,
				Hint: "on the machine: docker pull " + image, Err: err}
		}
		lock[image] = pin
	}
	return lock, nil
}

// resolved reads what the machine answered of an image, and what docker complained of.
func resolved(image, answer, complaint string) (Pin, error) {
	var have struct {
		ID      string   `json:"id"`
		Digests []string `json:"digests"`
	}
	for line := range strings.Lines(answer) {
		kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch kind {
		case "pulled":
			if !digestPattern.MatchString(rest) {
				return Pin{}, fmt.Errorf("%w: docker pull says that the digest is %s", lab.ErrDrift,
					lab.Printable(rest))
			}
			return Pin{Digest: rest}, nil
		case "image":
			if err := json.Unmarshal([]byte(rest), &have); err != nil {
				return Pin{}, err
			}
		}
	}
	known := slices.ContainsFunc(have.Digests, func(d string) bool {
		name, _, _ := strings.Cut(d, "@")
		return name == familiarName(image)
	})
	switch {
	case have.ID == "":
		return Pin{}, pullError(complaint)
	case known:
		return Pin{}, fmt.Errorf("%w; what the machine has may be old", pullError(complaint))
	}
	return Pin{ID: have.ID}, nil
}

// pullError returns why docker could not pull an image.
func pullError(complaint string) error {
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(complaint, w) })
	}
	kind := lab.ErrUnreachable
	switch {
	case says("manifest unknown", "not found", "does not exist"):
		kind = lab.ErrNotFound
	case says("unauthorized", "no basic auth credentials", "denied"):
		kind = lab.ErrUnauthorized
	}
	return fmt.Errorf("%w: %s", kind, lab.Printable(complaint))
}
