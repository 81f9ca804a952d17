package host

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
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
// in 256 places between, of a disk under 304 MiB all of it. Signatures alone are not enough, since both tools report nothing on a disk
// full of raw data. Nor is it initialised if another disk has the label, or the same name, which cheap
// USB enclosures share: either can mean that the wrong one is named.
//
// Initialising has the risk dataloss: a person must confirm it for this very disk, by the ID of the
// change, which contains the name of the disk. It is examined once more just before. While the file
// system is being created, the partition has the name "lab-unfinished"; if the power fails
// meanwhile, the next plan initialises it again, for which it needs another confirmation.
type Disk struct {
	Order `yaml:",inline"`

	Device     string `yaml:"device,required"` // a path below /dev/disk/by-id, of a disk and not of a partition
	Label      string `yaml:"label,required"`  // of the file system, 1 to 16 bytes (12 for xfs)
	FSType     string `yaml:"fsType"`          // ext4 or xfs; empty means ext4
	Serial     string `yaml:"serial"`          // as shown by lsblk -o SERIAL; the disk is refused if it has another; empty means any
	MinSize    int64  `yaml:"minSize"`         // bytes; a smaller disk is refused; 0 means any size of at least 64 MiB
	Initialise string `yaml:"initialise"`      // "never" or "if-blank"; empty means never
}

// unfinished is the name of a partition whose file system is not complete.
const unfinished = "lab-unfinished"

// When a disk may be initialised.
const (
	InitialiseNever   = "never"
	InitialiseIfBlank = "if-blank"
)

// diskLabelPattern is that of labels which lsblk and fstab show as they are.
var diskLabelPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// ID returns "disk:DEVICE".
func (d Disk) ID() string { return "disk:" + d.Device }

// Validate implements [Resource].
func (d Disk) Validate() (ps lab.Problems) {
	checkPath(&ps, "device", d.Device)
	if !strings.HasPrefix(d.Device, "/dev/disk/by-id/") || strings.ContainsAny(d.Device, " \t\n") {
		ps = append(ps, lab.Problem{Path: "device", Text: d.Device,
			Message: "does not name the disk by its serial number", Hint: "use a path listed by: ls -l /dev/disk/by-id"})
	}
	if regexp.MustCompile(`-part[0-9]+$`).MatchString(d.Device) {
		ps = append(ps, lab.Problem{Path: "device", Text: d.Device, Message: "is a partition",
			Hint: "use the name of the disk, without -partN"})
	}
	if strings.ContainsAny(d.Serial, "\n\x00") || strings.TrimSpace(d.Serial) != d.Serial {
		ps.Add("serial", "begins or ends with a space, or contains a newline")
	}
	longest := 16
	if d.fsType() == "xfs" {
		longest = 12
	}
	if d.Label == "" || len(d.Label) > longest || !diskLabelPattern.MatchString(d.Label) {
		ps = append(ps, lab.Problem{Path: "label", Text: d.Label,
			Message: fmt.Sprintf("is not a label: 1 to %d letters, digits, - _ and .", longest)})
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
	q.Probe(d.ID(), shell("blank")+shell("disk", "disk", d.Device, "label", d.Label, "unfinished", unfinished))
}

// diskFacts is what sh/disk.sh and the mount table report of a disk.
type diskFacts struct {
	missing   bool
	device    string // "/dev/sda"
	serial    string
	size      int64
	readOnly  bool
	parts     []blockDevice // the disk and everything on it, as reported by lsblk
	others    []blockDevice // the other disks of the machine, and everything on them
	twin      string        // another disk that has the same name below /dev/disk/by-id; empty if there is none
	holders   string
	signature string // what wipefs or blkid found; empty for nothing
	swap      bool
	data      string // where a byte other than zero was found, in MiB; empty for nowhere
	blank     bool   // all samples were read, and all were zero
	fstab     string // its name in fstab; empty means that fstab does not name it
	mounted   []string
}

type blockDevice struct {
	Path       string        `json:"path"`
	Type       string        `json:"type"`
	FSType     string        `json:"fstype"`
	Label      string        `json:"label"`
	UUID       string        `json:"uuid"`
	PartLabel  string        `json:"partlabel"`
	Serial     string        `json:"serial"`
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
		case "readonly":
			f.readOnly = value != "0"
		case "twin":
			f.twin = value
		case "fstab":
			f.fstab = strings.TrimSpace(value)
		case "holders":
			f.holders = strings.TrimSpace(value)
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
		f.signature = cmp.Or(strings.TrimSpace(found), f.signature)
	case "2": // nothing found (blkid(8))
	default:
		return fmt.Errorf("blkid: %s", found)
	}
	return nil
}

// readLsblk parses the JSON output of lsblk, of all disks.
func (f *diskFacts) readLsblk(text string) error {
	var l struct {
		BlockDevices []blockDevice `json:"blockdevices"`
	}
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return fmt.Errorf("lsblk: %w", err)
	}
	var add func(ds []blockDevice, of bool)
	add = func(ds []blockDevice, of bool) {
		for _, d := range ds {
			mine := of || d.Path == f.device
			if mine {
				f.parts = append(f.parts, d)
			} else {
				f.others = append(f.others, d)
			}
			add(d.Children, mine)
		}
	}
	add(l.BlockDevices, false)
	if len(f.parts) == 0 {
		return fmt.Errorf("lsblk does not list %s", f.device)
	}
	f.serial = f.parts[0].Serial
	return nil
}

// step is what a disk needs.
type step string

const (
	nothing    step = ""
	initialise step = "initialise"
	resume     step = "resume" // initialising, which was cut off before the file system was complete
	finish     step = "finish" // initialising, which was cut off when the file system was complete
)

// decide returns what the disk needs, or the error of one that may not be used. It is pure.
func (d Disk) decide(f diskFacts) (step, error) {
	if f.missing {
		return nothing, &lab.Error{Op: "find disk", Hint: "plug it in; no other disk is used instead",
			Err: fmt.Errorf("%w: %s", lab.ErrNotFound, d.Device)}
	}
	if d.Serial != "" && d.Serial != f.serial {
		return nothing, refuseDisk("correct device or serial, whichever names the wrong disk",
			"its serial number is %q, not %q", f.serial, d.Serial)
	}
	if n, err := d.existing(f); err != nil || n != nil {
		if n != nil && n.PartLabel == unfinished {
			return finish, err
		}
		return nothing, err
	}
	if d.Initialise != InitialiseIfBlank {
		return nothing, refuseDisk("set initialise: if-blank to create it",
			"it has no file system with the label %q", d.Label)
	}
	if err := d.suspicious(f); err != nil {
		return nothing, err
	}
	const examine = "examine it by hand: it may hold the only copy of somebody's data"
	again := f.cutOff()
	switch used, smallest := f.use(again), max(d.MinSize, 64<<20); {
	case used != "":
		return nothing, refuseDisk(examine, "%s", used)
	case f.size < smallest:
		return nothing, refuseDisk("name the disk that is meant", "it has %d bytes, fewer than %d", f.size, smallest)
	case again:
		return resume, nil
	case f.data != "":
		return nothing, refuseDisk(examine, "there is data on it, at %s MiB, or a place that cannot be read", f.data)
	case !f.blank:
		return nothing, refuseDisk(examine, "not enough of it could be read to know that it is blank")
	}
	return initialise, nil
}

// existing returns the file system that is wanted, nil if the disk has none with the label.
func (d Disk) existing(f diskFacts) (found *blockDevice, err error) {
	for i, p := range f.parts {
		switch {
		case p.Label != d.Label:
		case p.FSType != d.fsType():
			return nil, refuseDisk("use another label, or set fsType to that of the disk",
				"its file system %q is %s, not %s", p.Label, p.FSType, d.fsType())
		case found != nil:
			return nil, refuseDisk("give one of them another label", "%s and %s both have the label %q",
				found.Path, p.Path, d.Label)
		default:
			found = &f.parts[i]
		}
	}
	for _, o := range f.others {
		if found != nil && o.UUID == found.UUID && o.UUID != "" {
			return nil, refuseDisk("unplug the copy, or give it another UUID and label",
				"%s is a copy of %s: either may be mounted in place of the other", o.Path, found.Path)
		}
		if o.Label != d.Label {
			continue
		}
		if found != nil {
			return nil, refuseDisk("give one of them another label", "%s on another disk has the label %q too",
				o.Path, d.Label)
		}
		return nil, refuseDisk("name the disk that is meant, by one of: ls -l /dev/disk/by-id",
			"%s on another disk has the label %q, this disk has no such file system", o.Path, d.Label)
	}
	return found, nil
}

// suspicious returns an error if the disk may not be the one that is meant, or is none.
func (d Disk) suspicious(f diskFacts) error {
	if t := f.parts[0].Type; t != "disk" && t != "loop" {
		return refuseDisk("name a disk", "it is no disk, but of the type %s", t)
	}
	if f.readOnly {
		return refuseDisk("look for its errors in the kernel's log: journalctl -k", "it is read-only")
	}
	if f.twin != "" {
		return refuseDisk("unplug one of them, or use a name that tells them apart",
			"%s has the same name: %s may lead to either", f.twin, d.Device)
	}
	return nil
}

// cutOff reports whether all that is on the disk is a partition whose file system was being created when
// the power failed: it has no signature yet.
func (f diskFacts) cutOff() bool {
	return len(f.parts) == 2 && f.parts[1].Type == "part" && f.parts[1].PartLabel == unfinished
}

// use returns what shows that the disk is, or was, in use; "" if nothing does. The partition of a disk
// that was cut off is not in use by itself.
func (f diskFacts) use(cutOff bool) string {
	for _, p := range f.parts {
		switch {
		case p.MountPoint != "":
			return p.Path + " is mounted at " + p.MountPoint
		case p.FSType != "":
			return p.Path + " contains " + p.FSType
		case p.Path != f.device && !cutOff:
			return "it has the partition " + p.Path
		}
	}
	switch {
	case len(f.mounted) > 0:
		return "it is mounted at " + strings.Join(f.mounted, ", ")
	case f.fstab != "":
		return "/etc/fstab names it, as " + f.fstab
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
	for _, m := range o.Mounts() {
		if slices.ContainsFunc(f.parts, func(p blockDevice) bool { return p.Path == m.Source }) {
			f.mounted = append(f.mounted, m.Target)
		}
	}
	next, err := d.decide(f)
	if err != nil || next == nothing {
		return nil, err
	}
	if next == finish {
		return []Op{{
			Action: lab.Update,
			Cause:  "it was cut off just after its file system was complete",
			Diff:   fmt.Sprintf("-partition %s\n+partition %s\n", unfinished, d.Label),
			Script: shell("initialised", "disk", d.Device, "device", f.device, "label", d.Label, "unfinished", unfinished),
		}}, nil
	}
	cause, again := fmt.Sprintf("the disk is blank: %s, %d GB", f.device, f.size/1e9), ""
	if f.serial != "" {
		cause += ", serial number " + lab.Printable(f.serial)
	}
	if next == resume {
		again = "yes"
		cause = fmt.Sprintf("it was cut off while its file system was created: %s has no signature yet", f.parts[1].Path)
	}
	return []Op{{
		Action: lab.Create, Risk: lab.RiskDataLoss, Cause: cause,
		Diff: fmt.Sprintf("+%s: GPT with one partition, %s labelled %s\n", d.Device, d.fsType(), d.Label),
		Script: shell("blank") + shell("initialise", "disk", d.Device, "device", f.device, "size", fmt.Sprint(f.size),
			"serial", f.serial, "type", d.fsType(), "label", d.Label, "unfinished", unfinished, "resume", again),
	}}, nil
}
