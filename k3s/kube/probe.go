package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// unprovedAnnotation is on an object while its probe has not succeeded yet, so that an apply that is cut off is
// continued by the next.
const unprovedAnnotation = "lab.arcodange.lab/unproved"

// Probe returns the object, to be tried whenever it was applied: check is called again and again, for as long as
// [Spec.Timeout] allows, until it returns nil, or an [lab.ErrRefused], which is final. If it never returns nil, the
// object is put back as it was, or removed if it was not there, and its change fails with the last error of check.
func (o Object) Probe(check func(context.Context) error) Object {
	m := *o.m
	m.probe = check
	return Object{&m}
}

// unproved returns the object as it is applied before it is tried.
func (o Object) unproved() Object {
	u := o.object().DeepCopy()
	notes := u.GetAnnotations()
	if notes == nil {
		notes = map[string]string{}
	}
	notes[unprovedAnnotation] = "true"
	u.SetAnnotations(notes)
	m := *o.m
	m.content = u.Object
	return Object{&m}
}

// try waits until the probe of an object that was applied succeeds, and puts the object back otherwise.
func (p *planner) try(ctx context.Context, k kind, w Object, before, after *unstructured.Unstructured) error {
	var last error
	err := lab.Wait(ctx, lab.Poll{What: "the probe of " + w.String(), Timeout: p.spec.timeout()}, func(ctx context.Context) (bool, error) {
		if last = w.m.probe(ctx); errors.Is(last, lab.ErrRefused) {
			return false, &lab.Error{Op: "wait for the probe of " + w.String(), Err: lab.ErrRefused}
		}
		return last == nil, nil
	})
	if err == nil {
		_, err = p.apply(ctx, k, w, applyOptions{})
		return err
	}
	// Even when the context has ended: what does not work must not stay.
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	e := &lab.Error{Op: "try object", Target: p.cluster.name(), Path: w.String(),
		Err: errors.Join(fmt.Errorf("%w; it was put back as it was", err), w.masker().Err(last))}
	if failed := p.putBack(back, k, w, before, after); failed != nil {
		e.Err = errors.Join(err, w.masker().Err(last), fmt.Errorf("and it could not be put back as it was: %w", failed))
		e.Hint = "put it back by hand: it does not work"
	}
	return e
}

// putBack makes an object what it was before it was applied.
func (p *planner) putBack(ctx context.Context, k kind, w Object, before, after *unstructured.Unstructured) error {
	if before == nil {
		uid := after.GetUID()
		return p.resource(k, w.namespace()).Delete(ctx, after.GetName(), metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &uid}})
	}
	m := *w.m
	m.content = ownPart(before, p.spec.manager())
	_, err := p.apply(ctx, k, Object{&m}, applyOptions{})
	return err
}

// ownPart returns what a manager has applied of an object, as it would apply it again; nothing but the object's name if
// it has applied nothing.
func ownPart(live *unstructured.Unstructured, manager string) map[string]any {
	content := map[string]any{}
	if entry := applied(live.GetManagedFields(), manager); entry != nil && entry.FieldsV1 != nil {
		set := &fieldpath.Set{}
		if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err == nil {
			content, _ = extract(live.Object, set).(map[string]any)
		}
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetAPIVersion(live.GetAPIVersion())
	u.SetKind(live.GetKind())
	u.SetName(live.GetName())
	u.SetNamespace(live.GetNamespace())
	return u.Object
}

// extract returns the part of a value that a set has.
func extract(v any, set *fieldpath.Set) any {
	elements := children(set)
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, e := range elements {
			if e.FieldName == nil {
				continue
			}
			if value, ok := v[*e.FieldName]; ok {
				out[*e.FieldName] = e.extract(value)
			}
		}
		return out
	case []any:
		found := map[int]any{}
		for _, e := range elements {
			if n := e.find(v, true); n >= 0 {
				found[n] = e.extract(v[n])
			}
		}
		out := []any{}
		for _, n := range slices.Sorted(maps.Keys(found)) {
			out = append(out, found[n])
		}
		return out
	}
	return v
}

func (e element) extract(v any) any {
	if e.below == nil {
		return v
	}
	return extract(v, e.below)
}
