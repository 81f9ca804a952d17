package host

import (
	"slices"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// aptUpdate fetches the lists of packages before one is installed. It is implied by packages.
type aptUpdate struct{ all []Resource }

// aptStamp is touched when the lists were fetched. It is lost at a reboot, and then they are fetched again before the next package.
const aptStamp = "/run/lab/apt-updated"

// aptFresh is how old the lists may be when a package is to be installed.
const aptFresh = time.Hour

// aptUpdateScript fetches the lists. apt-get succeeds when some cannot be fetched, as long as old ones are there; then they are not called fresh.
const aptUpdateScript = `o=$(apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update 2>&1) || { printf '%s\n' "$o"; exit 100; }
printf '%s\n' "$o"
case $o in *'failed to download'*) ;; *) mkdir -p -m 0755 /run/lab; touch -- ` + aptStamp + ` ;; esac`

func (aptUpdate) ID() string { return "apt:update" }

func (aptUpdate) Validate() lab.Problems { return nil }

func (aptUpdate) provides() []string { return []string{"apt-lists"} }

func (aptUpdate) needs() []string { return []string{"apt"} }

func (aptUpdate) Observe(q *Query) {
	q.Path(aptStamp)
	q.Path("/etc/apt/sources.list")
	q.Path("/etc/apt/sources.list.d")
	q.Clock()
}

func (u aptUpdate) Plan(o *Observation) ([]Op, error) {
	installs, sources := false, ""
	for _, r := range u.all {
		switch r := r.(type) {
		case Package:
			ops, err := r.Plan(o) // an error is the package's own to report
			installs = installs || err == nil && slices.ContainsFunc(ops, func(op Op) bool { return op.item != "" && !r.Absent })
		case provider:
			if slices.Contains(r.provides(), "apt") && o.pending[r.(Resource).ID()] && sources == "" {
				sources = r.(Resource).ID()
			}
		}
	}
	if !installs {
		return nil, nil
	}
	cause := ""
	stamp := o.Stat(aptStamp)
	switch {
	case sources != "":
		cause = "notified by " + sources
	case stamp.Type == NoFile:
		cause = "the lists were not fetched since boot"
	case stamp.Modified.Before(o.Stat("/etc/apt/sources.list").Modified), stamp.Modified.Before(o.Stat("/etc/apt/sources.list.d").Modified):
		cause = "the sources changed since the lists were fetched"
	case o.Now().Sub(stamp.Modified) > aptFresh, stamp.Modified.After(o.Now()):
		cause = "the lists are more than an hour old"
	default:
		return nil, nil
	}
	return []Op{{Action: lab.Run, Cause: cause, Script: aptUpdateScript}}, nil
}
