package kube

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// diff compares an object with what was observed of it, and with what the server says it would become.
func diff(w Object, h *observed) reconcile.Delta {
	switch {
	case h == nil || h.unknown && h.live == nil:
		return created(w)
	case h.err != nil:
		return reconcile.Delta{Err: h.err}
	case h.live == nil:
		return created(w)
	case h.live.GetDeletionTimestamp() != nil:
		return reconcile.Delta{Err: &lab.Error{Op: "plan object", Path: w.String(), Hint: "wait until it is gone, then plan again",
			Err: fmt.Errorf("%w: it is being removed%s", lab.ErrBlocked, waitsFor(h.live.GetFinalizers()))}}
	case h.same && len(h.taken) > 0:
		return reconcile.Delta{Action: lab.Update, Cause: "takes fields over from " + strings.Join(h.taken, ", ")}
	case h.same || h.after == nil:
		return reconcile.Delta{}
	}
	before, after := stripped(h.live.Object), stripped(h.after.Object)
	if reflect.DeepEqual(before, after) {
		if len(h.taken) > 0 {
			return reconcile.Delta{Action: lab.Update, Cause: "takes fields over from " + strings.Join(h.taken, ", ")}
		}
		if sameFields(h.live, h.after, w.manager()) {
			return reconcile.Delta{}
		}
		return reconcile.Delta{Action: lab.Update, Cause: "the fields that are wanted are not all owned"}
	}
	d := reconcile.Delta{Action: lab.Update, Cause: "differs", Risk: risk(w.gvk().GroupKind(), before, after)}
	if len(h.taken) > 0 {
		d.Cause = "differs, and takes fields over from " + strings.Join(h.taken, ", ")
		d.Risk = max(d.Risk, lab.RiskDisrupt)
	}
	was, will := w.texts(h.live.Object, h.after.Object)
	d.Diff = lab.Diff(w.String(), []byte(was), []byte(will))
	return d
}

func created(w Object) reconcile.Delta {
	d := reconcile.Delta{Action: lab.Create, Cause: "not found"}
	if w.gvk().GroupKind() != crdKind { // thousands of lines that nobody reads
		d.Diff = lab.Diff(w.String(), nil, []byte(w.YAML()))
	}
	return d
}

func waitsFor(finalizers []string) string {
	if len(finalizers) == 0 {
		return ""
	}
	return ", and waits for " + strings.Join(finalizers, ", ")
}

// manager is the field manager of the owner whose label the object has.
func (o Object) manager() string { return "lab-" + o.object().GetLabels()[OwnerLabel] }

// sameFields reports whether a manager owns the same fields of both.
func sameFields(a, b *unstructured.Unstructured, manager string) bool {
	x, y := applied(a.GetManagedFields(), manager), applied(b.GetManagedFields(), manager)
	if x == nil || y == nil || x.FieldsV1 == nil || y.FieldsV1 == nil {
		return x == y
	}
	return x.APIVersion == y.APIVersion && bytes.Equal(x.FieldsV1.GetRawBytes(), y.FieldsV1.GetRawBytes())
}

// risk is the risk of an update: pods are made anew when their template changes, and a chart is upgraded.
func risk(gk schema.GroupKind, before, after map[string]any) lab.Risk {
	switch {
	case gk == helmChart || gk == helmChartConfig:
		return lab.RiskRestart
	case gk.Group != "apps":
		return lab.RiskNone
	}
	a, _, _ := unstructured.NestedFieldNoCopy(before, "spec", "template")
	b, _, _ := unstructured.NestedFieldNoCopy(after, "spec", "template")
	if reflect.DeepEqual(a, b) {
		return lab.RiskNone
	}
	return lab.RiskRestart
}
