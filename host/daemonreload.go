package host

import (
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// The tokens of units' files: of those that are there when the units are changed, and of those that go when their units are down.
const unitFiles, unitFilesGone = "units", "units-gone"

// DaemonReload lets systemd read its units' files when they changed. Kinds of units imply it, see [Implier]; a state need not name it.
type DaemonReload struct {
	Units []string // that are changed after it, for whose files systemd says that it has not read them

	gone bool // it comes after the files that are removed when their units are down, not before the units
}

func (d DaemonReload) token() string {
	if d.gone {
		return unitFilesGone
	}
	return unitFiles
}

// ID returns "systemd:daemon-reload".
func (d DaemonReload) ID() string {
	if d.gone {
		return "systemd:daemon-reload/gone"
	}
	return "systemd:daemon-reload"
}

// Validate implements [Resource].
func (DaemonReload) Validate() lab.Problems { return nil }

// Merge implements [Merger].
func (d DaemonReload) Merge(other Resource) (Resource, bool) {
	o, ok := other.(DaemonReload)
	d.Units = append(slices.Clone(d.Units), o.Units...)
	return d, ok
}

// Provides implements [Provider].
func (d DaemonReload) Provides() []string {
	if d.gone {
		return nil
	}
	return []string{"daemon-reload"}
}

// Needs implements [Needer].
func (d DaemonReload) Needs() []string { return []string{d.token()} }

// Observe implements [Resource]: the units ask.
func (DaemonReload) Observe(*Query) {}

// Plan implements [Resource].
func (d DaemonReload) Plan(o *Observation) ([]Op, error) {
	op := Op{Action: lab.Run, Script: "systemctl daemon-reload"}
	if id := o.PendingToken(d.token()); id != "" {
		op.Cause = "notified by " + lab.Printable(id)
		return []Op{op}, nil
	}
	for _, name := range d.Units {
		// Of a masked unit with drop-ins systemd says so for ever: it loads none, and compares their times all the same. To unmask it is to reload.
		if u := o.Unit(name); u.NeedReload && u.Load != "masked" {
			op.Cause = "the files of " + name + " changed since systemd read them"
			return []Op{op}, nil
		}
	}
	return nil, nil
}
