package main

import (
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab/host/disk"
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
		out = append(out, uniform(fmt.Sprintf("disks[%d]", i), d.On, d))
	}
	return out
}
