package cloudflare

import (
	"context"
	"strings"
	"sync"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/mark"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// step is the name of the plan's only step, with which the IDs of its changes begin.
const step = "cloudflare"

// Plan compares the account with the spec and returns what must be done. It changes nothing. What cannot be planned is in
// the error, and the plan for the rest is returned beside it.
//
// Applying the plan reads the account again, makes what is both planned and still to be done, and notes what has become
// necessary meanwhile. An apply that was cut off is continued by the next plan.
func (a *Account) Plan(ctx context.Context, spec Spec) (*lab.Plan, error) {
	if err := append(a.Validate(), spec.Validate()...).Err(); err != nil {
		return nil, err
	}
	r := &run{client: a.client(), spec: spec, reads: &reconcile.Reads{}}
	defer r.close()
	return reconcile.Plan(ctx, reconcile.Options{Name: step, Parallel: a.parallel(), Prune: spec.Prune, MaxDeletes: spec.MaxDeletes,
		Before: func(context.Context) (func(context.Context) error, error) {
			r.reads.Forget()
			return func(context.Context) error { r.close(); return nil }, nil
		}}, r.kinds()...)
}

// IDs returns the IDs of all changes that a plan may have to make what is wanted, each also without "cloudflare/".
func (s *Spec) IDs() []string {
	return reconcile.IDs(step, (&run{client: (&Account{}).client(), spec: *s, reads: &reconcile.Reads{}}).kinds()...)
}

// run is one plan and its apply.
type run struct {
	*client
	spec  Spec
	reads *reconcile.Reads

	mu      sync.Mutex
	made    map[string]zone   // zones that this run has created, which may not be listed yet
	tunnels map[string]string // IDs of tunnels, by their names, as far as they are known
}

// tunnelPrefix begins the content of a CNAME record that leads to a tunnel of the spec.
const tunnelPrefix = "tunnel:"

// resolved is a content with the host name of a tunnel in the place of its name.
func (r *run) resolved(text string) string {
	name, found := strings.CutPrefix(text, tunnelPrefix)
	if !found {
		return text
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if id := r.tunnels[name]; id != "" {
		return id + ".cfargotunnel.com"
	}
	return text
}

// kinds are the collections, of which those that are named last are emptied first. Those that are nil in the spec are left
// out.
func (r *run) kinds() []reconcile.Kind {
	var all []reconcile.Kind
	if len(r.spec.Buckets) > 0 {
		all = append(all, r.buckets(), r.bucketDomains())
	}
	if r.spec.Tunnels != nil {
		all = append(all, r.tunnelKind())
	}
	if len(r.spec.Pages) > 0 {
		all = append(all, r.projects(), r.pageDomains())
	}
	if len(r.spec.Widgets) > 0 {
		all = append(all, r.widgets())
	}
	if len(r.spec.Zones) > 0 {
		all = append(all, r.zoneKind(), r.settings(), r.records())
	}
	if r.spec.Tokens != nil {
		all = append(all, r.tokens())
	}
	return all
}

// mark returns the mark of an object of ours.
func (r *run) mark(kind, key string) mark.Mark {
	return mark.Mark{Stack: r.spec.stack(), Kind: kind, Name: key}
}

// foreign refuses to change an object of somebody else's. differs is what would be changed.
func (r *run) foreign(kind, key, owner string) error {
	hint := "choose another name, or take it over"
	if owner != "" {
		return r.fail("plan "+kind, key, "remove it from the other stack, or from this one", lab.ErrConflict,
			"it belongs to the stack "+lab.Printable(owner))
	}
	e := r.fail("plan "+kind, key, hint, lab.ErrConflict, "it exists, differs from what is wanted, and is not marked as ours").(*lab.Error)
	e.Set = lab.Setting{Name: SettingAdopt, Value: "true"}
	return e
}

// unmarked refuses a change of an object that cannot carry a mark, unless it is ours.
func (r *run) unmarked(kind, key string, d reconcile.Delta) reconcile.Delta {
	if d.Action == "" || r.spec.Adopt || r.spec.Owned == nil || r.spec.Owned(step+"/"+kind+":"+key) {
		return d
	}
	return reconcile.Delta{Err: r.foreign(kind, key, "")}
}

// patiently calls f until it is done or fails, and waits a little longer each time, since what was changed is not seen everywhere
// at once. After a few seconds it gives up, and returns what f has returned last.
func patiently(ctx context.Context, f func() (done bool, err error)) error {
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		done, err := f()
		if done || wait > 4*time.Second {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
