package host

import (
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

// daemonReload lets systemd read its units' files when they changed. It is implied by units.
type daemonReload struct {
	all  []Resource
	gone bool // it comes after the files that go when their units are down, not before the units
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

func (d daemonReload) provides() []string {
	if d.gone {
		return nil
	}
	return []string{"daemon-reload"}
}

func (d daemonReload) needs() []string { return []string{d.token()} }

func (daemonReload) Observe(*Query) {}

func (d daemonReload) Plan(o *Observation) ([]Op, error) {
	op := []Op{{Action: lab.Run, Script: "systemctl daemon-reload"}}
	for _, r := range d.all {
		if p, ok := r.(provider); ok && o.pending[r.ID()] && slices.Contains(p.provides(), d.token()) {
			op[0].Cause = "notified by " + lab.Printable(r.ID())
			return op, nil
		}
	}
	for _, r := range d.all {
		// Of a masked unit with drop-ins systemd says so for ever: it loads none, and compares their times all the same. To unmask it is to reload.
		if u, ok := r.(Unit); ok && !d.gone && o.Unit(u.Name).NeedReload && o.Unit(u.Name).Load != "masked" {
			op[0].Cause = "the files of " + u.Name + " changed since systemd read them"
			return op, nil
		}
	}
	return nil, nil
}
