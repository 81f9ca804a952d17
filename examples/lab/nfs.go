package main

import (
	"context"
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
	"gitea.arcodange.lab/arcodange-org/lab/host/nfs"
)

// NFSConfig is what machines share over NFS, and what they mount of others.
type NFSConfig struct {
	On         string `yaml:"on,required"` // a pattern: "pi1"
	nfs.Config `yaml:",inline"`
}

// shares returns what is shared over NFS as components.
func (l *Lab) shares() (out []component) {
	for i, c := range l.NFS {
		place := fmt.Sprintf("nfs[%d]", i)
		out = append(out, component{place: place, on: c.On, validate: c.Validate,
			pieces: func(context.Context, *inventory.Host, sources) ([]piece, error) {
				return piecesAt(place, c.State()), nil
			}})
	}
	return out
}
