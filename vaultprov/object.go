package vaultprov

import (
	"context"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
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
	place    func(mount string) string
	unscoped bool // they are of no mount: a slash in a key is one in the name

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

	// keeps says why an object must not be removed yet. Nil: nothing does.
	keeps func(key string) error

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
