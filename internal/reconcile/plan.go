package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/dag"
)

// SettingMaxDeletes is the setting of how many objects a plan may remove.
const SettingMaxDeletes = "maxDeletes"

// Options are how a plan of collections is made and applied.
type Options struct {
	Name string // of the plan's only step, with which the IDs of its changes begin: "vault"

	// Parallel is how many lists, and how many changes, are made at once; 0 means 8.
	Parallel int

	// Prune removes what is ours and not wanted any more.
	Prune bool

	// MaxDeletes is how many objects a plan may remove; 0 means 5, or 3 of 10 of those that are ours if
	// those are more. A plan with more is an error that wraps [lab.ErrRefused].
	MaxDeletes int

	// Before is called when the plan is applied, before anything is read: it proves that the server is
	// the one that was planned for, or takes a lock. What it returns is called in the end, whatever
	// happened, with a context that has not ended. Nil: nothing is done.
	Before func(context.Context) (after func(context.Context) error, err error)
}

func (o Options) parallel() int {
	if o.Parallel <= 0 {
		return 8
	}
	return o.Parallel
}

// Plan reads each collection once and returns the plan that makes their objects what is wanted, with one
// step, in the order of what they need. What is removed is removed after everything else, and only if all of
// that was made; of the collections, those that are named last are removed first.
//
// Where an object cannot become what is wanted, or a collection cannot be listed, the plan for the others is
// returned beside the error. Applying the plan reads each collection again, makes what is both
// planned and still to be done, and notes what has become necessary meanwhile.
func Plan(ctx context.Context, o Options, kinds ...Kind) (*lab.Plan, error) {
	found, err := compare(ctx, o, kinds)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if len(found.ops) == 0 {
		p, bug := lab.NewPlan()
		return p, errors.Join(err, bug)
	}
	planned := Changes(found.ops)
	p, bug := lab.NewPlan(lab.Step{Name: o.Name, Changes: planned,
		Run: func(ctx context.Context, r *lab.Recorder) error { return apply(ctx, o, kinds, r, planned) }})
	return p, errors.Join(err, bug)
}

func apply(ctx context.Context, o Options, kinds []Kind, r *lab.Recorder, planned []lab.Change) (err error) {
	if o.Before != nil {
		after, err := o.Before(ctx)
		if err != nil {
			return err
		}
		if after != nil {
			defer func() { err = errors.Join(err, after(context.WithoutCancel(ctx))) }()
		}
	}
	now, err := compare(ctx, o, kinds)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var known []lab.Change
	for _, c := range planned { // puts, then removals
		if reason, unknown := now.unknown(c); unknown {
			r.Skip(c.ID, reason)
			now.noPrune = cmp.Or(now.noPrune, notAll)
		} else {
			known = append(known, c)
		}
	}
	if now.noPrune != "" {
		now.ops = slices.DeleteFunc(now.ops, func(op Op[struct{}]) bool { return op.Action == lab.Delete })
	}
	return errors.Join(err, runAll(ctx, r, Match(r, known, now.ops), o.parallel()))
}

// comparison is what was found to be done.
type comparison struct {
	ops     []Op[struct{}]
	blocked map[string]string // why nothing is done about an object, by the ID of its change
	noPrune string            // why nothing is removed; empty: what is to be removed is
}

// notAll is why nothing is removed when something else was not made.
const notAll = "not everything else was done"

// unknown reports whether nothing can be said of a planned change, and why.
func (c *comparison) unknown(planned lab.Change) (reason string, unknown bool) {
	if planned.Action == lab.Delete {
		return c.noPrune, c.noPrune != ""
	}
	reason, unknown = c.blocked[planned.ID]
	return reason, unknown
}

// compare reads every collection and compares it with what is wanted. There is a comparison beside an error.
func compare(ctx context.Context, o Options, kinds []Kind) (*comparison, error) {
	looks := make([]found, len(kinds))
	errs := make([]error, len(kinds))
	slots := make(chan struct{}, o.parallel())
	var all sync.WaitGroup
	for n, k := range kinds {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			looks[n], errs[n] = k.look(ctx)
		})
	}
	all.Wait()
	c := &comparison{blocked: map[string]string{}}
	var puts []object
	for n, k := range kinds {
		if errs[n] != nil {
			c.noPrune = k.name() + " could not be listed"
			for _, key := range k.keys() {
				c.blocked[o.Name+"/"+ref(k.name(), key)] = c.noPrune
			}
		}
		for _, name := range slices.Sorted(maps.Keys(looks[n].errs)) {
			errs = append(errs, looks[n].errs[name])
			c.blocked[o.Name+"/"+name] = looks[n].errs[name].Error()
		}
		puts = append(puts, looks[n].puts...)
	}
	puts, err := ordered(puts)
	if err != nil {
		return c, err
	}
	planned := map[string]bool{}
	for _, p := range puts {
		id := o.Name + "/" + ref(p.kind, p.key)
		if n := slices.IndexFunc(p.after, func(need string) bool { return c.blocked[o.Name+"/"+need] != "" }); n >= 0 {
			c.blocked[id] = p.after[n] + " is not as it is wanted"
			continue
		}
		planned[id] = true
		c.ops = append(c.ops, p.op(o.Name, planned))
	}
	return c, errors.Join(append(errs, c.prune(o, looks))...)
}

// prune adds what is to be removed, that of the last collection first.
func (c *comparison) prune(o Options, looks []found) error {
	if !o.Prune || c.noPrune != "" {
		return nil
	}
	var removed []object
	owned := 0
	for _, f := range slices.Backward(looks) {
		removed = append(removed, f.removed...)
		owned += f.owned
	}
	if err := brake(o.Name, removed, owned, o.MaxDeletes); err != nil {
		c.noPrune = "more is to be removed than may be"
		return err
	}
	for _, r := range removed {
		c.ops = append(c.ops, r.op(o.Name, nil))
	}
	return nil
}

// ordered returns the objects so that each stands after those that it needs, and otherwise as they are.
func ordered(objects []object) ([]object, error) {
	index := map[string]int{}
	for n, o := range objects {
		name := ref(o.kind, o.key)
		if _, twice := index[name]; twice {
			return nil, &lab.Error{Op: "make plan", Path: name, Err: fmt.Errorf("%w: it is in two collections", lab.ErrConflict)}
		}
		index[name] = n
	}
	order, cycle := dag.Sort(len(objects), func(n int) (before []int) {
		for _, need := range objects[n].after {
			if m, ok := index[need]; ok {
				before = append(before, m)
			}
		}
		return before
	})
	if cycle != nil {
		o := objects[cycle[0]]
		return nil, &lab.Error{Op: "make plan", Path: ref(o.kind, o.key), Err: fmt.Errorf("%w: it needs itself, by way of others",
			lab.ErrInvalid)}
	}
	sorted := make([]object, len(order))
	for n, m := range order {
		sorted[n] = objects[m]
	}
	return sorted, nil
}

// IDs returns the IDs of all changes that a plan of this name may ever have to make what is wanted, each also without
// the name. Those of removals are not known before the server was read.
func IDs(name string, kinds ...Kind) (ids []string) {
	for _, k := range kinds {
		for _, key := range k.keys() {
			ids = append(ids, ref(k.name(), key), name+"/"+ref(k.name(), key))
		}
	}
	return ids
}
