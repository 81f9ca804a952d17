package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// cupboard is a server with two kinds of objects: hooks, and coats, each of which hangs on a hook. The value
// of an object is a word; "theirs" is not ours.
type cupboard struct {
	mu           sync.Mutex
	hooks, coats map[string]string
	fails        map[string]error // by operation: "list hook", "put coat:a"
	did          []string
}

func (c *cupboard) do(what string, f func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.did = append(c.did, what)
	if err := c.fails[what]; err != nil {
		return err
	}
	f()
	return nil
}

func (c *cupboard) kind(name string, has map[string]string, want []string) reconcile.Collection[string, string] {
	k := reconcile.Collection[string, string]{
		Name: name, Want: map[string]string{},
		List: func(context.Context) (listed map[string]string, err error) {
			err = c.do("list "+name, func() { listed = maps.Clone(has) })
			return listed, err
		},
		Diff: func(_, w string, h *string) reconcile.Delta {
			switch {
			case h == nil:
				return reconcile.Delta{Action: lab.Create, Cause: "not found"}
			case *h == "theirs":
				return reconcile.Delta{Err: fmt.Errorf("%w: it is theirs", lab.ErrConflict)}
			case *h != w:
				return reconcile.Delta{Action: lab.Update, Cause: "it differs", Diff: "-" + *h + "\n+" + w + "\n"}
			}
			return reconcile.Delta{}
		},
		Put: func(_ context.Context, key, w string, _ *string) error {
			return c.do("put "+name+":"+key, func() { has[key] = w })
		},
		Owned: func(_, h string) bool { return h != "theirs" },
		Delete: func(_ context.Context, key, _ string) error {
			return c.do("delete "+name+":"+key, func() { delete(has, key) })
		},
		Loss: lab.RiskDisrupt,
	}
	for _, w := range want {
		key, value, _ := strings.Cut(w, "=")
		k.Want[key] = value
	}
	return k
}

// plan plans hooks and coats, each as key=value; the coat a hangs on the hook a.
func (c *cupboard) plan(t *testing.T, o reconcile.Options, hooks, coats string) (*lab.Plan, error) {
	t.Helper()
	hook := c.kind("hook", c.hooks, strings.Fields(hooks))
	coat := c.kind("coat", c.coats, strings.Fields(coats))
	coat.After = func(key, _ string) []string { return []string{"hook:" + key} }
	o.Name = "cupboard"
	return reconcile.Plan(t.Context(), o, coat, hook) // in the wrong order
}

func newCupboard(hooks, coats string) *cupboard {
	c := &cupboard{hooks: map[string]string{}, coats: map[string]string{}, fails: map[string]error{}}
	for _, all := range []struct {
		into map[string]string
		list string
	}{{c.hooks, hooks}, {c.coats, coats}} {
		for _, w := range strings.Fields(all.list) {
			key, value, _ := strings.Cut(w, "=")
			all.into[key] = value
		}
	}
	return c
}

func brief(p *lab.Plan) string {
	var all []string
	for _, c := range p.Changes() {
		all = append(all, c.Action.Sign()+strings.TrimPrefix(c.ID, "cupboard/"))
	}
	return strings.Join(all, " ")
}

func TestPlan(t *testing.T) {
	for _, test := range []struct {
		name         string
		has, hang    string // hooks and coats that there are
		hooks, coats string // and that are wanted
		prune        bool
		most         int
		fails        string // an operation
		plan, err    string
		after        string // IDs that the first change of a coat comes after

	}{
		{name: "nothing", plan: ""},
		{name: "what is needed comes first", hooks: "a=1", coats: "a=1 b=1", plan: "+hook:a +coat:a +coat:b",
			after: "cupboard/hook:a"},
		{name: "what is there is no change to wait for", has: "a=1", hooks: "a=1", coats: "a=1", plan: "+coat:a"},
		{name: "an update", has: "a=1", hooks: "a=2", plan: "~hook:a"},
		{name: "nothing is removed unasked", has: "a=1", plan: ""},
		{name: "the last collection is emptied first", has: "a=1 t=theirs", hang: "a=1", prune: true, plan: "-hook:a -coat:a"},
		{name: "a conflict blocks what needs it", has: "a=theirs", hooks: "a=1 b=1", coats: "a=1 b=1",
			plan: "+hook:b +coat:b", err: "conflict: it is theirs"},
		{name: "a list that fails", hooks: "a=1", coats: "a=1 b=1", hang: "x=1", prune: true, fails: "list hook",
			plan: "+coat:b", err: "list hook failed"},
		{name: "the brake", has: "a=1 b=1 c=1 d=1 e=1 f=1", prune: true, plan: "",
			err: "cupboard: plan removals: refused: 6 of 6 objects are to be removed, and 5 may be, hook:a first"},
		{name: "the brake lets through what is allowed", has: "a=1 b=1 c=1 d=1 e=1 f=1", prune: true, most: 6,
			plan: "-hook:a -hook:b -hook:c -hook:d -hook:e -hook:f"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCupboard(test.has, test.hang)
			if test.fails != "" {
				c.fails[test.fails] = errors.New(test.fails + " failed")
			}
			p, err := c.plan(t, reconcile.Options{Prune: test.prune, MaxDeletes: test.most, Parallel: 1}, test.hooks, test.coats)
			if got := brief(p); got != test.plan {
				t.Errorf("plan %q, want %q", got, test.plan)
			}
			if got := fmt.Sprint(err); err != nil && got != test.err || err == nil && test.err != "" {
				t.Errorf("error %q, want %q", got, test.err)
			}
			for _, ch := range p.Changes() {
				if strings.HasPrefix(ch.ID, "cupboard/coat") && test.after != "" {
					if got := strings.Join(ch.After, " "); got != test.after {
						t.Errorf("%s comes after %q, want %q", ch.ID, got, test.after)
					}
					break
				}
			}
			if got := strings.Join(c.did, ", "); got != "list coat, list hook" {
				t.Errorf("planning did %s", got)
			}
		})
	}
}

func TestApply(t *testing.T) {
	lost := fmt.Errorf("%w: the answer", lab.ErrUnreachable)
	for _, test := range []struct {
		name      string
		meanwhile func(*cupboard)
		did       string // after the lists
		results   string
		err       string
	}{
		{name: "all", did: "put hook:a, put coat:a, put hook:b, delete coat:old",
			results: "hook:a done, coat:a done, hook:b done, coat:old done"},
		{name: "some are done already", meanwhile: func(c *cupboard) { c.hooks["a"] = "1"; delete(c.coats, "old") },
			did: "put coat:a, put hook:b", results: "hook:a done, coat:a done, hook:b done, coat:old done"},
		{name: "one fails", meanwhile: func(c *cupboard) { c.fails["put hook:a"] = errors.New("no") },
			did:     "put hook:a, put hook:b",
			results: "hook:a failed, coat:a skipped, hook:b done, coat:old skipped", err: "no"},
		{name: "an answer is lost", meanwhile: func(c *cupboard) { c.fails["put hook:a"] = lost },
			did:     "put hook:a",
			results: "hook:a unknown, coat:a not run, hook:b not run, coat:old skipped", err: lost.Error()},
		{name: "a list fails", meanwhile: func(c *cupboard) { c.fails["list hook"] = errors.New("no list") },
			results: "hook:a skipped, coat:a skipped, hook:b skipped, coat:old skipped", err: "no list"},
		{name: "it has become theirs", meanwhile: func(c *cupboard) { c.hooks["a"] = "theirs" },
			did:     "put hook:b",
			results: "hook:a skipped, coat:a skipped, hook:b done, coat:old skipped", err: "conflict: it is theirs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCupboard("", "old=1")
			p, err := c.plan(t, reconcile.Options{Prune: true, Parallel: 1}, "a=1 b=1", "a=1")
			if err != nil {
				t.Fatal(err)
			}
			if test.meanwhile != nil {
				test.meanwhile(c)
			}
			c.did = nil
			r, err := p.Apply(t.Context(), nil)
			if got := strings.Join(slices.DeleteFunc(c.did, func(d string) bool {
				return strings.HasPrefix(d, "list")
			}), ", "); got != test.did {
				t.Errorf("it did %s\nwant %s", got, test.did)
			}
			var results []string
			for _, res := range r.Results {
				results = append(results, fmt.Sprintf("%s %s", strings.TrimPrefix(res.ID, "cupboard/"), res.Status))
			}
			if got := strings.Join(results, ", "); got != test.results {
				t.Errorf("results: %s\nwant:    %s", got, test.results)
			}
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("the error is %v, want %q", err, test.err)
			}
		})
	}
}

// TestApplyInParallel makes 100 objects, eight at once at most, and each after what it needs.
func TestApplyInParallel(t *testing.T) {
	c := newCupboard("", "")
	var hooks, coats []string
	for n := range 50 {
		hooks = append(hooks, fmt.Sprintf("h%02d=1", n))
		coats = append(coats, fmt.Sprintf("h%02d=1", n))
	}
	p, err := c.plan(t, reconcile.Options{}, strings.Join(hooks, " "), strings.Join(coats, " "))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Apply(t.Context(), nil); err != nil || !r.Complete() {
		t.Fatal(err, r)
	}
	for n := range 50 {
		name := fmt.Sprintf("h%02d", n)
		if slices.Index(c.did, "put hook:"+name) > slices.Index(c.did, "put coat:"+name) {
			t.Errorf("the coat %s was hung before its hook", name)
		}
	}
}

// TestBefore refuses a server that is not the one that was planned for, and releases what was taken.
func TestBefore(t *testing.T) {
	released := false
	c := newCupboard("", "")
	var refuse error
	o := reconcile.Options{Before: func(context.Context) (func(context.Context) error, error) {
		return func(context.Context) error { released = true; return nil }, refuse
	}}
	p, err := c.plan(t, o, "a=1", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), nil); err != nil || !released || c.hooks["a"] != "1" {
		t.Errorf("%v, released %v, %v", err, released, c.hooks)
	}
	refuse = lab.ErrRefused
	if p, err = c.plan(t, o, "b=1", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), nil); !errors.Is(err, lab.ErrRefused) || c.hooks["b"] != "" {
		t.Errorf("%v, %v", err, c.hooks)
	}
}

// TestBatch makes the objects of a group together: what is wanted, and then what is removed. A batch that fails
// is not made for any of them, and what is in no group is made by itself.
func TestBatch(t *testing.T) {
	for name, test := range map[string]struct {
		fails error
		want  []string
	}{
		"Made":  {nil, []string{"batch left: a b", "batch left: c", "batch right: x", "put hook:alone", "remove left: old older"}},
		"Fails": {lab.ErrInvalid, []string{"batch left: a b", "batch left: c", "batch right: x", "put hook:alone"}},
		"Lost":  {lab.ErrUnreachable, []string{"batch left: a b", "put hook:alone"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := &cupboard{hooks: map[string]string{"left/old": "1", "left/older": "1"}, fails: map[string]error{"batch left: a b": test.fails}}
			hook := c.kind("hook", c.hooks, []string{"left/a=1", "left/b=2", "left/c=3", "right/x=1", "alone=1"})
			hook.Most = 2
			hook.Group = func(key string) string {
				if group, _, grouped := strings.Cut(key, "/"); grouped {
					return group
				}
				return ""
			}
			hook.Batch = func(_ context.Context, group string, items []reconcile.Item[string, string]) error {
				verb, names := "batch", ""
				for _, i := range items {
					if i.Want == nil {
						verb = "remove"
					}
					names += " " + strings.TrimPrefix(i.Key, group+"/")
				}
				return c.do(verb+" "+group+":"+names, func() {
					for _, i := range items {
						delete(c.hooks, i.Key)
						if i.Want != nil {
							c.hooks[i.Key] = *i.Want
						}
					}
				})
			}
			o := reconcile.Options{Name: "cupboard", Prune: true, Parallel: 1}
			p, err := reconcile.Plan(t.Context(), o, hook)
			if err != nil {
				t.Fatal(err)
			}
			c.did = nil
			r, err := p.Apply(t.Context(), nil)
			did := slices.DeleteFunc(c.did, func(s string) bool { return s == "list hook" })
			slices.Sort(did)
			if !slices.Equal(did, test.want) || !errors.Is(err, test.fails) {
				t.Errorf("%q, %v, want %q, %v", did, err, test.want, test.fails)
			}
			if made := r.Complete(); made != (test.fails == nil) {
				t.Errorf("it is complete: %v\n%v", made, r)
			}
			if p, err := reconcile.Plan(t.Context(), o, hook); test.fails == nil && (err != nil || !p.Empty()) {
				t.Errorf("there is still to do: %v, %v", p, err)
			}
		})
	}
}
