package host

import (
	"fmt"
	"regexp"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Package is a Debian package. All packages of a plan are installed and removed by one run of apt-get.
//
// What apt-get would do besides - remove, downgrade, upgrade or install other packages - is planned as
// changes of their own, "apt:side-effects/NAME", from a simulation that the machine runs if a package
// differs. While it holds dpkg's lock, apt-get is stopped if it is about to do anything else. If the package
// lists are downloaded in the same run, the simulation knows the old lists only: what was not planned is
// then stopped if it would remove or downgrade a package, and the next plan shows it.
//
// A package that is wanted is marked as installed manually, so that autoremove keeps it. Configuration files
// that were changed on the machine are kept at an upgrade (dpkg --force-confold). apt waits for its lock for
// at most 5 minutes; the lock is never removed.
type Package struct {
	Order `yaml:",inline"`

	Name    string `yaml:"name,required"` // a package, not what others provide; with ":arch" for another architecture
	Version string `yaml:"version"`       // exactly this version, even if it is older; empty means the installed one, or the newest
	Hold    bool   `yaml:"hold"`          // kept at its version by upgrades; false leaves the mark as it is
	Absent  bool   `yaml:"absent"`        // the package must not be installed; its configuration files are kept

	// Or lists packages that do as well: if one of them is installed, the package is not wanted. Empty means none.
	Or []string `yaml:"or"`
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
	for i, other := range p.Or {
		if !packagePattern.MatchString(other) || other == p.Name {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("or[%d]", i), Text: other, Message: "is not the name of another package"})
		}
	}
	if p.Absent && len(p.Or) > 0 {
		ps.Add("absent", "excludes or")
	}
	return ps
}

// Relations implements [Related].
func (p Package) Relations() Relations {
	return Relations{Provides: []string{"package:" + p.Name}, Needs: []string{"apt", "apt-lists"}}
}

// Implies implements [Implier]: the package lists are updated before a package is installed, and what apt
// does besides is planned for all packages together.
func (p Package) Implies() []Resource {
	return []Resource{aptUpdate{packages: []Resource{p}}, aptSideEffects{packages: []wantedPackage{p.wanted()}}}
}

func (p Package) wanted() wantedPackage {
	return wantedPackage{name: p.Name, version: p.Version, absent: p.Absent, held: p.Hold, or: p.Or, resource: p}
}

// Fingerprint implements [Fingerprinter].
func (p Package) Fingerprint() string { return fmt.Sprintf("package %s %t", p.Version, p.Absent) }

// Observe implements [Resource].
func (p Package) Observe(q *Query) {
	for _, name := range append([]string{p.Name}, p.Or...) {
		q.Package(name)
	}
}

// instead reports whether a package that does as well is installed.
func (w wantedPackage) instead(o *Observation) bool {
	return slices.ContainsFunc(w.or, func(name string) bool { return o.Package(name).Installed })
}

// Plan implements [Resource].
func (p Package) Plan(o *Observation) ([]Op, error) {
	if p.wanted().instead(o) {
		return nil, nil
	}
	st := o.Package(p.Name)
	half := !st.Installed && len(st.Status) > 1 && st.Status[1] != 'n' && st.Status[1] != 'c'
	sim := aptSimulationOf(o)
	if p.Absent {
		ops, err := p.remove(st, half)
		for i := range ops {
			ops[i].Batch = sim.batch(o)
		}
		return ops, err
	}
	change := Op{Action: lab.Create, Cause: "not installed", Item: p.wanted().word()}
	switch {
	case st.Installed && (p.Version == "" || p.Version == st.Version):
		return p.mark(st, sim.auto[o.fullName(p.Name)]), nil
	case st.Installed && st.Held && !p.Hold:
		return nil, &lab.Error{Op: "change version",
			Hint: "set hold: true to hold it at the new version, or unhold it by hand: apt-mark unhold " + p.Name,
			Err:  fmt.Errorf("%w: it is held at version %s", lab.ErrRefused, st.Version)}
	case st.Installed:
		change.Action, change.Risk = lab.Update, lab.RiskRestart
		change.Cause = fmt.Sprintf("version is %s, not %s", st.Version, p.Version)
		if sim.downgrade[o.shortName(p.Name)] {
			change.Risk = lab.RiskDisrupt
		}
	case half:
		change.Action, change.Cause = lab.Update, "is half installed: "+st.Status
	}
	if err := sim.cannotInstall(p.Name, o); err != nil {
		return nil, err
	}
	change.Batch = sim.batch(o)
	ops := []Op{change}
	if p.Hold {
		ops = append(ops, p.hold())
	}
	return ops, nil
}

// remove returns the op that removes the package, if it is installed or half installed.
func (p Package) remove(st PackageState, half bool) ([]Op, error) {
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
	return []Op{{Action: lab.Delete, Cause: cause, Risk: lab.RiskDisrupt, Item: p.wanted().word()}}, nil
}

// mark returns the ops that an installed package of the wanted version needs.
func (p Package) mark(st PackageState, auto bool) (ops []Op) {
	if auto {
		ops = append(ops, Op{Name: "manual", Action: lab.Update,
			Cause: "was installed as a dependency, so that autoremove could remove it",
			Batch: "apt-mark manual --", Item: p.Name})
	}
	if p.Hold && !st.Held {
		ops = append(ops, p.hold())
	}
	return ops
}

func (p Package) hold() Op {
	return Op{Name: "hold", Action: lab.Update, Cause: "not held", Script: "apt-mark hold -- " + ssh.Quote(p.Name)}
}
