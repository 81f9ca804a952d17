package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Plan reads the cluster and returns what must be done so that it has the objects of spec. It writes
// nothing. Of a cluster that is as it is wanted, it costs two requests for the kinds that the cluster
// knows, one for the namespaces, and one for each kind of the spec; with [Spec.Prune] one more
// for every other kind. Where a list does not tell whether an object differs, the server is asked in a
// dry run of the apply: what is planned is what the server says that it would do.
//
// Where an object cannot become what is wanted, the plan for the others is returned beside the error, which
// is an [lab.ErrConflict] where another field manager owns a field, or where a field cannot be changed,
// an [lab.ErrInvalid] where the server does not take the object, and an [lab.ErrRefused] where more is to be
// removed than may be, or what is kept. Other errors are [lab.ErrInvalid] of the spec or the cluster's
// fields, [lab.ErrUnreachable], [lab.ErrUnauthorized], and an [lab.ErrRefused] of the identity.
//
// Applying the plan proves that the cluster is the same, reads it again, and applies what is both planned
// and still to be done, each object after those that it comes after and when they are ready.
func (c *Cluster) Plan(ctx context.Context, spec Spec) (*lab.Plan, error) {
	p, err := c.planner(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer p.close()
	return p.plan(ctx)
}

// planner is one plan and its apply.
type planner struct {
	*client
	spec     Spec
	objects  map[string]Object // wanted, by name
	brings   []Object          // those of them that let the cluster know kinds
	identity string

	mu     sync.Mutex
	spaces map[string]string // UIDs of the namespaces
	kept   map[string]bool   // objects that are no longer wanted, and are not removed all the same
	ready  map[string]bool   // objects that were seen to be ready since the apply began
}

func (c *Cluster) planner(ctx context.Context, spec Spec) (*planner, error) {
	if err := spec.Validate(); err != nil {
		return nil, &lab.Error{Op: "read spec", Target: c.name(), Err: err}
	}
	client, err := c.connect()
	if err != nil {
		return nil, err
	}
	p := &planner{client: client, spec: spec, objects: map[string]Object{}, kept: map[string]bool{},
		ready: map[string]bool{}}
	for _, o := range spec.owned() {
		p.objects[o.String()] = o
		if gk := o.gvk().GroupKind(); len(o.m.provides) > 0 || gk == crdKind || gk == helmChart {
			p.brings = append(p.brings, o)
		}
	}
	if err := p.look(ctx); err != nil {
		client.close()
		return nil, err
	}
	return p, nil
}

// look reads what objects are read by: the namespaces, and the kinds that the cluster knows.
func (p *planner) look(ctx context.Context) error {
	spaces, err := p.namespaces(ctx)
	if err != nil {
		return err
	}
	if err := p.prove(spaces[identityNamespace], p.cluster.Identity, "than the one that is meant"); err != nil {
		return err
	}
	if err := p.prove(spaces[identityNamespace], p.identity, "than the plan was made for"); err != nil {
		return err
	}
	p.mu.Lock()
	p.identity, p.spaces = spaces[identityNamespace], spaces
	p.mu.Unlock()
	return p.discover(ctx)
}

// exists reports whether a namespace is there.
func (p *planner) exists(namespace string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.spaces[namespace]
	return ok
}

func (p *planner) plan(ctx context.Context) (*lab.Plan, error) {
	kinds, err := p.collections()
	// An object that cannot be placed would look as if it were no longer wanted.
	prune := p.spec.Prune && err == nil
	options := reconcile.Options{Name: p.spec.Owner, Parallel: p.cluster.parallel(), Prune: prune,
		MaxDeletes: p.spec.MaxDeletes, Before: p.before}
	plan, planErr := reconcile.Plan(ctx, options, kinds...)
	err = errors.Join(err, planErr, p.refusals())
	if plan == nil || plan.Empty() || !p.spec.Wait {
		return plan, err
	}
	gate := lab.Step{Name: p.spec.Owner + "/ready", After: []string{p.spec.Owner}, Run: p.waitForAll}
	waiting, bug := lab.NewPlan(append(plan.Steps(), gate)...)
	return waiting, errors.Join(err, bug)
}

// before proves that the cluster is the one that was planned for, and reads again what objects are read by.
func (p *planner) before(ctx context.Context) (func(context.Context) error, error) {
	p.mu.Lock()
	p.kept, p.ready = map[string]bool{}, map[string]bool{}
	p.mu.Unlock()
	if err := p.look(ctx); err != nil {
		return nil, err
	}
	return func(context.Context) error {
		p.close()
		return nil
	}, nil
}

// ranks are the kinds that others need without saying so, in the order in which they are applied: what is not
// among them comes after all of them.
var ranks = []string{"Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass", "ServiceAccount", "Secret",
	"ConfigMap", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "PersistentVolume", "PersistentVolumeClaim",
	"Service"}

func rank(gk schema.GroupKind) int {
	if n := slices.Index(ranks, gk.Kind); n >= 0 {
		return n
	}
	return len(ranks)
}

// collections returns the kinds to reconcile: those of the spec, and with pruning all others that the cluster
// knows. The error is of objects whose kind or namespace nothing provides.
func (p *planner) collections() (kinds []reconcile.Kind, err error) {
	wanted := map[schema.GroupVersionKind]map[string]Object{}
	groups := map[schema.GroupKind]bool{}
	var errs []error
	for _, o := range p.objects {
		if err := p.place(o); err != nil {
			errs = append(errs, err)
			continue
		}
		if wanted[o.gvk()] == nil {
			wanted[o.gvk()] = map[string]Object{}
		}
		wanted[o.gvk()][o.key()] = o
		groups[o.gvk().GroupKind()] = true
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) }) // in a stable order
	all := make([]schema.GroupVersionKind, 0, len(wanted))
	for gvk := range wanted {
		all = append(all, gvk)
	}
	if p.spec.Prune && len(errs) == 0 {
		for gk, k := range p.preferred {
			if !groups[gk] && k.removable {
				all = append(all, k.gvk)
			}
		}
	}
	slices.SortFunc(all, func(a, b schema.GroupVersionKind) int {
		return cmp.Or(cmp.Compare(rank(a.GroupKind()), rank(b.GroupKind())), cmp.Compare(a.String(), b.String()))
	})
	for _, gvk := range all {
		kinds = append(kinds, p.collection(gvk, wanted[gvk]))
	}
	return kinds, errors.Join(errs...)
}

func (p *planner) collection(gvk schema.GroupVersionKind, want map[string]Object) reconcile.Kind {
	gk := gvk.GroupKind()
	return reconcile.Collection[Object, observed]{
		Name: kindName(gk), Want: want, Loss: loss(gk),
		List: func(ctx context.Context) (map[string]observed, error) {
			if len(want) == 0 {
				return p.observeUnwanted(ctx, gvk)
			}
			return p.observe(ctx, gvk, want)
		},
		Diff:   func(_ string, w Object, h *observed) reconcile.Delta { return diff(w, h) },
		After:  func(_ string, w Object) []string { return p.needs(w) },
		Owned:  func(_ string, h observed) bool { return p.removes(gk, h) },
		Put:    func(ctx context.Context, _ string, w Object, h *observed) error { return p.put(ctx, w, h) },
		Delete: func(ctx context.Context, _ string, h observed) error { return p.remove(ctx, gvk, h) },
	}
}

// place returns an error if nothing provides the kind or the namespace of an object.
func (p *planner) place(o Object) error {
	k, known := p.kind(o.gvk())
	if !known {
		for _, other := range p.needs(o) {
			if p.objects[other].provides(o.gvk().GroupKind()) {
				return nil
			}
		}
		return &lab.Error{Op: "plan object", Target: p.cluster.name(), Path: o.String(),
			Hint: "install what brings the kind first, or see whether its apiVersion is one that the cluster has",
			Err:  fmt.Errorf("%w: the cluster does not know the kind %s of %s", lab.ErrNotFound, o.gvk().Kind, o.gvk().GroupVersion())}
	}
	invalid := func(format string, args ...any) error {
		return &lab.Error{Op: "plan object", Target: p.cluster.name(), Path: o.String(), Err: fmt.Errorf("%w: "+format,
			append([]any{lab.ErrInvalid}, args...)...)}
	}
	namespace := o.namespace()
	switch {
	case k.namespaced && namespace == "":
		return invalid("it has no namespace, and none is assumed")
	case !k.namespaced && namespace != "":
		return invalid("objects of its kind are in no namespace")
	}
	if _, wanted := p.objects["namespace:"+namespace]; k.namespaced && !wanted && !p.exists(namespace) && len(p.makers(o)) == 0 {
		return &lab.Error{Op: "plan object", Target: p.cluster.name(), Path: o.String(), Hint: "add the namespace to the objects",
			Err: fmt.Errorf("%w: its namespace %s", lab.ErrNotFound, namespace)}
	}
	return nil
}

// needs returns the objects that an object comes after.
func (p *planner) needs(o Object) []string {
	needs := slices.Clone(o.m.needs)
	if _, ok := p.objects["namespace:"+o.namespace()]; ok {
		needs = append(needs, "namespace:"+o.namespace())
	}
	needs = append(needs, p.makers(o)...)
	gk := o.gvk().GroupKind()
	for _, other := range p.brings {
		if other.provides(gk) && other.String() != o.String() {
			needs = append(needs, other.String())
		}
	}
	slices.Sort(needs)
	return slices.Compact(needs)
}

// makers returns the HelmCharts that create the namespace of an object, if it is neither there nor wanted itself.
func (p *planner) makers(o Object) (charts []string) {
	namespace := o.namespace()
	if _, wanted := p.objects["namespace:"+namespace]; wanted || namespace == "" || p.exists(namespace) {
		return nil
	}
	for _, chart := range p.brings {
		target, _, _ := unstructured.NestedString(chart.m.content, "spec", "targetNamespace")
		creates, _, _ := unstructured.NestedBool(chart.m.content, "spec", "createNamespace")
		if chart.gvk().GroupKind() == helmChart && creates && target == namespace {
			charts = append(charts, chart.String())
		}
	}
	return charts
}

// provides reports whether the object lets the cluster know a kind.
func (o Object) provides(gk schema.GroupKind) bool {
	if o.m == nil || gk.Group == "" {
		return false
	}
	if slices.Contains(o.m.provides, gk.Group) {
		return true
	}
	if o.gvk().GroupKind() != crdKind {
		return false
	}
	group, _, _ := unstructured.NestedString(o.m.content, "spec", "group")
	name, _, _ := unstructured.NestedString(o.m.content, "spec", "names", "kind")
	return group == gk.Group && name == gk.Kind
}

var crdKind = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
