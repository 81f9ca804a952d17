package host

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Disk is a file system on a disk of its own: a GPT with one partition and a labelled file system. It
// is only created on a disk that is provably blank.
//
// The disk is named by its serial number, below /dev/disk/by-id: other names can refer to a
// different disk after a reboot. If a partition of the disk has the label and the file system,
// nothing on it is touched; a [Mount] of LABEL= mounts it. Otherwise it is initialised if
// Initialise allows it and it is blank: no partition, no signature that wipefs or blkid know, not
// mounted, not in fstab, not swap, no holders, and only zero bytes in its first and last 16 MiB and
// in 256 places between. Signatures alone are not enough, since both tools report nothing on a disk
// full of raw data. Initialising has the risk dataloss, so a person must confirm it for this very
// disk.
type Disk struct {
	Order `yaml:",inline"`

	Device     string `yaml:"device,required"` // a path below /dev/disk/by-id
	Label      string `yaml:"label,required"`  // of the file system, 1 to 16 bytes (12 for xfs)
	FSType     string `yaml:"fsType"`          // ext4 or xfs; empty means ext4
	MinSize    int64  `yaml:"minSize"`         // bytes; a smaller disk is refused; 0 means any size
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
		ps = append(ps, lab.Problem{Path: "device", Text: d.Device,
			Message: "does not name the disk by its serial number", Hint: "use a path listed by: ls -l /dev/disk/by-id"})
	}
	longest := 16
	if d.fsType() == "xfs" {
		longest = 12
	}
	if d.Label == "" || len(d.Label) > longest || strings.ContainsAny(d.Label, " \t\n\x00/\"'") {
		ps = append(ps, lab.Problem{Path: "label", Text: d.Label,
			Message: fmt.Sprintf("is not a label: 1 to %d bytes without spaces, quotes and slashes", longest)})
	}
	if t := d.fsType(); t != "ext4" && t != "xfs" {
		ps = append(ps, lab.Problem{Path: "fsType", Text: t, Message: "is not supported", Hint: "ext4 or xfs"})
	}
	if d.MinSize < 0 {
		ps.Add("minSize", "is negative")
	}
	if !slices.Contains([]string{"", InitialiseNever, InitialiseIfBlank}, d.Initialise) {
		ps = append(ps, lab.Problem{Path: "initialise", Text: d.Initialise, Message: "is unknown", Hint: "never or if-blank"})
	}
	return ps
}

func (d Disk) fsType() string { return cmp.Or(d.FSType, "ext4") }

// Observe implements [Resource].
func (d Disk) Observe(q *Query) {
	q.Mounts()
	q.Content(fstab)
	q.Probe(d.ID(), shell("disk", "disk", d.Device, "label", d.Label))
}

// diskFacts is what sh/disk.sh, the mount table and fstab report of a disk.
type diskFacts struct {
	missing   bool
	device    string // "/dev/sda"
	size      int64
	parts     []blockDevice // the disk and everything on it, as reported by lsblk
	holders   string
	signature string // what wipefs or blkid found; empty for nothing
	swap      bool
	data      string // where a byte other than zero was found, in MiB; empty for nowhere
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

// readDiskFacts parses the output of sh/disk.sh.
func readDiskFacts(out string) (f diskFacts, err error) {
	lines := strings.Split(out, "\n")
	for i := 0; i < len(lines) && err == nil; i++ {
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
			err = f.readWipefs(value)
		case "blkid":
			err = f.readBlkid(value)
		case "lsblk":
			document := lines[i+1:]
			if end := slices.Index(document, "."); end >= 0 {
				document = document[:end]
			}
			i += len(document) + 1
			err = f.readLsblk(strings.Join(document, "\n"))
		}
	}
	return f, err
}

// readWipefs parses the JSON output of wipefs, which is empty if it finds nothing.
func (f *diskFacts) readWipefs(text string) error {
	if text == "" {
		return nil
	}
	var w struct {
		Signatures []struct {
			Type string `json:"type"`
		} `json:"signatures"`
	}
	if json.Unmarshal([]byte(text), &w) != nil {
		return fmt.Errorf("wipefs: %s", text)
	}
	for _, s := range w.Signatures {
		f.signature = s.Type
	}
	return nil
}

// readBlkid parses the exit status of blkid, a space and its output.
func (f *diskFacts) readBlkid(text string) error {
	status, found, _ := strings.Cut(text, " ")
	switch status {
	case "0":
		f.signature = strings.TrimSpace(found)
	case "2": // nothing found (blkid(8))
	default:
		return fmt.Errorf("blkid: %s", found)
	}
	return nil
}

// readLsblk parses the JSON output of lsblk.
func (f *diskFacts) readLsblk(text string) error {
	var l struct {
		BlockDevices []blockDevice `json:"blockdevices"`
	}
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return fmt.Errorf("lsblk: %w", err)
	}
	var add func(ds []blockDevice)
	add = func(ds []blockDevice) {
		for _, d := range ds {
			f.parts = append(f.parts, d)
			add(d.Children)
		}
	}
	add(l.BlockDevices)
	return nil
}

// decide reports whether the disk must be initialised, or returns the error of one that may not be
// used. It is pure.
func (d Disk) decide(f diskFacts) (initialise bool, err error) {
	if f.missing {
		return false, &lab.Error{Op: "find disk", Hint: "plug it in; no other disk is used instead",
			Err: fmt.Errorf("%w: %s", lab.ErrNotFound, d.Device)}
	}
	for _, p := range f.parts {
		switch {
		case p.Label != d.Label:
		case p.FSType == d.fsType():
			return false, nil
		default:
			return false, refuseDisk("use another label, or set fsType to that of the disk",
				"its file system %q is %s, not %s", p.Label, p.FSType, d.fsType())
		}
	}
	if d.Initialise != InitialiseIfBlank {
		return false, refuseDisk("set initialise: if-blank to create it",
			"it has no file system with the label %q", d.Label)
	}
	const examine = "examine it by hand: it may hold the only copy of somebody's data"
	switch used, smallest := f.use(), max(d.MinSize, 64<<20); {
	case used != "":
		return false, refuseDisk(examine, "%s", used)
	case f.size < smallest:
		return false, refuseDisk("name the disk that is meant", "it has %d bytes, fewer than %d", f.size, smallest)
	case f.data != "":
		return false, refuseDisk(examine, "there is data on it, at %s MiB, or a place that cannot be read", f.data)
	case !f.blank:
		return false, refuseDisk(examine, "not enough of it could be read to know that it is blank")
	}
	return true, nil
}

// use returns what shows that the disk is, or was, in use; "" if nothing does.
func (f diskFacts) use() string {
	for _, p := range f.parts {
		switch {
		case p.MountPoint != "":
			return p.Path + " is mounted at " + p.MountPoint
		case p.FSType != "":
			return p.Path + " contains " + p.FSType
		case p.Path != f.device:
			return "it has the partition " + p.Path
		}
	}
	switch {
	case len(f.mounted) > 0:
		return "it is mounted at " + strings.Join(f.mounted, ", ")
	case f.fstab:
		return "/etc/fstab names it"
	case f.swap:
		return "it is swap"
	case f.holders != "":
		return "it is held by " + f.holders
	case f.signature != "":
		return "it has the signature of " + f.signature
	}
	return ""
}

func refuseDisk(hint, format string, args ...any) error {
	return &lab.Error{Op: "initialise disk", Hint: hint,
		Err: fmt.Errorf("%w: %s", lab.ErrRefused, fmt.Sprintf(format, args...))}
}

// Plan implements [Resource].
func (d Disk) Plan(o *Observation) ([]Op, error) {
	f, err := readDiskFacts(string(o.Probe(d.ID()).Output))
	if err != nil {
		return nil, &lab.Error{Op: "read disk", Hint: "examine it by hand", Err: err}
	}
	table, _ := o.Content(fstab)
	for line := range strings.Lines(string(table)) {
		if w := strings.Fields(line); len(w) > 0 && d.named(f.device, w[0]) {
			f.fstab = true
		}
	}
	for _, m := range o.Mounts() {
		if f.device != "" && m.Source == f.device {
			f.mounted = append(f.mounted, m.Target)
		}
	}
	if initialise, err := d.decide(f); err != nil || !initialise {
		return nil, err
	}
	return []Op{{
		Action: lab.Create, Risk: lab.RiskDataLoss,
		Cause: fmt.Sprintf("the disk is blank: %s, %d GB", f.device, f.size/1e9),
		Diff:  fmt.Sprintf("+%s: GPT with one partition, %s labelled %s\n", d.Device, d.fsType(), d.Label),
		Script: shell("initialise", "disk", d.Device, "device", f.device, "size", fmt.Sprint(f.size),
			"type", d.fsType(), "label", d.Label),
	}}, nil
}

// named reports whether the source of a line of fstab is the disk, by its stable or its kernel
// name, or a partition of it.
func (d Disk) named(device, source string) bool {
	return source == d.Device ||
		device != "" && (source == device || path.Dir(source) == "/dev" && strings.HasPrefix(source, device))
}
