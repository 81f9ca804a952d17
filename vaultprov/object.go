package vaultprov

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fingerprint"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// object is what is wanted of something that Vault serves at a path: the same fields are read and written there.
type object struct {
	want  fields   // of the types of value.go; what is not named is left as it is
	fixed []string // fields of it that cannot change

	// secrets are written and never read back. What is sent is told from what was sent before by its fingerprint.
	secrets map[string]lab.Secret

	after []string // objects, as kind:key
}

// seen is an object as it was found.
type seen struct {
	has   map[string]any // its fields; nil: there is none
	owned bool           // our record says that we made it
	print string         // the fingerprint of the secrets that we sent last; empty: not recorded
}

// kind is how the objects of one kind are listed, read one by one and written. There is no read of many at once, but
// of mounts and audit devices.
type kind struct {
	name string // "kubernetes-role"
	want map[string]object

	// path returns where an object is read, written and deleted: "auth/kubernetes/role/erp" for "kubernetes/erp".
	path func(key string) string

	// place returns where the objects of a mount are listed: "auth/kubernetes/role" for "kubernetes". Nil: they are
	// not listed, and read by their own paths.
	place func(mount string) string

	// all reads all objects at once. Nil: they are read one by one.
	all func(context.Context) (map[string]map[string]any, error)

	// flat brings what is read into the form in which it is written. Nil: it is in that form.
	flat func(map[string]any) map[string]any

	// write writes the fields of an object, which is there already or not. Nil: they are sent to its path.
	write func(ctx context.Context, key string, send fields, there bool) error

	readOnly []string // fields that are compared and not sent
	alone    bool     // one is made or removed while no other change is under way

	// whole says that a write forgets what it does not say, secrets too.
	whole bool

	// prunes says that objects that are ours and not wanted any more are removed.
	prunes bool
	spares []string // keys of objects that are never removed
	loss   lab.Risk

	// gone ends what stands on an object that was removed. Nil: nothing does.
	gone func(ctx context.Context, key string) error
}

// split returns the mount and the name of an object, of the key "MOUNT/NAME"; names have no slash.
func split(key string) (mount, name string) {
	n := strings.LastIndex(key, "/")
	return key[:max(n, 0)], key[n+1:]
}

// recorded reports whether it is kept what we know of an object.
func (k kind) recorded(key string, w object) bool {
	return k.prunes && !slices.Contains(k.spares, key) || len(w.secrets) > 0
}

// collection returns the objects of a kind, for the plan.
func (p *planner) collection(k kind) reconcile.Collection[object, seen] {
	c := reconcile.Collection[object, seen]{
		Name: k.name, Want: k.want, Loss: k.loss,
		List:  func(ctx context.Context) (map[string]seen, error) { return p.list(ctx, k) },
		Diff:  func(key string, w object, h *seen) reconcile.Delta { return p.diff(k, key, w, h) },
		Put:   func(ctx context.Context, key string, w object, h *seen) error { return p.put(ctx, k, key, w, h) },
		After: func(key string, w object) []string { return p.after(k, key, w) },
	}
	if k.prunes {
		c.Owned = func(key string, h seen) bool { return h.owned && !slices.Contains(k.spares, key) }
		c.Delete = func(ctx context.Context, key string, _ seen) error { return p.remove(ctx, k, key) }
	}
	return c
}

// after returns what an object needs: what it stands on, and the mount of our records.
func (p *planner) after(k kind, key string, w object) []string {
	if p.spec.Records.none() || !k.recorded(key, w) {
		return w.after
	}
	return append(slices.Clone(w.after), "mount:"+p.spec.Records.mount())
}

// list reads the objects that are wanted and there, and notes those that are ours. It costs a list a mount, a
// list of our records, a read for each object that is wanted and there, and one for each record of a secret.
func (p *planner) list(ctx context.Context, k kind) (map[string]seen, error) {
	var records map[string]bool
	var err error
	if p.asksRecords(k) {
		if records, err = p.records(ctx, k.name); err != nil {
			return nil, err
		}
	}
	found := map[string]seen{}
	if k.prunes {
		for key := range records { // what is not there any more is forgotten
			found[key] = seen{owned: true}
		}
	}
	if k.all != nil {
		all, err := k.all(ctx)
		for key, has := range all {
			found[key] = seen{has: has, owned: records[key]}
		}
		return p.missing(found, k), err
	}
	there := map[string]bool{}
	if k.place == nil {
		for key := range k.want {
			there[key] = true // the read tells
		}
	} else if there, err = p.listMounts(ctx, k, records); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.client.server.parallel())
	for key, w := range k.want {
		if !there[key] {
			continue
		}
		g.Go(func() error {
			s, err := p.look(ctx, k, key, w, records[key])
			mu.Lock()
			defer mu.Unlock()
			found[key] = s
			return err
		})
	}
	err = g.Wait()
	return p.missing(found, k), err
}

// asksRecords reports whether it matters which objects of a kind are ours: for what may be removed, and for secrets
// that may be sent.
func (p *planner) asksRecords(k kind) bool {
	if k.prunes && p.spec.Prune {
		return true
	}
	for _, w := range k.want {
		if len(w.secrets) > 0 {
			return true
		}
	}
	return false
}

// missing takes out what is wanted and was not found: only what is not wanted is there by its record alone.
func (p *planner) missing(found map[string]seen, k kind) map[string]seen {
	for key := range k.want {
		if found[key].has == nil {
			delete(found, key)
		}
	}
	return found
}

// listMounts lists the mounts of the objects that are wanted or ours. A mount that is not there has none.
func (p *planner) listMounts(ctx context.Context, k kind, records map[string]bool) (map[string]bool, error) {
	mounts := map[string]bool{}
	for key := range k.want {
		mount, _ := split(key)
		mounts[mount] = true
	}
	for key := range records {
		mount, _ := split(key)
		mounts[mount] = true
	}
	there := map[string]bool{}
	for _, mount := range slices.Sorted(maps.Keys(mounts)) {
		names, err := p.client.list(ctx, k.place(mount))
		if err != nil && !errors.Is(err, lab.ErrNotFound) {
			return nil, err
		}
		for _, name := range names {
			there[join(mount, name)] = true
		}
	}
	return there, nil
}

func join(mount, name string) string {
	if mount == "" {
		return name
	}
	return mount + "/" + name
}

// look reads one object that is wanted.
func (p *planner) look(ctx context.Context, k kind, key string, w object, recorded bool) (s seen, err error) {
	if err := p.client.read(ctx, k.path(key), &s.has); err != nil {
		if errors.Is(err, lab.ErrNotFound) {
			return seen{}, nil
		}
		return seen{}, err
	}
	if k.flat != nil {
		s.has = k.flat(s.has)
	}
	if s.owned = recorded; recorded && len(w.secrets) > 0 {
		s.print, err = p.fingerprint(ctx, k.name, key)
	}
	return s, err
}

// diff compares, and does nothing else.
func (p *planner) diff(k kind, key string, w object, h *seen) reconcile.Delta {
	wanted := map[string]any{}
	for field, v := range w.want {
		wanted[field] = normal(v)
	}
	if h == nil {
		return reconcile.Delta{Action: lab.Create, Cause: "not found", Diff: lab.Diff(key, nil, text(given(wanted)))}
	}
	has, differ := map[string]any{}, []string{}
	for _, field := range slices.Sorted(maps.Keys(w.want)) {
		has[field] = as(w.want[field], h.has[field])
		if same(w.want[field], h.has[field]) {
			continue
		}
		differ = append(differ, field)
		if slices.Contains(w.fixed, field) {
			return reconcile.Delta{Err: &lab.Error{Op: "plan", Target: p.client.server.target(), Path: k.name + ":" + key,
				Hint: "use another name, or remove what is there by hand",
				Err: fmt.Errorf("%w: its %s is %s, which cannot be changed to %s", lab.ErrConflict, field,
					fmt.Sprint(has[field]), fmt.Sprint(wanted[field]))}}
		}
	}
	cause := strings.Join(differ, ", ")
	switch {
	case len(differ) == 1:
		cause += " differs"
	case len(differ) > 1:
		cause += " differ"
	case p.resends(key, w, *h):
		cause = strings.Join(slices.Sorted(maps.Keys(w.secrets)), ", ") + " is not the one that was sent last"
	default:
		return reconcile.Delta{}
	}
	return reconcile.Delta{Action: lab.Update, Cause: cause, Diff: lab.Diff(key, text(has), text(wanted))}
}

// resends reports whether the secrets of an object that is there are to be sent: we made it, and what was sent last
// is another, or was not recorded before the run was cut off. Those of somebody else's object are left as they are.
func (p *planner) resends(key string, w object, h seen) bool {
	return len(w.secrets) > 0 && h.owned && !p.spec.FingerprintKey.IsZero() && h.print != p.print(key, w)
}

// print returns the fingerprint of the secrets of an object.
func (p *planner) print(key string, w object) string {
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(w.secrets)) {
		fmt.Fprintf(&all, "%s=%q\n", name, w.secrets[name].Reveal())
	}
	return fingerprint.Of(p.spec.FingerprintKey, key, lab.NewSecret(all.String()))
}

// put writes an object. That it is ours is recorded before it is made, and the fingerprint of its secrets after they
// were sent: a run that is cut off between leaves a record too many, or a secret to send again, and never an object
// of ours that nobody knows of.
func (p *planner) put(ctx context.Context, k kind, key string, w object, h *seen) error {
	ctx, done := p.finishing(ctx, k.alone)
	defer done()
	send := payload(w.want)
	sends := len(w.secrets) > 0 && (h == nil || k.whole || p.resends(key, w, *h))
	if sends {
		for name, secret := range w.secrets {
			send[name] = secret
		}
	}
	if h == nil && k.recorded(key, w) {
		if err := p.record(ctx, k.name, key, ""); err != nil {
			return err
		}
	}
	for _, field := range k.readOnly {
		delete(send, field)
	}
	write := k.write
	if write == nil {
		write = func(ctx context.Context, key string, send fields, _ bool) error {
			return p.client.write(ctx, k.path(key), send, nil)
		}
	}
	if err := write(ctx, key, send, h != nil); err != nil {
		return err
	}
	if sends && (h == nil || h.owned) && !p.spec.FingerprintKey.IsZero() {
		return p.record(ctx, k.name, key, p.print(key, w))
	}
	return nil
}

// finishing returns a context in which a change that has begun is finished although the run is stopped: an audit device
// whose client goes away meanwhile is left half made, and Vault then neither lists it nor makes it again. While one
// is made that wants to be alone, no other change is under way.
func (p *planner) finishing(ctx context.Context, alone bool) (context.Context, func()) {
	unlock := p.changing.RUnlock
	if alone {
		p.changing.Lock()
		unlock = p.changing.Unlock
	} else {
		p.changing.RLock()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	return ctx, func() { cancel(); unlock() }
}

// remove removes an object of ours, then what stands on it, then the record.
func (p *planner) remove(ctx context.Context, k kind, key string) error {
	ctx, done := p.finishing(ctx, k.alone)
	defer done()
	if err := p.client.delete(ctx, k.path(key)); err != nil {
		return err
	}
	if k.gone != nil {
		if err := k.gone(ctx, key); err != nil {
			return err
		}
	}
	return p.forget(ctx, k.name, key)
}
