package host

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Disk is a file system on a disk of its own: a GPT with one partition, with a label, made only on a disk that is blank beyond doubt.
//
// The disk is named by its serial, below /dev/disk/by-id: other names are of another disk after a reboot. When a partition of the disk has
// the label and the file system, all is well, and nothing on it is touched; a [Mount] by LABEL= mounts it. Otherwise it is initialised, when
// Initialise allows it and when it is blank: no partition, no signature that wipefs or blkid know, not mounted, not in fstab, not swap, held by
// nothing, and no byte other than zero in its first and last 16 MiB and in 256 places between. Signatures alone do not tell: both tools
// report nothing on a disk full of raw data. Initialising has the risk dataloss, so that a person confirms this very disk.
type Disk struct {
	Order `yaml:",inline"`

	Device     string `yaml:"device,required"` // a path below /dev/disk/by-id
	Label      string `yaml:"label,required"`  // of the file system, 1 to 16 bytes (12 for xfs)
	FSType     string `yaml:"fsType"`          // ext4 or xfs; empty means ext4
	MinSize    int64  `yaml:"minSize"`         // bytes; a smaller disk is not the one that is meant; 0 means any
	Initialise string `yaml:"initialise"`      // "never" or "if-blank"; empty means never
}

// When a disk may be initialised.
const (
	InitialiseNever   = "never"
	InitialiseIfBlank = "if-blank"
)

// ID returns "disk:DEVICE".
func (d Disk) ID() string { return "disk:" + d.Device }

// Validate implements [Resource].
func (d Disk) Validate() (ps lab.Problems) {
	checkPath(&ps, "device", d.Device)
	if !strings.HasPrefix(d.Device, "/dev/disk/by-id/") || strings.ContainsAny(d.Device, " \t\n") {
		ps = append(ps, lab.Problem{Path: "device", Text: d.Device, Message: "does not name the disk by its serial", Hint: "write a path of: ls -l /dev/disk/by-id"})
	}
	longest := 16
	if d.fsType() == "xfs" {
		longest = 12
	}
	if d.Label == "" || len(d.Label) > longest || strings.ContainsAny(d.Label, " \t\n\x00/\"'") {
		ps = append(ps, lab.Problem{Path: "label", Text: d.Label, Message: fmt.Sprintf("is not a label: 1 to %d bytes without spaces, quotes and slashes", longest)})
	}
	if t := d.fsType(); t != "ext4" && t != "xfs" {
		ps = append(ps, lab.Problem{Path: "fsType", Text: t, Message: "is not a file system that is made here", Hint: "ext4 or xfs"})
	}
	if d.MinSize < 0 {
		ps.Add("minSize", "is negative")
	}
	if !slices.Contains([]string{"", InitialiseNever, InitialiseIfBlank}, d.Initialise) {
		ps = append(ps, lab.Problem{Path: "initialise", Text: d.Initialise, Message: "is not known", Hint: "never or if-blank"})
	}
	return ps
}

func (d Disk) fsType() string {
	if d.FSType == "" {
		return "ext4"
	}
	return d.FSType
}

// Observe implements [Resource].
func (d Disk) Observe(q *Query) {
	q.Mounts()
	q.Content("/etc/fstab")
	q.Probe(d.ID(), shell("disk", "disk", d.Device, "label", d.Label))
}

// diskFacts is what sh/disk.sh printed.
type diskFacts struct {
	missing   bool
	device    string // "/dev/sda"
	size      int64
	parts     []blockDevice // what lsblk says of the disk and what is on it
	holders   string
	signature string // what wipefs or blkid found; empty for nothing
	swap      bool
	data      string // where a byte was found, in MiB; empty for nowhere
	blank     bool   // all samples were read, and all were zero
	fstab     bool   // fstab names it
	mounted   []string
}

type blockDevice struct {
	Path       string        `json:"path"`
	Type       string        `json:"type"`
	FSType     string        `json:"fstype"`
	Label      string        `json:"label"`
	UUID       string        `json:"uuid"`
	MountPoint string        `json:"mountpoint"`
	Children   []blockDevice `json:"children"`
}

func readDiskFacts(out string) (f diskFacts, err error) {
	lines := strings.Split(out, "\n")
	for i := 0; i < len(lines); i++ {
		key, value, _ := strings.Cut(lines[i], " ")
		switch key {
		case "missing":
			f.missing = true
		case "device":
			f.device = value
		case "size":
			f.size = int64(parseUint(value, 10))
		case "holders":
			f.holders = value
		case "swap":
			f.swap = true
		case "data":
			f.data = value
		case "blank":
			f.blank = true
		case "wipefs":
			var w struct {
				Signatures []struct {
					Type string `json:"type"`
				} `json:"signatures"`
			}
			if value == "" {
				break // wipefs prints nothing when it finds nothing
			}
			if json.Unmarshal([]byte(value), &w) != nil {
				return f, fmt.Errorf("wipefs: %s", value)
			}
			for _, s := range w.Signatures {
				f.signature = s.Type
			}
		case "blkid":
			status, rest, _ := strings.Cut(value, " ")
			switch status {
			case "0":
				f.signature = strings.TrimSpace(rest)
			case "2": // nothing found (blkid(8))
			default:
				return f, fmt.Errorf("blkid: %s", rest)
			}
		case "lsblk":
			var doc []string
			for i++; i < len(lines) && lines[i] != "."; i++ {
				doc = append(doc, lines[i])
			}
			var l struct {
				BlockDevices []blockDevice `json:"blockdevices"`
			}
			if err := json.Unmarshal([]byte(strings.Join(doc, "\n")), &l); err != nil {
				return f, fmt.Errorf("lsblk: %w", err)
			}
			var add func(ds []blockDevice)
			add = func(ds []blockDevice) {
				for _, d := range ds {
					f.parts = append(f.parts, d)
					add(d.Children)
				}
			}
			add(l.BlockDevices)
		}
	}
	return f, nil
}

// decide returns what to do with a disk: "" for nothing, "initialise", or an error that says why not. It is pure.
func (d Disk) decide(f diskFacts) (string, error) {
	refuse := func(hint, format string, args ...any) (string, error) {
		return "", &lab.Error{Op: "initialise disk", Hint: hint, Err: fmt.Errorf("%w: %s", lab.ErrRefused, fmt.Sprintf(format, args...))}
	}
	if f.missing {
		return "", &lab.Error{Op: "find disk", Hint: "plug it in; no other disk is taken instead", Err: fmt.Errorf("%w: %s", lab.ErrNotFound, d.Device)}
	}
	for _, p := range f.parts {
		if p.Label == d.Label {
			if p.FSType == d.fsType() {
				return "", nil
			}
			return refuse("give it another label, or name its file system", "its file system %q is %s, not %s", p.Label, p.FSType, d.fsType())
		}
	}
	if d.Initialise != InitialiseIfBlank {
		return refuse("set initialise: if-blank if it is to be made", "it has no file system with the label %q", d.Label)
	}
	look := "look at it by hand; what is on it may be somebody's only copy"
	for _, p := range f.parts {
		switch {
		case p.MountPoint != "":
			return refuse(look, "%s is mounted at %s", p.Path, p.MountPoint)
		case p.FSType != "":
			return refuse(look, "%s holds %s", p.Path, p.FSType)
		case p.Path != f.device:
			return refuse(look, "it has the partition %s", p.Path)
		}
	}
	switch {
	case len(f.mounted) > 0:
		return refuse(look, "it is mounted at %s", strings.Join(f.mounted, ", "))
	case f.fstab:
		return refuse(look, "/etc/fstab names it")
	case f.swap:
		return refuse(look, "it is swap")
	case f.holders != "":
		return refuse(look, "it is held by %s", f.holders)
	case f.signature != "":
		return refuse(look, "it has the signature of %s", f.signature)
	case f.size < max(d.MinSize, 64<<20):
		return refuse("name the disk that is meant", "it has %d bytes, fewer than %d", f.size, max(d.MinSize, 64<<20))
	case f.data != "":
		return refuse(look, "there is data on it, at %s MiB, or a place that cannot be read", f.data)
	case !f.blank:
		return refuse(look, "it could not be read whole enough to say that it is blank")
	}
	return "initialise", nil
}

// Plan implements [Resource].
func (d Disk) Plan(o *Observation) ([]Op, error) {
	f, err := readDiskFacts(string(o.Probe(d.ID()).Output))
	if err != nil {
		return nil, &lab.Error{Op: "read disk", Hint: "look at it by hand", Err: err}
	}
	fstab, _ := o.Content("/etc/fstab")
	for line := range strings.Lines(string(fstab)) {
		if w := strings.Fields(line); len(w) > 0 && (w[0] == d.Device || f.device != "" && (w[0] == f.device || path.Dir(w[0]) == "/dev" && strings.HasPrefix(w[0], f.device))) {
			f.fstab = true
		}
	}
	for _, m := range o.Mounts() {
		if f.device != "" && m.Source == f.device {
			f.mounted = append(f.mounted, m.Target)
		}
	}
	do, err := d.decide(f)
	if err != nil || do == "" {
		return nil, err
	}
	script := shell("initialise", "disk", d.Device, "device", f.device, "size", fmt.Sprint(f.size), "type", d.fsType(), "label", d.Label)
	return []Op{{Action: lab.Create, Cause: fmt.Sprintf("the disk is blank: %s, %d GB", f.device, f.size/1e9), Risk: lab.RiskDataLoss,
		Diff: fmt.Sprintf("+%s: GPT with one partition, %s labelled %s\n", d.Device, d.fsType(), d.Label), Script: script}}, nil
}
