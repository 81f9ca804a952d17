package k3stest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
)

// writeOptions are how an object is written.
type writeOptions struct {
	manager string
	dryRun  bool
	force   bool
}

func optionsOf(req *http.Request) writeOptions {
	q := req.URL.Query()
	return writeOptions{manager: q.Get("fieldManager"), dryRun: q.Get("dryRun") == "All",
		force: q.Get("force") == "true"}
}

func keyOf(namespace, name string) string { return namespace + "/" + name }

func (s *Server) stored(k kind) map[string]*unstructured.Unstructured {
	gr := k.gvr().GroupResource()
	if s.objects[gr] == nil {
		s.objects[gr] = map[string]*unstructured.Unstructured{}
	}
	return s.objects[gr]
}

func notFound(k kind, name string) error { return apierrors.NewNotFound(k.gvr().GroupResource(), name) }

func (s *Server) get(t target) (*unstructured.Unstructured, error) {
	if u, ok := s.stored(t.kind)[keyOf(t.namespace, t.name)]; ok {
		return u, nil
	}
	return nil, notFound(t.kind, t.name)
}

func (s *Server) list(w http.ResponseWriter, req *http.Request, t target) error {
	q := req.URL.Query()
	if q.Get("watch") != "" {
		return unsupported(req, "a watch")
	}
	selector, err := labels.Parse(q.Get("labelSelector"))
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	var noType string
	if f := q.Get("fieldSelector"); f != "" {
		var ok bool
		if noType, ok = strings.CutPrefix(f, "type!="); !ok || t.kind.gvk.Kind != "Secret" {
			return unsupported(req, "the selector of fields")
		}
	}
	all := s.stored(t.kind)
	items := []any{}
	limit, _ := strconv.Atoi(q.Get("limit"))
	next := ""
	for _, key := range slices.Sorted(maps.Keys(all)) {
		u := all[key]
		secretType, _, _ := unstructured.NestedString(u.Object, "type")
		if t.namespace != "" && u.GetNamespace() != t.namespace || !selector.Matches(labels.Set(u.GetLabels())) ||
			noType != "" && secretType == noType || key <= q.Get("continue") {
			continue
		}
		if limit > 0 && len(items) == limit {
			next = keyOf(items[limit-1].(*unstructured.Unstructured).GetNamespace(), items[limit-1].(*unstructured.Unstructured).GetName())
			break
		}
		items = append(items, u)
	}
	list := map[string]any{"apiVersion": t.kind.gvk.GroupVersion().String(), "kind": t.kind.gvk.Kind + "List",
		"metadata": map[string]any{"resourceVersion": strconv.FormatInt(s.version, 10), "continue": next}}
	if strings.Contains(req.Header.Get("Accept"), "as=PartialObjectMetadataList") {
		list["apiVersion"], list["kind"] = "meta.k8s.io/v1", "PartialObjectMetadataList"
		req.Header.Set("Accept", "as=PartialObjectMetadata")
	}
	for n := range items {
		items[n] = reduced(req, items[n].(*unstructured.Unstructured))
	}
	list["items"] = items
	return answer(w, http.StatusOK, "application/json", list)
}

// body reads an object that was sent.
func body(req *http.Request, t target) (*unstructured.Unstructured, error) {
	b, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(b); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if u.GroupVersionKind() != t.kind.gvk || t.name != "" && u.GetName() != t.name ||
		u.GetNamespace() != t.namespace && u.GetNamespace() != "" {
		return nil, apierrors.NewBadRequest("the object does not match the path")
	}
	u.SetNamespace(t.namespace)
	return u, nil
}

func (s *Server) post(w http.ResponseWriter, req *http.Request, t target) error {
	u, err := body(req, t)
	if err != nil {
		return err
	}
	made, err := s.create(t.kind, u, optionsOf(req))
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, "application/json", made.Object)
}

func (s *Server) put(w http.ResponseWriter, req *http.Request, t target) error {
	u, err := body(req, t)
	if err != nil {
		return err
	}
	live, err := s.get(t)
	if err != nil {
		return err
	}
	if v := u.GetResourceVersion(); v != "" && v != live.GetResourceVersion() {
		return conflict(t, "the object has been modified; please apply your changes to the latest version and try again")
	}
	if t.status {
		s.version++
		live = live.DeepCopy()
		live.Object["status"] = u.Object["status"]
		live.SetResourceVersion(strconv.FormatInt(s.version, 10))
		s.stored(t.kind)[keyOf(t.namespace, t.name)] = live
		return answer(w, http.StatusOK, "application/json", live.Object)
	}
	o := optionsOf(req)
	fields, err := s.models.manager(t.kind)
	if err != nil {
		return err
	}
	merged, err := fields.Update(live.DeepCopy(), u, o.manager)
	if err != nil {
		return err
	}
	after, err := s.write(t.kind, live, merged.(*unstructured.Unstructured), o)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, "application/json", after.Object)
}

func conflict(t target, text string) error {
	return apierrors.NewConflict(t.kind.gvr().GroupResource(), t.name, fmt.Errorf("%s", text))
}

// create makes an object that is not there.
func (s *Server) create(k kind, u *unstructured.Unstructured, o writeOptions) (*unstructured.Unstructured, error) {
	if _, there := s.stored(k)[keyOf(u.GetNamespace(), u.GetName())]; there {
		return nil, apierrors.NewAlreadyExists(k.gvr().GroupResource(), u.GetName())
	}
	fields, err := s.models.manager(k)
	if err != nil {
		return nil, err
	}
	empty := &unstructured.Unstructured{}
	empty.SetGroupVersionKind(k.gvk)
	merged, err := fields.Update(empty, u.DeepCopy(), o.manager)
	if err != nil {
		return nil, err
	}
	return s.write(k, nil, merged.(*unstructured.Unstructured), o)
}

// patch does a server-side apply: apimachinery merges, as in a real server.
func (s *Server) patch(w http.ResponseWriter, req *http.Request, t target) error {
	switch types.PatchType(req.Header.Get("Content-Type")) {
	case types.ApplyPatchType:
	case types.JSONPatchType:
		return s.patchFields(w, req, t)
	default:
		return unsupported(req, "a patch that is not a server-side apply")
	}
	u, err := body(req, t)
	if err != nil {
		return err
	}
	o := optionsOf(req)
	if o.manager == "" {
		return apierrors.NewBadRequest("PatchOptions.meta.k8s.io is invalid: fieldManager: Required value: is required for apply patch")
	}
	delete(u.Object, "status") // it is a subresource
	live, there := s.stored(t.kind)[keyOf(t.namespace, t.name)]
	before := live
	if !there {
		live, before = &unstructured.Unstructured{}, nil
		live.SetGroupVersionKind(t.kind.gvk)
	}
	if v := u.GetResourceVersion(); v != "" && v != live.GetResourceVersion() {
		return conflict(t, "the object has been modified; please apply your changes to the latest version and try again")
	}
	u.SetResourceVersion("")
	fields, err := s.models.manager(t.kind)
	if err != nil {
		return err
	}
	merged, err := fields.Apply(live.DeepCopy(), u, o.manager, o.force)
	if err != nil {
		return err
	}
	after, err := s.write(t.kind, before, merged.(*unstructured.Unstructured), o)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !there {
		status = http.StatusCreated
	}
	return answer(w, status, "application/json", after.Object)
}

// patchFields replaces the managed fields of an object, if it has not changed.
func (s *Server) patchFields(w http.ResponseWriter, req *http.Request, t target) error {
	var ops []struct {
		Op, Path string
		Value    json.RawMessage
	}
	if err := json.NewDecoder(req.Body).Decode(&ops); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	live, err := s.get(t)
	if err != nil {
		return err
	}
	after := live.DeepCopy()
	for _, op := range ops {
		switch op.Op + " " + op.Path {
		case "replace /metadata/managedFields":
			var entries []metav1.ManagedFieldsEntry
			if err := json.Unmarshal(op.Value, &entries); err != nil {
				return apierrors.NewBadRequest(err.Error())
			}
			after.SetManagedFields(entries)
		case "replace /metadata/resourceVersion":
			if string(op.Value) != strconv.Quote(live.GetResourceVersion()) {
				return conflict(t, "the object has been modified; please apply your changes to the latest version and try again")
			}
		default:
			return unsupported(req, "the operation "+op.Op+" "+op.Path)
		}
	}
	if after, err = s.write(t.kind, live, after, optionsOf(req)); err != nil {
		return err
	}
	return answer(w, http.StatusOK, "application/json", after.Object)
}

// write stores an object; before is nil for a new one.
func (s *Server) write(k kind, before, after *unstructured.Unstructured, o writeOptions) (*unstructured.Unstructured, error) {
	if k.namespaced {
		if _, ok := s.objects[schema.GroupResource{Resource: "namespaces"}][keyOf("", after.GetNamespace())]; !ok {
			return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, after.GetNamespace())
		}
	}
	if err := s.models.check(k, after); err != nil {
		return nil, err
	}
	if k.model == nil {
		fill(after)
	}
	if before != nil {
		if err := immutable(k, before, after); err != nil {
			return nil, err
		}
		after.SetUID(before.GetUID())
		after.SetCreationTimestamp(before.GetCreationTimestamp())
		after.SetGeneration(before.GetGeneration())
		after.SetResourceVersion(before.GetResourceVersion())
		if same(before, after) {
			return before, nil
		}
		if !reflect.DeepEqual(before.Object["spec"], after.Object["spec"]) {
			after.SetGeneration(before.GetGeneration() + 1)
		}
	} else {
		after.SetUID(uuid.NewUUID())
		after.SetCreationTimestamp(metav1.NewTime(time.Now().Truncate(time.Second)))
		after.SetGeneration(1)
	}
	if k.gvk == crd {
		established(after)
	}
	if o.dryRun {
		return after, nil
	}
	s.version++
	after.SetResourceVersion(strconv.FormatInt(s.version, 10))
	s.stored(k)[keyOf(after.GetNamespace(), after.GetName())] = after
	if k.gvk == crd {
		return after, s.learn(after)
	}
	return after, nil
}

// same reports whether nothing but times of managed fields differs.
func same(a, b *unstructured.Unstructured) bool {
	timeless := func(u *unstructured.Unstructured) map[string]any {
		c := u.DeepCopy()
		entries := c.GetManagedFields()
		for n := range entries {
			entries[n].Time = nil
		}
		c.SetManagedFields(entries)
		return c.Object
	}
	x, _ := json.Marshal(timeless(a))
	y, _ := json.Marshal(timeless(b))
	return string(x) == string(y)
}

func (s *Server) delete(w http.ResponseWriter, req *http.Request, t target) error {
	u, err := s.get(t)
	if err != nil {
		return err
	}
	var o metav1.DeleteOptions
	if err := json.NewDecoder(req.Body).Decode(&o); err != nil && err != io.EOF {
		return apierrors.NewBadRequest(err.Error())
	}
	if p := o.Preconditions; p != nil && (p.UID != nil && *p.UID != u.GetUID() ||
		p.ResourceVersion != nil && *p.ResourceVersion != u.GetResourceVersion()) {
		return conflict(t, "the precondition of the deletion is not met")
	}
	s.version++
	if len(u.GetFinalizers()) > 0 {
		if u.GetDeletionTimestamp() == nil {
			now := metav1.NewTime(time.Now().Truncate(time.Second))
			u.SetDeletionTimestamp(&now)
			u.SetResourceVersion(strconv.FormatInt(s.version, 10))
		}
		return answer(w, http.StatusOK, "application/json", u.Object)
	}
	s.forget(t.kind, u)
	return answer(w, http.StatusOK, "application/json", metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status: metav1.StatusSuccess})
}

// forget removes an object, with what a cluster removes with it: what is in a namespace, and the objects of a
// CustomResourceDefinition.
func (s *Server) forget(k kind, u *unstructured.Unstructured) {
	delete(s.stored(k), keyOf(u.GetNamespace(), u.GetName()))
	switch k.gvk.Kind {
	case "Namespace":
		for _, all := range s.objects {
			maps.DeleteFunc(all, func(_ string, o *unstructured.Unstructured) bool { return o.GetNamespace() == u.GetName() })
		}
	case crd.Kind:
		s.kinds = slices.DeleteFunc(s.kinds, func(k kind) bool {
			gone := k.model != nil && k.resource+"."+k.gvk.Group == u.GetName()
			if gone {
				delete(s.objects, k.gvr().GroupResource())
			}
			return gone
		})
	}
}
