package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
)

// resolver finds out what a config means, and everything that is wrong with it.
type resolver struct {
	*Lab
	names    *inventory.Inventory // to check patterns by; nil when it cannot be had
	problems lab.Problems
}

// collect takes in an error of what is at a place in the config.
func (r *resolver) collect(place string, err error) {
	var more lab.Problems
	if errors.As(err, &more) {
		r.problems = append(r.problems, more.Under(place)...)
	} else if err != nil {
		r.problems.Add(place, "%v", err)
	}
}

// resolve validates what the config means, and fills in what follows from it.
func (l *Lab) resolve() error {
	r := &resolver{Lab: l}
	if l.Environment == "" {
		l.Environment = sandboxName
	}
	r.hosts()
	r.apps()
	r.placements()
	r.databases()
	r.stacks()
	r.collect("system", l.System.Validate().Err())
	r.problems = append(r.problems, l.validateMachines(r.problems)...)
	return r.problems.Err()
}

func (r *resolver) hosts() {
	var err error
	r.inventory, err = inventory.New(r.Inventory)
	r.collect("inventory", err)
	if r.names = r.inventory; r.names == nil {
		r.names = namesOnly(r.Inventory)
		return
	}
	for _, h := range r.inventory.Hosts() {
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
			r.Instances = append(r.Instances, inst)
		}
	}
	if len(r.problems) == before {
		r.collect("apps", lab.ValidateInstances(r.Instances))
	}
}

func (r *resolver) placements() {
	for i, p := range r.Resources {
		path := fmt.Sprintf("resources[%d]", i)
		r.collect(path+".state", p.State.Validate())
		r.placed = append(r.placed, r.selected(path+".on", p.On))
		for j, res := range p.State {
			if f, ok := res.(host.File); ok && f.Source != "" && !filepath.IsAbs(f.Source) {
				f.Source = filepath.Join(string(r.dir), f.Source)
				r.Resources[i].State[j] = f
			}
		}
	}
}

// selected returns the names of the hosts that a pattern selects.
func (r *resolver) selected(place, pattern string) (names []string) {
	if r.names == nil {
		return nil
	}
	hosts, err := r.names.Select(pattern)
	r.collect(place, err)
	for _, h := range hosts {
		names = append(names, h.Name)
	}
	return names
}

func (r *resolver) databases() {
	p := r.Postgres
	if p == nil || r.Stacks != nil && r.Stacks.Postgres != nil {
		return
	}
	for _, f := range []struct {
		name string
		ref  lab.SecretRef
	}{{"password", p.Password}, {"editorPassword", p.EditorPassword}, {"poolerPassword", p.PoolerPassword}} {
		if f.ref.IsZero() {
			r.problems = append(r.problems, lab.Problem{Path: "postgres." + f.name, Message: "is missing",
				Hint: `a reference such as "file:~/.arcodange/postgres"; without one, the stacks must have a postgres`})
		}
	}
}

func (r *resolver) stacks() {
	c := r.Stacks
	if c == nil {
		return
	}
	if c.Postgres != nil {
		r.selected("stacks.postgres.on", c.Postgres.On)
	}
	if c.Gitea != nil {
		r.selected("stacks.gitea.on", c.Gitea.On)
	}
	if c.Runner != nil {
		r.selected("stacks.runner.on", c.Runner.On)
	}
	r.collect("stacks", c.validate().Err())
}

// namesOnly returns an inventory in which every name is known and every group has hosts, to check
// patterns by when the real one is wrong. It is nil when not even that can be had.
func namesOnly(spec inventory.Spec) *inventory.Inventory {
	var s inventory.Spec
	seen := map[string]bool{}
	var all []string
	for _, h := range spec.Hosts {
		if !seen[h.Name] {
			seen[h.Name] = true
			s.Hosts = append(s.Hosts, inventory.HostSpec{Name: h.Name})
			all = append(all, h.Name)
		}
	}
	for _, g := range spec.Groups {
		if !seen[g.Name] {
			seen[g.Name] = true
			s.Groups = append(s.Groups, inventory.GroupSpec{Name: g.Name, Hosts: all})
		}
	}
	inv, err := inventory.New(s)
	if err != nil {
		return nil
	}
	return inv
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
