package kube

import (
	"context"
	"slices"
	"sort"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"gitea.arcodange.lab/arcodange-org/lab"
	"golang.org/x/sync/errgroup"
)

// observed is an object on the server, beside what is wanted of it.
type observed struct {
	live    *unstructured.Unstructured // nil: it is not there, or only its metadata was read
	meta    metav1.Object              // nil: it is not there
	unknown bool                       // the cluster does not know its kind yet, or its namespace is not there yet
	same    bool                       // an apply would change nothing

	// after is the object as the server says that an apply would make it; nil: the server was not asked, or
	// refuses with err.
	after *unstructured.Unstructured
	err   error

	taken []string // field managers that lose their fields to the apply
}

// observe reads the objects of a kind: those of the owner by one list, and those that are wanted and are not
// among them by one list a namespace. It asks the server in a dry run only where it cannot be told
// from what was read whether there is something to do.
func (p *planner) observe(ctx context.Context, gvk schema.GroupVersionKind, want map[string]Object) (map[string]observed, error) {
	k, ok := p.kind(gvk)
	if !ok {
		out := map[string]observed{}
		for key := range want {
			out[key] = observed{unknown: true}
		}
		return out, nil
	}
	out := map[string]observed{}
	add := func(all []*unstructured.Unstructured) {
		for _, u := range all {
			out[keyOf(u)] = observed{live: u, meta: u}
		}
	}
	all, err := p.list(ctx, k, "", p.spec.selector())
	if err != nil {
		return nil, err
	}
	add(all)
	for namespace, keys := range p.missing(k, want, out) {
		all, err := p.read(ctx, k, namespace, keys)
		if err != nil {
			return nil, err
		}
		add(slices.DeleteFunc(all, func(u *unstructured.Unstructured) bool { return !slices.Contains(keys, keyOf(u)) }))
	}
	asked, ctx := errgroup.WithContext(ctx)
	asked.SetLimit(p.cluster.parallel())
	results := map[string]*observed{}
	for key, w := range want {
		h := out[key]
		results[key] = &h
		switch {
		case h.live != nil && h.live.GetDeletionTimestamp() != nil:
		case h.live != nil && asApplied(w.m.content, h.live, p.spec.manager()):
			h.same, h.taken = true, p.losers(h.live)
		case k.namespaced && !p.exists(w.namespace()):
			h.unknown = true
		default:
			asked.Go(func() error { return p.ask(ctx, k, w, &h) })
		}
	}
	if err := asked.Wait(); err != nil {
		return nil, err
	}
	for key, h := range results {
		out[key] = *h
	}
	return out, nil
}

// missing returns the wanted objects that were not found, by the namespace in which they may be.
func (p *planner) missing(k kind, want map[string]Object, found map[string]observed) map[string][]string {
	missing := map[string][]string{}
	for key, w := range want {
		if _, ok := found[key]; !ok && (!k.namespaced || p.exists(w.namespace())) {
			missing[w.namespace()] = append(missing[w.namespace()], key)
		}
	}
	return missing
}

// read reads the objects in a namespace: one by itself, more by a list.
func (p *planner) read(ctx context.Context, k kind, namespace string, keys []string) ([]*unstructured.Unstructured, error) {
	if len(keys) > 1 {
		return p.list(ctx, k, namespace, "")
	}
	_, name, ok := strings.Cut(keys[0], "/")
	if !ok {
		name = keys[0]
	}
	u, err := p.resource(k, namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		if kind, _ := kindOf(err); kind == lab.ErrNotFound {
			return nil, nil
		}
		return nil, p.fail("read object", kindName(k.gvk.GroupKind())+":"+keys[0], err)
	}
	return []*unstructured.Unstructured{u}, nil
}

// ask asks the server, in a dry run, what an apply would make of the object. Only an error that is not about
// the object is returned.
func (p *planner) ask(ctx context.Context, k kind, w Object, h *observed) error {
	if h.live != nil {
		h.taken = p.losers(h.live)
	}
	after, err := p.apply(ctx, k, w, applyOptions{dryRun: true})
	if owners := conflicts(err); len(owners) > 0 && p.mayTake(owners) {
		after, err = p.apply(ctx, k, w, applyOptions{dryRun: true, force: true})
	}
	if err == nil {
		h.after = after
		return nil
	}
	if about(err) {
		h.err = p.refusal(k, w, err)
		return nil
	}
	return p.fail("plan object", w.String(), w.masker().Err(err))
}

// losers returns the field managers of an object that are to give up their fields.
func (p *planner) losers(live *unstructured.Unstructured) (names []string) {
	for _, e := range live.GetManagedFields() {
		if e.Subresource == "" && slices.Contains(p.spec.TakeOver, e.Manager) && !slices.Contains(names, e.Manager) {
			names = append(names, e.Manager)
		}
	}
	sort.Strings(names)
	return names
}

// mayTake reports whether all the managers give up their fields.
func (p *planner) mayTake(owners map[string][]string) bool {
	for owner := range owners {
		if !slices.Contains(p.spec.TakeOver, owner) {
			return false
		}
	}
	return true
}
