package compose

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Images returns the images that a stack names, each once: those that are to be locked. Names with a digest need no lock and are left out.
func Images(ctx context.Context, s Source) ([]string, error) {
	l := &loading{source: s}
	if err := l.read(ctx, cmp.Or(s.File, composeFile)); err != nil {
		return nil, &lab.Error{Op: "load stack", Path: cmp.Or(s.File, composeFile), Err: err}
	}
	seen := map[string]bool{}
	for _, name := range l.project.ServiceNames() {
		image := l.project.Services[name].Image
		if named, err := reference.ParseDockerRef(image); image != "" && err == nil {
			if _, ok := named.(reference.Digested); !ok {
				seen[image] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// Resolve asks what the images are now, through the machine's Docker Engine: each is pulled, and pinned by the digest that its registry gave. One that is
// in no registry, but on the machine, is pinned by its ID. It is the only place where a tag is looked up, and it writes no lock: the caller does.
func Resolve(ctx context.Context, m *host.Machine, images []string) (Lock, error) {
	lock := Lock{}
	for _, image := range images {
		script := head + fmt.Sprintf("if docker pull -q %[1]s >/dev/null; then pulled=true; else pulled=false; fi\ndocker image inspect --format '{\"pulled\":'$pulled',\"id\":{{json .ID}},\"digests\":{{json .RepoDigests}}}' %[1]s", host.Quote(image))
		r, err := m.Run(ctx, host.Command{Script: script, Root: true})
		if err != nil {
			return nil, err
		}
		fail := func(err error) (Lock, error) {
			return nil, &lab.Error{Op: "resolve image", Target: m.Name(), Path: image, Hint: "on the machine: docker pull " + image, Err: err}
		}
		if r.Exit != 0 {
			return fail(fmt.Errorf("%w: %s", lab.ErrNotFound, lastLine(string(r.Stderr))))
		}
		var got struct {
			Pulled  bool     `json:"pulled"`
			ID      string   `json:"id"`
			Digests []string `json:"digests"`
		}
		if err := json.Unmarshal(r.Stdout, &got); err != nil {
			return fail(err)
		}
		pin := Pin{ID: got.ID}
		for _, d := range got.Digests {
			if name, digest, ok := strings.Cut(d, "@"); ok && name == familiarName(image) {
				pin = Pin{Digest: digest}
			}
		}
		if !got.Pulled && pin.Digest != "" {
			return fail(fmt.Errorf("%w: the registry did not answer, and what the machine has may be old: %s", lab.ErrUnreachable, lastLine(string(r.Stderr))))
		}
		lock[image] = pin
	}
	return lock, nil
}
