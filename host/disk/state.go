package disk

import (
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// State returns what the machine should be. It is right when Validate finds nothing.
func (c Config) State() (s host.State) {
	for _, d := range c.Disks {
		s = append(s, dropInState(d.dropIns())...)
		s = append(s, d.disk(), d.mount())
	}
	return s
}

func dropInState(drops []host.DropIn) (s host.State) {
	for _, d := range drops {
		s = append(s, d)
	}
	return s
}

// dropIns keep the units that write to the disk from being started without it. They come before the mount, so that
// there is no time at which it is known to systemd and not required.
func (d Disk) dropIns() (drops []host.DropIn) {
	for _, unit := range d.Writers {
		drops = append(drops, host.DropIn{Unit: unit, Name: "lab-disk-" + d.Label,
			Content: "# The directory is on a disk of its own: nothing is written there without it.\n" +
				"[Unit]\nRequiresMountsFor=" + d.Path + "\n"})
	}
	return drops
}

// mount returns where the file system is mounted, after it exists.
func (d Disk) mount() host.Mount {
	m := host.Mount{
		Order: host.Order{After: []string{d.disk().ID()}},
		Path:  d.Path, Source: "LABEL=" + d.Label, FSType: d.FSType, ByUUID: true, Immutable: true,
		Options: append([]string{"noatime", "nofail", "x-systemd.device-timeout=30s"}, d.Options...),
		Pass:    2,
	}
	if d.FSType == "xfs" {
		m.Pass = 0 // it is repaired when it is mounted; fsck.xfs does nothing
	}
	return m
}
