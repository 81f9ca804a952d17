package main

import (
	"context"
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab/host/disk"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
)

// DisksConfig are the data disks of machines. A disk is named by its serial number, so that a pattern usually selects one
// machine.
type DisksConfig struct {
	On          string `yaml:"on,required"` // a pattern: "pi1"
	disk.Config `yaml:",inline"`
}

// dataDisks returns the data disks as components.
func (l *Lab) dataDisks() (out []component) {
	for i, d := range l.Disks {
		place := fmt.Sprintf("disks[%d]", i)
		out = append(out, component{place: place, on: d.On, validate: d.Validate,
			pieces: func(context.Context, *inventory.Host, sources) ([]piece, error) {
				return piecesAt(place, d.State()), nil
			}})
	}
	return out
}
