package host

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// aptSideEffects are the changes that apt-get makes to other packages when it brings the packages of the
// state to their wanted state. Packages imply it. Its ops come with those of the packages, in one run of
// apt-get.
type aptSideEffects struct{ packages []wantedPackage }

// wantedPackage is what a state wants of a package.
type wantedPackage struct {
	name, version string // an empty version means any
	absent, held  bool
	or            []string // packages that do as well
	resource      Resource
}

// word returns what is wanted as sh/apt-words.sh reads it.
func (w wantedPackage) word() string {
	switch {
	case w.absent:
		return "!" + w.name
	case w.version != "":
		return w.name + "=" + w.version
	}
	return w.name
}

func (aptSideEffects) ID() string { return aptProbe }

func (aptSideEffects) Validate() lab.Problems { return nil }

// Merge implements [Merger].
func (s aptSideEffects) Merge(other Resource) (Resource, bool) {
	o, ok := other.(aptSideEffects)
	s.packages = append(slices.Clone(s.packages), o.packages...)
	return s, ok
}

func (s aptSideEffects) Relations() Relations { return Relations{Needs: s.needs()} }

// needs returns the tokens that it needs: the packages come first, so that what was not done with them is seen.
func (s aptSideEffects) needs() (tokens []string) {
	for _, p := range s.packages {
		tokens = append(tokens, "package:"+p.name)
	}
	return tokens
}

// Observe implements [Resource].
func (s aptSideEffects) Observe(q *Query) {
	wanted, auto := "", ""
	for _, p := range s.packages {
		wanted += " " + strings.Join(append([]string{p.word()}, p.or...), "|")
		if !p.absent {
			name, _, _ := strings.Cut(p.name, ":")
			auto += " -e " + ssh.Quote("Package: "+name)
		}
	}
	q.Probe(aptProbe, shell("apt-words", "wanted", wanted, "auto", auto, "options", aptOptions)+shell("apt-simulate"))
}

// Plan implements [Resource].
func (s aptSideEffects) Plan(o *Observation) ([]Op, error) {
	sim := aptSimulationOf(o)
	if !sim.ran || o.final {
		return nil, nil
	}
	wanted, changed := map[string]wantedPackage{}, map[string]bool{}
	var causes []string
	for _, p := range s.packages {
		if p.instead(o) {
			continue
		}
		name := o.shortName(p.name)
		wanted[name] = p
		ops, err := p.resource.Plan(o) // the package itself reports the error
		if changed[name] = err != nil || slices.ContainsFunc(ops, func(op Op) bool { return op.Name == "" }); changed[name] {
			causes = append(causes, name)
		}
	}
	if err := sim.refusal(wanted, o); err != nil {
		return nil, err
	}
	var ops []Op
	for _, a := range sim.actions {
		if !changed[a.name] {
			op := a.op(sim.downgrade[a.name], sim.exact(o))
			op.Cause += ", for " + strings.Join(causes, ", ")
			op.Batch = sim.batch(o)
			ops = append(ops, op)
		}
	}
	return ops, nil
}

// op returns the op of an action on a package that is not wanted by itself. If exact is set, the version
// will be that of the action.
func (a aptAction) op(downgrade, exact bool) Op {
	op := Op{Name: a.name, Item: "+" + a.name}
	if exact {
		op.Item += "=" + a.to
	}
	switch {
	case a.to == "-":
		op.Action, op.Cause, op.Risk, op.Item = lab.Delete, "apt removes version "+a.from, lab.RiskDisrupt, "+!"+a.name
	case a.from == "-":
		op.Action, op.Cause = lab.Create, "apt installs version "+a.to
	case a.from == a.to:
		op.Action, op.Cause, op.Risk = lab.Update, "apt unpacks version "+a.to+" again, which is half installed", lab.RiskRestart
	case downgrade:
		op.Action, op.Cause, op.Risk = lab.Update, "apt downgrades version "+a.from+" to "+a.to, lab.RiskDisrupt
	default:
		op.Action, op.Cause, op.Risk = lab.Update, "apt replaces version "+a.from+" by "+a.to, lab.RiskRestart
	}
	return op
}

// refusal returns why the changes of the simulation must not, or cannot, be made.
func (s aptSimulation) refusal(wanted map[string]wantedPackage, o *Observation) error {
	for _, a := range s.actions {
		p, ok := wanted[a.name]
		would := ""
		switch {
		case !ok:
		case p.absent != (a.to == "-"):
			would = map[bool]string{true: "install", false: "remove"}[p.absent]
		case p.version != "" && p.version != a.to:
			would = "install version " + a.to + " of"
		}
		if would != "" {
			return &lab.Error{Op: "install packages", Hint: "remove one of the packages that conflict from the state",
				Err: fmt.Errorf("%w: apt would %s %s, against the state, for its other packages",
					lab.ErrConflict, would, a.name)}
		}
	}
	for _, name := range s.held {
		if p, ok := wanted[name]; !ok || !p.held {
			return &lab.Error{Op: "install packages", Hint: "unhold it by hand: apt-mark unhold " + name,
				Err: fmt.Errorf("%w: apt would change %s, which is held", lab.ErrRefused, name)}
		}
	}
	if len(s.essential) > 0 {
		return &lab.Error{Op: "remove packages", Hint: "no machine works without it: remove what asks for it from the state",
			Err: fmt.Errorf("%w: apt would remove %s, which is essential", lab.ErrRefused, s.essential[0])}
	}
	if !s.failed || aptStale(o) != "" {
		return nil
	}
	problems := slices.DeleteFunc(slices.Clone(s.problems), func(problem string) bool {
		for name := range wanted {
			if aboutPackage(problem, name) {
				return true // the package reports it
			}
		}
		return false
	})
	if len(problems) == 0 {
		return nil
	}
	return &lab.Error{Op: "install packages", Hint: "see what apt-get says: apt-get -s install NAME",
		Err: fmt.Errorf("%w: apt cannot do it: %s", lab.ErrConflict, strings.Join(problems, "; "))}
}
