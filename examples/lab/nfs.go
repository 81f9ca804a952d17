package main

import (
	"fmt"

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
		out = append(out, uniform(fmt.Sprintf("nfs[%d]", i), c.On, c))
	}
	return out
}
