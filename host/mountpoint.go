package host

import (
	"cmp"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// mountPointDirectory is what sh/beneath.sh reports of the directory of a mount point, whether or not
// something is mounted there.
type mountPointDirectory struct {
	exists, immutable bool
	unknown           string   // why its attributes are not known; empty if they are
	entries           []string // up to 100
}

func readMountPoint(out string) (d mountPointDirectory) {
	d.unknown = strings.TrimSpace(out)
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch key {
		case "missing":
			d.unknown = ""
		case "attributes":
			d.exists, d.immutable, d.unknown = true, strings.Contains(value, "i"), ""
		case "unknown":
			d.exists, d.unknown = true, value
		case "entry":
			d.entries = append(d.entries, value)
		}
	}
	return d
}

// beneath returns the name of the probe of the mount point's directory.
func (m Mount) beneath() string { return m.ID() + "/beneath" }

// protect returns the op that makes the directory of the mount point immutable. It is an error if that
// cannot be done, or if the mount would hide what was written there while nothing was mounted.
func (m Mount) protect(o *Observation, mounted bool) ([]Op, error) {
	if !m.Immutable {
		return nil, nil
	}
	d := readMountPoint(string(o.Probe(m.beneath()).Output))
	switch {
	case d.unknown != "":
		return nil, &lab.Error{Op: "protect mount point", Hint: "set immutable: false",
			Err: fmt.Errorf("%w: the directory cannot be made immutable: %s", lab.ErrConflict, lab.Printable(d.unknown))}
	case d.immutable:
		return nil, nil
	case len(d.entries) > 0 && !mounted:
		return nil, &lab.Error{Op: "mount", Hint: "stop what writes there, and move it away: the mount would hide it",
			Err: fmt.Errorf("%w: the directory is not empty: %s", lab.ErrConflict, d.contents())}
	}
	op := Op{Name: "immutable", Action: lab.Update, Cause: "can be written to while nothing is mounted there",
		Script: shell("immutable", "path", m.Path)}
	switch {
	case !d.exists:
		op.Action, op.Cause = lab.Create, "not found"
	case len(d.entries) > 0:
		op.Cause = "was written to while nothing was mounted there: the mount hides " + d.contents()
	}
	return []Op{op}, nil
}

// contents names what is in the directory.
func (d mountPointDirectory) contents() string {
	first := lab.Printable(d.entries[0])
	switch n := len(d.entries); {
	case n == 1:
		return first
	case n < 100:
		return fmt.Sprintf("%s and %d more", first, n-1)
	}
	return first + " and many more"
}

// named returns the mount with the source that fstab names, if that is the UUID of the file system. ready
// is false if it is not known yet, because an earlier change may create it.
func (m Mount) named(o *Observation) (named Mount, ready bool, err error) {
	if !m.ByUUID {
		return m, true, nil
	}
	if f := strings.Fields(string(o.Probe(m.ID()).Output)); len(f) == 4 {
		m.entry = "UUID=" + f[3]
		return m, true, nil
	}
	table, _ := o.Content(fstab)
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); m.isLine(o, f) && strings.HasPrefix(f[0], "UUID=") && !o.CanDefer() {
			m.entry = f[0] // the disk is not there
			return m, true, nil
		}
	}
	if !o.CanDefer() {
		return m, false, &lab.Error{Op: "mount", Hint: "plug the disk in, or create the file system with a disk resource",
			Err: fmt.Errorf("%w: a file system %s with a UUID", lab.ErrNotFound, lab.Printable(m.Source))}
	}
	m.entry = "UUID=(" + m.Source + ")"
	return m, false, nil
}

// source returns what fstab names.
func (m Mount) source() string { return cmp.Or(m.entry, m.Source) }
