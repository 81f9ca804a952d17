package host

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Package is a Debian package. Packages that are installed in one plan are installed by one run of apt-get.
//
// Its configuration files that were changed on the machine are kept at an upgrade (dpkg --force-confold). apt waits for its lock for at most
// 5 minutes; the lock is never removed.
type Package struct {
	Order `yaml:",inline"`

	Name    string `yaml:"name,required"` // as apt names it, with ":arch" for another architecture
	Version string `yaml:"version"`       // exactly this version, also when it is older; empty means whichever is installed, or the newest
	Hold    bool   `yaml:"hold"`          // kept as it is by upgrades; false leaves the mark alone
	Absent  bool   `yaml:"absent"`        // the package must not be installed; its configuration files stay
}

// aptGet is apt-get as a program calls it (apt-get(8)).
const aptGet = "apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "

// ID returns "package:NAME".
func (p Package) ID() string { return "package:" + p.Name }

var (
	packagePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?$`) // Debian Policy 5.6.1
	versionPattern = regexp.MustCompile(`^[A-Za-z0-9.+:~-]+$`)                  // Debian Policy 5.6.12
)

// Validate implements [Resource].
func (p Package) Validate() (ps lab.Problems) {
	if !packagePattern.MatchString(p.Name) {
		ps = append(ps, lab.Problem{Path: "name", Text: p.Name, Message: "is not the name of a package: two or more letters a-z, digits and + - ."})
	}
	if p.Version != "" && !versionPattern.MatchString(p.Version) {
		ps = append(ps, lab.Problem{Path: "version", Text: p.Version, Message: "is not a version"})
	}
	if p.Absent && (p.Version != "" || p.Hold) {
		ps.Add("absent", "a package that must not be installed has no version and is not held")
	}
	return ps
}

func (p Package) provides() []string { return []string{"package:" + p.Name} }

func (p Package) needs() []string { return []string{"apt", "apt-lists"} }

func (p Package) fingerprint() string { return fmt.Sprintf("package %s %t", p.Version, p.Absent) }

// Observe implements [Resource].
func (p Package) Observe(q *Query) { q.Package(p.Name) }

// Plan implements [Resource].
func (p Package) Plan(o *Observation) ([]Op, error) {
	st := o.Package(p.Name)
	half := !st.Installed && len(st.Status) > 1 && st.Status[1] != 'n' && st.Status[1] != 'c'
	if p.Absent {
		if !st.Installed && !half {
			return nil, nil
		}
		if st.Held {
			return nil, &lab.Error{Op: "remove package", Hint: "unhold it by hand: apt-mark unhold " + p.Name, Err: fmt.Errorf("%w: it is held at version %s", lab.ErrRefused, st.Version)}
		}
		cause := "is installed, version " + st.Version
		if half {
			cause = "is half installed: " + st.Status
		}
		return []Op{{Action: lab.Delete, Cause: cause, batch: batchRemove, item: p.Name, Script: batchCommands[batchRemove] + " " + ssh.Quote(p.Name)}}, nil
	}
	var ops []Op
	item := p.Name
	if p.Version != "" {
		item += "=" + p.Version
	}
	install := Op{Action: lab.Create, Cause: "not installed", batch: batchInstall, item: item, Script: batchCommands[batchInstall] + " " + ssh.Quote(item)}
	switch {
	case st.Installed && (p.Version == "" || p.Version == st.Version):
	case st.Installed && st.Held && !p.Hold:
		return nil, &lab.Error{Op: "change version", Hint: "set hold: true to keep it at the new version, or unhold it by hand: apt-mark unhold " + p.Name,
			Err: fmt.Errorf("%w: it is held at version %s", lab.ErrRefused, st.Version)}
	case st.Installed:
		install.Action, install.Cause, install.Risk = lab.Update, fmt.Sprintf("version is %s, not %s", st.Version, p.Version), lab.RiskRestart
		ops = append(ops, install)
	case half:
		install.Action, install.Cause = lab.Update, "is half installed: "+st.Status
		install.Script = "dpkg --force-confdef --force-confold --configure -a\n" + install.Script
		install.batch = ""
		ops = append(ops, install)
	default:
		ops = append(ops, install)
	}
	if p.Hold && (!st.Held || len(ops) > 0) {
		ops = append(ops, Op{Name: "hold", Action: lab.Update, Cause: "not held", Script: "apt-mark hold -- " + ssh.Quote(p.Name)})
	}
	return ops, nil
}

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
