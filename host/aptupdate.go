package host

import (
	"slices"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// aptUpdate downloads the package lists before a package is installed. Packages imply it.
type aptUpdate struct{ packages []Resource }

// aptOptions are the options of apt-get for use by programs (apt-get(8)). Configuration files that were
// changed on the machine are kept.
const aptOptions = "-q -y -o DPkg::Lock::Timeout=300" +
	" -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"

// aptStamp is touched when the lists have been downloaded. It is lost at a reboot, and they are then
// downloaded again before the next package.
const aptStamp = "/run/lab/apt-updated"

// aptFailed is the file that names the sources whose lists could not be downloaded the last time.
const aptFailed = "/run/lab/apt-failed"

// aptFresh is the maximum age of the lists when a package is installed.
const aptFresh = time.Hour

func (aptUpdate) ID() string { return "apt:update" }

func (aptUpdate) Validate() lab.Problems { return nil }

// Merge implements [Merger].
func (u aptUpdate) Merge(other Resource) (Resource, bool) {
	o, ok := other.(aptUpdate)
	u.packages = append(slices.Clone(u.packages), o.packages...)
	return u, ok
}

func (aptUpdate) Relations() Relations {
	return Relations{Provides: []string{"apt-lists"}, Needs: []string{"apt"}}
}

func (aptUpdate) Observe(q *Query) {
	q.Path(aptStamp)
	q.Path("/etc/apt/sources.list")
	q.Path("/etc/apt/sources.list.d")
	q.Clock()
}

func (u aptUpdate) Plan(o *Observation) ([]Op, error) {
	installs := func(p Resource) bool {
		ops, err := p.Plan(o) // the package itself reports the error
		return err == nil && slices.ContainsFunc(ops, func(op Op) bool { return op.Name == "" && op.Action != lab.Delete })
	}
	if !slices.ContainsFunc(u.packages, installs) {
		return nil, nil
	}
	cause := aptStale(o)
	if cause == "" {
		return nil, nil
	}
	return []Op{{Action: lab.Run, Cause: cause,
		Script: shell("apt-update", "stamp", aptStamp, "failed", aptFailed, "options", aptOptions)}}, nil
}

// aptStale returns why the package lists must be downloaded before a package is installed; empty if they
// need not be.
func aptStale(o *Observation) string {
	stamp := o.Stat(aptStamp)
	switch sources := o.PendingToken("apt"); {
	case sources != "":
		return "notified by " + lab.Printable(sources)
	case stamp.Type == NoFile:
		return "the lists were not downloaded since boot"
	case stamp.Modified.Before(o.Stat("/etc/apt/sources.list").Modified),
		stamp.Modified.Before(o.Stat("/etc/apt/sources.list.d").Modified):
		return "the sources changed since the lists were downloaded"
	case o.Now().Sub(stamp.Modified) > aptFresh, stamp.Modified.After(o.Now()):
		return "the lists are more than an hour old"
	}
	return ""
}
