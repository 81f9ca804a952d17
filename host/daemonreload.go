package host

import (
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// isUnitPath reports whether systemd reads its units' files there (systemd.unit(5)), as far as an administrator writes them.
func isUnitPath(file string) bool {
	for _, dir := range []string{"/etc/systemd/system/", "/usr/local/lib/systemd/system/", "/run/systemd/system/", "/lib/systemd/system/", "/usr/lib/systemd/system/"} {
		if strings.HasPrefix(file, dir) {
			return true
		}
	}
	return false
}

// The tokens of units' files: of those that are there when the units are changed, and of those that go when their units are down.
const unitFiles, unitFilesGone = "units", "units-gone"

// unitOf returns the unit whose file, or whose drop-in, is at the path.
func unitOf(file string) string {
	if u, ok := strings.CutSuffix(path.Base(path.Dir(file)), ".d"); ok && unitPattern.MatchString(u) {
		return u
	}
	return path.Base(file)
}

// daemonReload lets systemd read its units' files when they changed. Units imply it, and so do units' files that must not be there.
type daemonReload struct {
	units []string // that are implied to be read anew
	gone  bool     // it comes after the files that are removed when their units are down, not before the units
}

func (d daemonReload) token() string {
	if d.gone {
		return unitFilesGone
	}
	return unitFiles
}

func (d daemonReload) ID() string {
	if d.gone {
		return "systemd:daemon-reload/gone"
	}
	return "systemd:daemon-reload"
}

func (daemonReload) Validate() lab.Problems { return nil }

// Merge implements [Merger].
func (d daemonReload) Merge(other Resource) (Resource, bool) {
	o, ok := other.(daemonReload)
	d.units = append(slices.Clone(d.units), o.units...)
	return d, ok
}

func (d daemonReload) Provides() []string {
	if d.gone {
		return nil
	}
	return []string{"daemon-reload"}
}

func (d daemonReload) Needs() []string { return []string{d.token()} }

func (daemonReload) Observe(*Query) {}

func (d daemonReload) Plan(o *Observation) ([]Op, error) {
	op := Op{Action: lab.Run, Script: "systemctl daemon-reload"}
	if id := o.PendingToken(d.token()); id != "" {
		op.Cause = "notified by " + lab.Printable(id)
		return []Op{op}, nil
	}
	for _, name := range d.units {
		// Of a masked unit with drop-ins systemd says so for ever: it loads none, and compares their times all the same. To unmask it is to reload.
		if u := o.Unit(name); u.NeedReload && u.Load != "masked" {
			op.Cause = "the files of " + name + " changed since systemd read them"
			return []Op{op}, nil
		}
	}
	return nil, nil
}
