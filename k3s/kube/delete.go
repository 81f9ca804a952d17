package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// loss is the risk of removing an object of a kind.
func loss(gk schema.GroupKind) lab.Risk {
	switch gk.Group {
	case "":
		switch gk.Kind {
		case "Namespace", "PersistentVolumeClaim", "PersistentVolume":
			return lab.RiskDataLoss
		}
	case "longhorn.io":
		return lab.RiskDataLoss
	}
	if gk == (schema.GroupKind{Group: "argoproj.io", Kind: "Application"}) { // with all that Argo CD has deployed for it
		return lab.RiskDataLoss
	}
	if gk == crdKind || gk == helmChart { // with all objects of the kind, and with what a release has made
		return lab.RiskDataLoss
	}
	return lab.RiskDisrupt
}

// observeUnwanted reads those objects of the owner that are of a kind of which none is wanted.
func (p *planner) observeUnwanted(ctx context.Context, gvk schema.GroupVersionKind) (map[string]observed, error) {
	k, ok := p.kind(gvk)
	if !ok {
		return nil, nil
	}
	out := map[string]observed{}
	if gvk.GroupKind() == helmChart { // which chart it is tells whether it may be removed
		all, err := p.list(ctx, k, "", p.spec.selector())
		for _, u := range all {
			out[keyOf(u)] = observed{live: u, meta: u}
		}
		return out, err
	}
	all, err := p.listNames(ctx, k, p.spec.selector())
	for n := range all {
		out[keyOf(&all[n])] = observed{meta: &all[n]}
	}
	if err != nil && lab.Kind(err) == lab.ErrNotFound { // its CustomResourceDefinition has just been removed
		return nil, nil
	}
	return out, err
}

// removes reports whether an object that is not wanted is the owner's, and to be removed. The label alone does
// not make it so: controllers copy the labels of a Service to its EndpointSlices.
func (p *planner) removes(gk schema.GroupKind, h observed) bool {
	m := h.meta
	if m.GetLabels()[OwnerLabel] != p.spec.Owner || applied(m.GetManagedFields(), p.spec.manager()) == nil ||
		metav1.GetControllerOf(m) != nil || m.GetDeletionTimestamp() != nil {
		return false
	}
	if m.GetAnnotations()[KeepAnnotation] != "true" && !(gk == helmChart && holdsVolumes(h.live)) &&
		!(gk == schema.GroupKind{Kind: "Namespace"} && m.GetName() == "longhorn-system") {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept[kindName(gk)+":"+keyOf(m)] = true
	return false
}

// refusals are of the objects that are kept although they are no longer wanted.
func (p *planner) refusals() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(p.kept)) {
		errs = append(errs, &lab.Error{Op: "remove object", Target: p.cluster.name(), Path: name,
			Hint: "add it to the objects again; what holds data is removed by hand, once the data is elsewhere",
			Err:  fmt.Errorf("%w: it is no longer wanted, and data would be lost with it", lab.ErrRefused)})
	}
	return errors.Join(errs...)
}

// remove removes an object, and waits until it is gone.
func (p *planner) remove(ctx context.Context, gvk schema.GroupVersionKind, h observed) error {
	k, ok := p.kind(gvk)
	if !ok {
		return nil
	}
	m := h.meta
	name := kindName(gvk.GroupKind()) + ":" + keyOf(m)
	uid, version, policy := m.GetUID(), m.GetResourceVersion(), metav1.DeletePropagationBackground
	objects := p.resource(k, m.GetNamespace())
	err := objects.Delete(ctx, m.GetName(), metav1.DeleteOptions{PropagationPolicy: &policy,
		Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsConflict(err):
		return &lab.Error{Op: "remove object", Target: p.cluster.name(), Path: name, Hint: "plan again",
			Err: fmt.Errorf("%w: it has changed since it was read", lab.ErrDrift)}
	case err != nil:
		return p.fail("remove object", name, err)
	}
	waits := ""
	err = lab.Wait(ctx, lab.Poll{What: name + " to be gone", Timeout: p.spec.timeout()}, func(ctx context.Context) (bool, error) {
		u, err := objects.Get(ctx, m.GetName(), metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err), err == nil && u.GetUID() != uid:
			return true, nil
		case err != nil:
			return false, p.fail("read object", name, err)
		}
		waits = waitsFor(u.GetFinalizers())
		return false, nil
	})
	if errors.Is(err, lab.ErrTimeout) && waits != "" {
		return fmt.Errorf("%w%s", err, waits)
	}
	return err
}
