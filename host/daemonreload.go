package host

import (
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// The tokens of unit files: those that are written before their units are changed, and those that
// are removed after their units have been stopped or disabled.
const unitFiles, unitFilesGone = "units", "units-gone"

// DaemonReload makes systemd read unit files that have changed. Kinds of units imply it, see
// [Implier]; a state need not list it.
type DaemonReload struct {
	Units []string // changed after it; systemd is reloaded if it has not read the files of one of them

	gone bool // it comes after the removal of files whose units are down, not before the units
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

// Relations implements [Related].
func (d DaemonReload) Relations() Relations {
	return Relations{Provides: d.provides(), Needs: []string{d.token()}}
}

// provides returns the tokens that it provides.
func (d DaemonReload) provides() []string {
	if d.gone {
		return nil
	}
	return []string{"daemon-reload"}
}

// Observe implements [Resource]; the units observe.
func (DaemonReload) Observe(*Query) {}

// Plan implements [Resource].
func (d DaemonReload) Plan(o *Observation) ([]Op, error) {
	op := Op{Action: lab.Run, Script: "systemctl daemon-reload"}
	if id := o.PendingToken(d.token()); id != "" {
		op.Cause = "notified by " + lab.Printable(id)
		return []Op{op}, nil
	}
	for _, name := range d.Units {
		// For a masked unit with drop-ins NeedDaemonReload is always set: systemd compares the times
		// of the drop-ins, which it does not load. Unmasking the unit reloads systemd.
		if u := o.Unit(name); u.NeedReload && u.Load != "masked" {
			op.Cause = "the files of " + name + " changed since systemd read them"
			return []Op{op}, nil
		}
	}
	return nil, nil
}
