package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Collection is the objects of one kind on a server: those that are wanted, and how they are listed,
// compared and changed. W is an object as it is wanted, H one as the server has it. The key of an object
// is its name among those of its kind; the ID of a change is the name of the plan, a slash and the object:
// "vault/policy:erp".
type Collection[W, H any] struct {
	Name string       // of the kind: "policy"
	Want map[string]W // by key; empty: none is wanted

	// List returns all that the server has, all pages, by key. It is called once when planning and once
	// when the plan is applied. Where a server has more objects than it lists in full, List may return
	// only those that are wanted or owned. An error leaves the kind out of the plan, and with it
	// everything that comes after an object of it, and stops all removals.
	List func(context.Context) (map[string]H, error)

	// Diff compares, and does nothing else. A nil H means that the server has no such object. The zero
	// Delta means that there is nothing to do.
	Diff func(key string, w W, h *H) Delta

	// Put makes the object as it is wanted. h is what was listed just before, nil if the object was not
	// there. A run that lost the answer may have made it already: Put adopts what it finds, and makes no
	// second one. Its error is a [lab.ErrUnreachable] where it is not known whether the change was made.
	Put func(ctx context.Context, key string, w W, h *H) error

	// After returns the objects that an object needs, each as kind:key, as "mount:postgres". One that is not
	// wanted, or that is as it is wanted, is no change to wait for. Nil: none needs any.
	After func(key string, w W) []string

	// Owned reports whether an object that is not wanted is ours, to be removed. What is protected is
	// not. Nil: nothing of this kind is ever removed.
	Owned func(key string, h H) bool

	// Delete removes an object. One that is gone already is no error. It must be set if Owned is.
	Delete func(ctx context.Context, key string, h H) error

	// Loss is the risk of a removal.
	Loss lab.Risk

	// Group returns the group that an object belongs to, for servers that change several at once; "" means none. What
	// is to be changed and ready in one group is given to Batch together, instead of to Put and Delete one by
	// one: what is wanted first, and at the end what is removed. Nil: there are no groups.
	Group func(key string) string

	// Batch changes objects of one group, all or none of them. Its error is that of each of them. It must be set if Group is.
	Batch func(ctx context.Context, group string, items []Item[W, H]) error

	// Most is how many objects a batch has at most; 0 means any number.
	Most int
}

// Item is an object of a batch.
type Item[W, H any] struct {
	Key  string
	Want *W // nil: it is removed
	Has  *H // what was listed just before; nil: it was not there
}

// Delta is what is to be done with one object.
type Delta struct {
	Action lab.Action // empty: nothing
	Cause  string     // why: "not found", "policies differ"
	Diff   string     // unified, without secrets; empty if there is nothing to show
	Risk   lab.Risk

	// Err says why the object cannot become what is wanted: it is reported beside the plan, the object is
	// left as it is, and so is everything that needs it.
	Err error
}

// Kind is a [Collection] of any type.
type Kind interface {
	name() string
	keys() []string
	look(ctx context.Context) (found, error)
}

// found is what a look at a collection has found.
type found struct {
	puts    []object
	removed []object // in no order
	errs    map[string]error
	owned   int // how many objects are ours, wanted or not
}

// object is one that is to be changed.
type object struct {
	kind, key string
	after     []string // objects
	delta     Delta
	make      func(context.Context) error
	group     string // see [Op]
	item      any
	most      int
	batch     func(ctx context.Context, items []any) error
}

func ref(kind, key string) string { return kind + ":" + key }

func (c Collection[W, H]) name() string { return c.Name }

func (c Collection[W, H]) keys() []string { return slices.Sorted(maps.Keys(c.Want)) }

func (c Collection[W, H]) look(ctx context.Context) (found, error) {
	has, err := c.List(ctx)
	if err != nil {
		return found{}, err
	}
	f := found{errs: map[string]error{}, owned: len(c.Want)}
	for _, key := range c.keys() {
		w := c.Want[key]
		var h *H
		if listed, ok := has[key]; ok {
			h = &listed
		}
		o := object{kind: c.Name, key: key, delta: c.Diff(key, w, h)}
		if c.After != nil {
			o.after = c.After(key, w)
		}
		if o.delta.Err != nil {
			f.errs[ref(c.Name, key)] = o.delta.Err
			continue
		}
		if o.delta.Action != "" {
			o.make = func(ctx context.Context) error { return c.Put(ctx, key, w, h) }
			c.together(&o, Item[W, H]{key, &w, h})
			f.puts = append(f.puts, o)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(has)) {
		h := has[key]
		if _, wanted := c.Want[key]; wanted || c.Owned == nil || !c.Owned(key, h) {
			continue
		}
		f.owned++
		o := object{kind: c.Name, key: key,
			delta: Delta{Action: lab.Delete, Cause: "ours, and no longer wanted", Risk: c.Loss},
			make:  func(ctx context.Context) error { return c.Delete(ctx, key, h) }}
		c.together(&o, Item[W, H]{key, nil, &h})
		f.removed = append(f.removed, o)
	}
	return f, nil
}

// together lets an object be changed with the others of its group, if it has one.
func (c Collection[W, H]) together(o *object, item Item[W, H]) {
	if c.Group == nil {
		return
	}
	group := c.Group(o.key)
	if group == "" {
		return
	}
	o.group, o.item, o.most = ref(c.Name, group), item, c.Most
	o.batch = func(ctx context.Context, items []any) error {
		all := make([]Item[W, H], len(items))
		for n, i := range items {
			all[n] = i.(Item[W, H])
		}
		return c.Batch(ctx, group, all)
	}
}

// op returns the op of an object that is to be changed.
func (o object) op(plan string, planned map[string]bool) Op[struct{}] {
	c := lab.Change{ID: plan + "/" + ref(o.kind, o.key), Action: o.delta.Action, Cause: o.delta.Cause,
		Diff: o.delta.Diff, Risk: o.delta.Risk}
	for _, need := range o.after {
		if id := plan + "/" + need; planned[id] && !slices.Contains(c.After, id) {
			c.After = append(c.After, id)
		}
	}
	return Op[struct{}]{Change: c, Make: func(ctx context.Context, _ struct{}) error { return o.make(ctx) },
		group: o.group, item: o.item, most: o.most, batch: o.batch}
}

// brake refuses to remove more than allowed of what is owned, of which 0 means 5, or 3 of 10 if those
// are more.
func brake(plan string, removed []object, owned, allowed int) error {
	if allowed == 0 {
		allowed = max(5, owned*3/10)
	}
	if len(removed) <= allowed {
		return nil
	}
	return &lab.Error{Op: "plan removals", Target: plan, Set: lab.Setting{Name: SettingMaxDeletes, Value: fmt.Sprint(len(removed))},
		Hint: "see whether something is missing in what is wanted; if all of them shall be removed, allow as many",
		Err: fmt.Errorf("%w: %d of %d objects are to be removed, and %d may be, %s first", lab.ErrRefused, len(removed), owned,
			allowed, ref(removed[0].kind, removed[0].key))}
}
