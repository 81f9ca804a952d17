package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
)

// resolver finds out what a config means, and everything that is wrong with it, without reaching anything.
type resolver struct {
	*Lab
	problems lab.Problems
	shape    map[string]bool // places whose form is wrong: what follows from that is not reported
	seen     map[string]bool // what was reported, see report
	some     []*partial      // what is wrong on some machines, see onMachine
	machines map[string]int  // how many machines have what is asked for at a place
}

// partial is a problem, and the machines on which it is one.
type partial struct {
	lab.Problem
	machines []string
}

// report adds problems, each thing once, however many machines it holds for.
func (r *resolver) report(ps lab.Problems) {
	for _, p := range ps {
		if r.shape[p.Path] {
			continue
		}
		message := p.Message + " " + p.Text
		if strings.HasPrefix(p.Message, sameAs) {
			message = sameAs
		}
		if key := p.Path + " " + message; !r.seen[key] {
			r.seen[key] = true
			r.problems = append(r.problems, p)
		}
	}
}

// collect takes in an error of what is at a place in the config.
func (r *resolver) collect(place string, err error) {
	var more lab.Problems
	if errors.As(err, &more) {
		r.report(more.Under(place))
	} else if err != nil {
		r.report(problemsAt(place, err))
	}
}

// secrets validates that what makes secrets has a place for them.
func (r *resolver) secrets() {
	if r.Stacks != nil {
		return
	}
	report := func(place string) {
		r.report(lab.Problems{{Path: place, Message: "makes secrets, which need a place",
			Hint: "write stacks: {secrets: ~/.arcodange/stacks}"}})
	}
	if r.DNS != nil {
		report("dns")
	}
	if r.StepCA != nil {
		report("stepca")
	}
}

func problemsOf(err error) (ps lab.Problems) {
	if err != nil && !errors.As(err, &ps) {
		ps.Add("", "%v", err)
	}
	return ps
}

// resolve validates what the config means, and fills in what follows from it. shape is what is known to be
// wrong with its form: what follows from that is not reported.
func (l *Lab) resolve(shape error) error {
	r := &resolver{Lab: l, shape: map[string]bool{}, seen: map[string]bool{}, machines: map[string]int{}}
	for _, p := range problemsOf(shape) {
		r.shape[p.Path] = strings.HasPrefix(p.Message, "expected ")
	}
	if l.Environment == "" {
		l.Environment = sandboxName
	}
	r.environment()
	r.hosts(problemsOf(shape))
	r.apps()
	if known := problemsOf(shape); !slices.ContainsFunc(known, func(p lab.Problem) bool {
		return p.Path == "boundary" || strings.HasPrefix(p.Path, "boundary.")
	}) {
		r.boundary()
	}
	r.sources()
	r.secrets()
	ctx, from := context.Background(), l.dummies()
	stages := l.outline()
	for _, st := range stages {
		if st.problems != nil {
			r.report(st.problems())
		}
	}
	wrong := map[string]bool{} // components that are wrong in themselves, by their places
	if l.Stacks != nil {
		ps := l.stacksTogether().Under("stacks")
		for _, p := range ps {
			wrong[strings.TrimSuffix(p.Path, filepath.Ext(p.Path))] = true
		}
		r.report(ps)
	}
	for _, st := range stages {
		for _, c := range st.components {
			r.on(c)
			if ps := r.valid(c); len(ps) > 0 {
				wrong[c.place] = true
				r.report(ps)
			}
		}
	}
	for _, h := range l.Hosts {
		r.machine(ctx, h, stages, wrong, from)
	}
	for _, p := range r.some {
		if len(p.machines) < r.machines[p.Path] || len(p.machines) < r.machines[strings.TrimSuffix(p.Path, filepath.Ext(p.Path))] {
			p.Message += " on " + strings.Join(p.machines, ", ")
		}
		r.report(lab.Problems{p.Problem})
	}
	return r.problems.Err()
}

// valid returns what is wrong with a component by itself, at places in the document.
func (r *resolver) valid(c component) (out lab.Problems) {
	for _, p := range c.validate() {
		if p.Path != c.place && !strings.HasPrefix(p.Path, c.place+".") { // those of placements have places already
			p = lab.Problems{p}.Under(c.place)[0]
		}
		out = append(out, p)
	}
	return out
}

// environmentName is what an environment may be called: it is a line of a file, and a flag.
var environmentName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

func (r *resolver) environment() {
	if !environmentName.MatchString(r.Environment) {
		r.report(lab.Problems{{Path: "environment", Text: r.Environment,
			Message: "is not a name: 1 to 63 letters, digits, . _ and -, a letter or a digit first"}})
	}
}

// hosts makes the inventory. One that is wrong has what is right, to validate the rest by.
func (r *resolver) hosts(shape lab.Problems) {
	var known lab.Problems // about the inventory, with the paths that it gives them
	for _, p := range shape {
		if rest, ok := strings.CutPrefix(p.Path, "inventory"); ok && p.Message != "a duplicate key" {
			p.Path = strings.TrimPrefix(rest, ".")
			known = append(known, p)
		}
	}
	inv, err := inventory.New(r.Inventory)
	r.collect("inventory", err)
	if known = append(known, problemsOf(err)...); len(known) > 0 {
		inv = inventory.Partial(r.Inventory, known)
	}
	if r.inventory = inv; inv == nil {
		return
	}
	for _, h := range inv.Hosts() {
		if !h.Local {
			r.Hosts = append(r.Hosts, h)
		}
	}
}

func (r *resolver) apps() {
	before := len(r.problems)
	for i, a := range r.Apps {
		envs := a.Envs
		if len(envs) == 0 {
			envs = []string{lab.Prod}
		}
		for _, e := range envs {
			inst := lab.App(a.Name).In(e)
			r.collect(fmt.Sprintf("apps[%d]", i), nameOf(lab.ValidateInstances([]lab.Instance{inst})))
			r.Instances, r.apped = append(r.Instances, inst), append(r.apped, fmt.Sprintf("apps[%d]", i))
		}
	}
	if len(r.problems) == before {
		r.report(r.ofApps(problemsOf(lab.ValidateInstances(r.Instances))))
	}
}

// ofApps returns problems whose paths begin with the index of an instance, with the app instead.
func (l *Lab) ofApps(ps lab.Problems) (out lab.Problems) {
	for _, p := range ps {
		if n, _, ok := indexOf(resourceIndex, p.Path); ok && n < len(l.apped) {
			p.Path = l.apped[n]
		}
		out = append(out, p)
	}
	return out
}

// nameOf drops the index that a list of one gives its problems, and calls the app by the key that
// holds it.
func nameOf(err error) error {
	var ps lab.Problems
	if !errors.As(err, &ps) {
		return err
	}
	out := slices.Clone(ps)
	for i, p := range out {
		out[i].Path = map[string]string{"[0].app": "name", "[0].env": "envs"}[p.Path]
	}
	return out
}

// sources resolves the names of local files, which are relative to the config.
func (r *resolver) sources() {
	for _, p := range r.Resources {
		for j, res := range p.State {
			if named, ok := res.(host.Relative); ok {
				p.State[j] = named.From(string(r.dir))
			}
		}
	}
}

// on validates the pattern of a component, as far as it is known what it selects.
func (r *resolver) on(c component) {
	if c.everywhere || r.inventory == nil {
		return
	}
	place := c.place + ".on"
	hosts, err := r.inventory.Select(c.on)
	if errors.Is(err, lab.ErrNotFound) {
		err = lab.Problems{{Text: c.on, Message: "selects no machine"}}
	}
	r.collect(place, err)
	if err != nil || !r.inventory.Sure(c.on) {
		return
	}
	names := func(hosts []*inventory.Host) string {
		var names []string
		for _, h := range hosts {
			names = append(names, h.Name)
		}
		return strings.Join(names, ", ")
	}
	switch reached := r.Lab.hosts(c); {
	case len(reached) == 0:
		r.report(lab.Problems{{Path: place, Text: c.on, Message: "selects no machine that is reached over SSH",
			Hint: "it selects " + names(hosts)}})
	case c.one && len(reached) > 1:
		r.report(lab.Problems{{Path: place, Text: c.on, Hint: "name one: " + names(reached),
			Message: fmt.Sprintf("selects %d machines where one is needed", len(reached))}})
	}
}

// machine validates what a machine would be in all stages: what the components do not know of each other.
func (r *resolver) machine(ctx context.Context, h *inventory.Host, stages []stage, wrong map[string]bool, from sources) {
	wrong = maps.Clone(wrong)
	for _, p := range r.Lab.machine(h).Validate() {
		if p.Path != "domain" {
			p.Path = "inventory.hosts." + h.Name
		}
		r.report(lab.Problems{p})
		wrong["system"] = true // whose words these would be
	}
	var before pieces // of the stages before
	for _, st := range stages {
		all, whole := r.stage(ctx, st, h, wrong, from)
		r.state(h, all, all.state().Validate(), wrong, whole)
		r.report(all.placed(all.state().CheckSources()))
		both := append(slices.Clone(before), all.notIn(before)...)
		r.state(h, both, both.contested().Err(), wrong, whole)
		before = both
	}
}

// stage returns what a machine has of a stage, and whether that is all: what is wrong keeps some from being
// built.
func (r *resolver) stage(
	ctx context.Context, st stage, h *inventory.Host, wrong map[string]bool, from sources,
) (all pieces, whole bool) {
	whole = true
	for _, c := range st.components {
		some, err := r.all(ctx, []component{c}, h, from)
		if err != nil {
			whole = false
			if !wrong[c.place] {
				r.report(problemsAt(c.place, err))
			}
		}
		places := map[string]bool{}
		for _, p := range some {
			if !places[p.place] {
				places[p.place] = true
				r.machines[p.place]++
			}
			if !slices.ContainsFunc(all, p.same) {
				all = append(all, p)
			}
		}
	}
	return all, whole
}

// state takes in what is wrong with a state of a machine, but for what a component that is wrong in itself
// has reported in its own words, and for IDs that are unknown in a state that is not whole.
func (r *resolver) state(h *inventory.Host, all pieces, err error, wrong map[string]bool, whole bool) {
	for _, p := range problemsOf(err) {
		n, rest, ok := indexOf(resourceIndex, p.Path)
		if ok && rest == ".after" && !whole {
			continue
		}
		if ok && n < len(all) && wrong[all[n].place] {
			other, _, same := indexOf(sameIndex, p.Message)
			if same && other < len(all) && all[other].place == all[n].place || all.own(n, p) {
				continue
			}
		}
		r.onMachine(h, all.placed(lab.Problems{p})[0])
	}
}

// onMachine takes in a problem of a machine: one that others do not have is reported with their names.
func (r *resolver) onMachine(h *inventory.Host, p lab.Problem) {
	for _, o := range r.some {
		if o.Problem == p || o.Path == p.Path && strings.HasPrefix(o.Message, sameAs) && strings.HasPrefix(p.Message, sameAs) {
			if !slices.Contains(o.machines, h.Name) {
				o.machines = append(o.machines, h.Name)
			}
			return
		}
	}
	if !r.seen[p.Path+" "+p.Message+" "+p.Text] {
		r.some = append(r.some, &partial{p, []string{h.Name}})
	}
}

// own reports whether a problem is one of the resource at the index by itself.
func (ps pieces) own(n int, p lab.Problem) bool {
	for _, o := range problemsOf(host.State{ps[n].Resource}.Validate()) {
		if o.Message == p.Message && o.Text == p.Text {
			return true
		}
	}
	return false
}

// notIn returns the pieces without the resources that the others have just so.
func (ps pieces) notIn(others pieces) (out pieces) {
	for _, p := range ps {
		if !slices.ContainsFunc(others, func(o piece) bool { return reflect.DeepEqual(o.Resource, p.Resource) }) {
			out = append(out, p)
		}
	}
	return out
}

// contested returns what resources of different stages would change back and forth at every run: paths that
// two of them claim, and what is made of files and is there twice. That two stages want the same package or
// unit is none of that.
func (ps pieces) contested() (out lab.Problems) {
	for _, p := range ps.state().Conflicts() {
		if n, _, ok := indexOf(resourceIndex, p.Path); ok && strings.HasPrefix(p.Message, sameAs) && !claims(ps[n].Resource) {
			continue
		}
		out = append(out, p)
	}
	return out
}

// claims reports whether a resource determines everything about a path, or is made of some that may.
func claims(r host.Resource) bool {
	if _, set := r.(host.Set); set {
		return true
	}
	related, ok := r.(host.Related)
	return ok && slices.ContainsFunc(related.Relations().Claims, func(c host.Claim) bool { return !c.Part })
}

// problemsAt returns an error as problems, those that have no place of their own at this one.
func problemsAt(place string, err error) lab.Problems {
	var ps lab.Problems
	if errors.As(err, &ps) {
		return ps
	}
	ps.AddError(place, err)
	return ps
}
