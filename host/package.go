package host

import (
	"fmt"
	"regexp"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Package is a Debian package. All packages of a plan are installed by one run of apt-get.
//
// Configuration files that were changed on the machine are kept at an upgrade (dpkg --force-confold).
// apt waits for its lock for at most 5 minutes; the lock is never removed.
type Package struct {
	Order `yaml:",inline"`

	Name    string `yaml:"name,required"` // as apt names it, with ":arch" for another architecture
	Version string `yaml:"version"`       // exactly this version, even if it is older; empty means the installed one, or the newest
	Hold    bool   `yaml:"hold"`          // kept at its version by upgrades; false leaves the mark as it is
	Absent  bool   `yaml:"absent"`        // the package must not be installed; its configuration files are kept
}

// aptGet is apt-get with the options for use by programs (apt-get(8)).
const aptGet = "apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "

// aptRemove is the command that removes the packages whose names are appended to it.
const aptRemove = aptGet + "remove --"

// aptInstall returns the command that installs the packages whose names are appended to it. dpkg
// first completes an interrupted run, since apt-get installs nothing before that.
func aptInstall() string {
	return shell("repair") + "repair && " + aptGet +
		"install --no-install-recommends --allow-downgrades --allow-change-held-packages --"
}

// ID returns "package:NAME".
func (p Package) ID() string { return "package:" + p.Name }

var (
	packagePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?$`) // Debian Policy 5.6.1
	versionPattern = regexp.MustCompile(`^[A-Za-z0-9.+:~-]+$`)                  // Debian Policy 5.6.12
)

// Validate implements [Resource].
func (p Package) Validate() (ps lab.Problems) {
	if !packagePattern.MatchString(p.Name) {
		ps = append(ps, lab.Problem{Path: "name", Text: p.Name,
			Message: "is not the name of a package: two or more letters a-z, digits and + - ."})
	}
	if p.Version != "" && !versionPattern.MatchString(p.Version) {
		ps = append(ps, lab.Problem{Path: "version", Text: p.Version, Message: "is not a version"})
	}
	if p.Absent && (p.Version != "" || p.Hold) {
		ps.Add("absent", "excludes version and hold")
	}
	return ps
}

// Provides implements [Provider].
func (p Package) Provides() []string { return []string{"package:" + p.Name} }

// Needs implements [Needer].
func (p Package) Needs() []string { return []string{"apt", "apt-lists"} }

// Implies implements [Implier]: the package lists are updated before a package is installed.
func (p Package) Implies() []Resource { return []Resource{aptUpdate{packages: []Resource{p}}} }

// Fingerprint implements [Fingerprinter].
func (p Package) Fingerprint() string { return fmt.Sprintf("package %s %t", p.Version, p.Absent) }

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
			return nil, &lab.Error{Op: "remove package", Hint: "unhold it by hand: apt-mark unhold " + p.Name,
				Err: fmt.Errorf("%w: it is held at version %s", lab.ErrRefused, st.Version)}
		}
		cause := "is installed, version " + st.Version
		if half {
			cause = "is half installed: " + st.Status
		}
		return []Op{{Action: lab.Delete, Cause: cause, Batch: aptRemove, Item: p.Name}}, nil
	}
	var ops []Op
	item := p.Name
	if p.Version != "" {
		item += "=" + p.Version
	}
	install := Op{Action: lab.Create, Cause: "not installed", Batch: aptInstall(), Item: item}
	switch {
	case st.Installed && (p.Version == "" || p.Version == st.Version):
	case st.Installed && st.Held && !p.Hold:
		return nil, &lab.Error{Op: "change version",
			Hint: "set hold: true to hold it at the new version, or unhold it by hand: apt-mark unhold " + p.Name,
			Err:  fmt.Errorf("%w: it is held at version %s", lab.ErrRefused, st.Version)}
	case st.Installed:
		install.Action, install.Risk = lab.Update, lab.RiskRestart
		install.Cause = fmt.Sprintf("version is %s, not %s", st.Version, p.Version)
		ops = append(ops, install)
	case half:
		install.Action, install.Cause = lab.Update, "is half installed: "+st.Status
		install.Script = "dpkg --force-confdef --force-confold --configure -a\n" + aptInstall() + " " + ssh.Quote(item)
		install.Batch, install.Item = "", ""
		ops = append(ops, install)
	default:
		ops = append(ops, install)
	}
	if p.Hold && (!st.Held || len(ops) > 0) {
		ops = append(ops, Op{Name: "hold", Action: lab.Update, Cause: "not held",
			Script: "apt-mark hold -- " + ssh.Quote(p.Name)})
	}
	return ops, nil
}
