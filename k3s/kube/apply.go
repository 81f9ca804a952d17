package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

type applyOptions struct {
	dryRun  bool
	force   bool
	version string // the resourceVersion that the object must still have; empty: any
}

// apply sends a server-side apply. A field that no schema has is refused, as kubectl does.
func (p *planner) apply(ctx context.Context, k kind, w Object, how applyOptions) (*unstructured.Unstructured, error) {
	u := w.object()
	if how.version != "" {
		u = u.DeepCopy()
		u.SetResourceVersion(how.version)
	}
	data, err := json.Marshal(u.Object)
	if err != nil {
		return nil, err
	}
	o := metav1.PatchOptions{FieldManager: p.spec.manager(), FieldValidation: metav1.FieldValidationStrict}
	if how.force {
		o.Force = &how.force
	}
	if how.dryRun {
		o.DryRun = []string{metav1.DryRunAll}
	}
	return p.resource(k, u.GetNamespace()).Patch(ctx, u.GetName(), types.ApplyPatchType, data, o)
}

// put applies an object when what it comes after is ready.
func (p *planner) put(ctx context.Context, w Object, h *observed) error {
	for _, need := range p.needs(w) {
		if err := p.waitFor(ctx, p.objects[need]); err != nil {
			return err
		}
	}
	k, err := p.waitForKind(ctx, w)
	if err != nil {
		return err
	}
	how := applyOptions{}
	if h != nil && len(h.taken) > 0 { // only from those whom the dry run named
		how.force, how.version = true, h.live.GetResourceVersion()
	}
	first := w
	if w.m.probe != nil {
		first = w.unproved()
	}
	after, err := p.apply(ctx, k, first, how)
	if err == nil && how.force {
		err = p.disown(ctx, k, w, after, h.taken)
	}
	switch {
	case err == nil && w.m.probe != nil:
		var before *unstructured.Unstructured
		if h != nil {
			before = h.live
		}
		return p.try(ctx, k, w, before, after)
	case err == nil && w.gvk().GroupKind() == crdKind:
		return p.waitForDefinition(ctx, w) // whoever plans next can use it
	case err == nil:
		return nil
	case about(err):
		return p.refusal(k, w, err)
	}
	return p.fail("apply object", w.String(), w.masker().Err(err))
}

// disown lets managers whose fields were taken over own nothing of the object any more. A field that the manifest and
// they set alike would otherwise stay when it is taken out of the manifest; one that they alone have set stays, and
// nobody's.
func (p *planner) disown(ctx context.Context, k kind, w Object, after *unstructured.Unstructured, managers []string) error {
	kept := slices.DeleteFunc(after.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool {
		return e.Subresource == "" && slices.Contains(managers, e.Manager)
	})
	patch, err := json.Marshal([]map[string]any{ // as client-go, util/csaupgrade
		{"op": "replace", "path": "/metadata/managedFields", "value": kept},
		{"op": "replace", "path": "/metadata/resourceVersion", "value": after.GetResourceVersion()},
	})
	if err != nil {
		return err
	}
	_, err = p.resource(k, w.namespace()).Patch(ctx, after.GetName(), types.JSONPatchType, patch,
		metav1.PatchOptions{FieldManager: p.spec.manager()})
	return err
}

// about reports whether the server refuses an object, and not all of them.
func about(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || apierrors.IsUnauthorized(err) || apierrors.IsTooManyRequests(err) {
		return false
	}
	s := status.Status()
	return untyped(err) || s.Code >= http.StatusBadRequest && s.Code < http.StatusInternalServerError ||
		apierrors.IsInternalError(err) && strings.Contains(s.Message, "webhook")
}

// refusal says why the server does not take an object.
func (p *planner) refusal(k kind, w Object, err error) error {
	e := &lab.Error{Op: "apply object", Target: p.cluster.name(), Path: w.String()}
	if owners := conflicts(err); len(owners) > 0 {
		var texts []string
		names := slices.Sorted(maps.Keys(owners))
		for _, name := range names {
			fields := owners[name]
			slices.Sort(fields)
			texts = append(texts, fmt.Sprintf("%s owns %s", name, strings.Join(slices.Compact(fields), ", ")))
		}
		e.Err = fmt.Errorf("%w: %s", lab.ErrConflict, strings.Join(texts, "; "))
		e.Hint = "leave these fields out of the manifest, or let them be taken over if nobody else writes them any more"
		e.Set = lab.Setting{Name: SettingTakeOver, Value: names[0]}
		return e
	}
	masked := w.masker().Err(p.fail("apply object", w.String(), err))
	if !immutable(err) {
		return masked
	}
	e.Err = fmt.Errorf("%w: a field cannot be changed once the object is there: %s", lab.ErrConflict, w.masker().Mask(err.Error()))
	e.Hint = "see what is lost with the object; if nothing is, remove it yourself and apply again"
	if k.gvk.Kind == "StatefulSet" {
		e.Hint += ", with its pods left running: kubectl delete --cascade=orphan"
	}
	return e
}
