package compose

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// written reports whether a service may write to a path on the machine.
func (s Stack) written(p string) bool {
	for _, sv := range s.services {
		for _, w := range sv.writes {
			if p == w || strings.HasPrefix(p, strings.TrimSuffix(w, "/")+"/") {
				return true
			}
		}
	}
	return false
}

// givenDir is a directory that a service may write to. It is made, and then the service's: images
// give such directories to whom they run as, and would not start, or not write, if the owner was
// set back.
type givenDir struct{ host.Directory }

// ID implements [host.Resource].
func (f givenDir) ID() string { return "given-directory:" + f.Path }

// Plan implements [host.Resource].
func (f givenDir) Plan(o *host.Observation) ([]host.Op, error) {
	if o.Stat(f.Path).Type == host.DirFile {
		return nil, nil
	}
	return f.Directory.Plan(o)
}
