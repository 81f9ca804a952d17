package disk

import (
	"fmt"
	"regexp"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Config is the data disks of a machine. The zero Config wants none.
type Config struct {
	Disks []Disk `yaml:"disks"` // empty means none
}

// Disk is a file system on a disk of its own, and where it is mounted.
type Disk struct {
	Device     string `yaml:"device,required"` // a path below /dev/disk/by-id, which contains the serial number
	Label      string `yaml:"label,required"`  // of the file system, 1 to 16 letters, digits, - _ and . (12 for xfs)
	FSType     string `yaml:"fsType"`          // ext4 or xfs; empty means ext4
	Serial     string `yaml:"serial"`          // as shown by lsblk -o SERIAL; the disk is refused if it has another; empty means any
	MinSize    int64  `yaml:"minSize"`         // bytes; a smaller disk is not initialised; 0 means any size of at least 64 MiB
	Initialise string `yaml:"initialise"`      // "never" or "if-blank", see host.Disk; empty means never

	// Path is the mount point, of letters, digits and - _ . /.
	Path string `yaml:"path,required"`

	// Options are options of the mount, besides noatime, nofail and x-systemd.device-timeout. Empty means
	// none.
	Options []string `yaml:"options"`

	// Writers are the units of systemd that write there, and do not start unless it is mounted:
	// "k3s.service". They need not exist yet. Empty means that none waits for it.
	Writers []string `yaml:"writers"`
}

// pathPattern is that of paths which need no quotes in fstab and in a unit's file.
var pathPattern = regexp.MustCompile(`^/[A-Za-z0-9_./-]+$`)

// Validate returns everything that is wrong with the Config. Paths name its fields: "disks[1].label".
func (c Config) Validate() (ps lab.Problems) {
	first := map[string]string{}
	for i, d := range c.Disks {
		at := fmt.Sprintf("disks[%d]", i)
		ps = append(ps, d.problems().Under(at)...)
		for _, unique := range []struct{ field, value string }{
			{"device", d.Device}, {"label", d.Label}, {"path", d.Path},
		} {
			key := unique.field + " " + unique.value
			if other, ok := first[key]; ok && unique.value != "" {
				ps = append(ps, lab.Problem{Path: at + "." + unique.field, Text: unique.value, Message: "the same as " + other})
			}
			first[key] = at + "." + unique.field
		}
	}
	return ps
}

// problems returns what is wrong with the disk itself.
func (d Disk) problems() (ps lab.Problems) {
	ps = append(ps, d.disk().Validate()...)
	if !pathPattern.MatchString(d.Path) {
		ps = append(ps, lab.Problem{Path: "path", Text: d.Path,
			Message: "is not a mount point: an absolute path of letters, digits and - _ . /"})
	} else {
		for _, p := range d.mount().Validate() {
			if p.Path != "source" { // of a label that is reported already
				ps = append(ps, p)
			}
		}
	}
	for _, option := range d.Options {
		switch option {
		case "auto", "noauto", "fail", "bind", "rbind", "remount":
			ps = append(ps, lab.Problem{Path: "options", Text: option, Message: "is not an option of a disk that is mounted at boot"})
		}
	}
	for i, drop := range d.dropIns() {
		for _, p := range drop.Validate() {
			p.Path = fmt.Sprintf("writers[%d]", i)
			ps = append(ps, p)
		}
	}
	return ps
}

// disk returns the file system on the disk.
func (d Disk) disk() host.Disk {
	return host.Disk{Device: d.Device, Label: d.Label, FSType: d.FSType, Serial: d.Serial, MinSize: d.MinSize,
		Initialise: d.Initialise}
}
