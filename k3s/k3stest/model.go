package k3stest

import (
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
)

// models know the schemas of all kinds.
type models struct {
	own     managedfields.TypeConverter // of Kubernetes' own kinds
	deduced managedfields.TypeConverter // of kinds without a schema here
	types   *runtime.Scheme
}

func newModels() *models {
	return &models{own: applyconfigurations.NewTypeConverter(scheme.Scheme), deduced: managedfields.NewDeducedTypeConverter(),
		types: scheme.Scheme}
}

// model is the schema of a custom resource.
type model struct {
	validator *validate.SchemaValidator
	converter managedfields.TypeConverter
}

// manager returns what merges objects of a kind, and keeps who owns which fields: that of apimachinery.
func (m *models) manager(k kind) (*managedfields.FieldManager, error) {
	gv := k.gvk.GroupVersion()
	switch {
	case k.model != nil:
		return managedfields.NewDefaultCRDFieldManager(k.model.converter, as{k.gvk}, as{k.gvk}, as{k.gvk}, k.gvk, gv, "", nil)
	case m.types.Recognizes(k.gvk):
		return managedfields.NewDefaultFieldManager(m.own, as{k.gvk}, as{k.gvk}, as{k.gvk}, k.gvk, gv, "", nil)
	}
	return managedfields.NewDefaultCRDFieldManager(m.deduced, as{k.gvk}, as{k.gvk}, as{k.gvk}, k.gvk, gv, "", nil)
}

// as converts nothing: each kind has one version here.
type as struct{ gvk schema.GroupVersionKind }

func (as) Convert(any, any, any) error { return fmt.Errorf("k3stest converts nothing") }

func (as) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	return in, nil
}

func (as) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

func (as) Default(runtime.Object) {}

func (a as) New(schema.GroupVersionKind) (runtime.Object, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(a.gvk)
	return u, nil
}

// check validates an object by the schema of its kind. That of Kubernetes' own is in the field manager.
func (m *models) check(k kind, u *unstructured.Unstructured) error {
	if k.model == nil {
		return nil
	}
	var errs field.ErrorList
	for _, err := range k.model.validator.Validate(u.Object).Errors {
		errs = append(errs, field.Invalid(field.NewPath(""), "", err.Error()))
	}
	if len(errs) == 0 {
		return nil
	}
	return apierrors.NewInvalid(k.gvk.GroupKind(), u.GetName(), errs)
}

// established sets what the server sets in the status of a CustomResourceDefinition.
func established(u *unstructured.Unstructured) {
	u.Object["status"] = map[string]any{"conditions": []any{
		map[string]any{"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "message": "no conflicts found"},
		map[string]any{"type": "Established", "status": "True", "reason": "InitialNamesAccepted",
			"message": "the initial names have been accepted"}}}
}

// learn lets the server know the kinds of a CustomResourceDefinition.
func (s *Server) learn(u *unstructured.Unstructured) error {
	var def struct {
		Spec struct {
			Group, Scope string
			Names        struct{ Kind, Plural string }
			Versions     []struct {
				Name   string
				Served bool
				Schema struct {
					OpenAPIV3Schema *spec.Schema `json:"openAPIV3Schema"`
				}
			}
		}
	}
	b, err := u.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(b, &def)
	}
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	d := def.Spec
	s.kinds = slices.DeleteFunc(s.kinds, func(k kind) bool { return k.gvk.Group == d.Group && k.resource == d.Names.Plural })
	for _, v := range d.Versions {
		if !v.Served || v.Schema.OpenAPIV3Schema == nil {
			continue
		}
		k := kind{gvk: schema.GroupVersionKind{Group: d.Group, Version: v.Name, Kind: d.Names.Kind}, resource: d.Names.Plural,
			namespaced: d.Scope == "Namespaced"}
		if k.model, err = newModel(k.gvk, v.Schema.OpenAPIV3Schema); err != nil {
			return err
		}
		s.kinds = append(s.kinds, k)
	}
	return nil
}

func newModel(gvk schema.GroupVersionKind, s *spec.Schema) (*model, error) {
	m := &model{validator: validate.NewSchemaValidator(s, nil, "", strfmt.Default)}
	typed := *s
	typed.Properties = map[string]spec.Schema{}
	for name, p := range s.Properties {
		typed.Properties[name] = p
	}
	typed.Properties["apiVersion"], typed.Properties["kind"] = *spec.StringProperty(), *spec.StringProperty()
	typed.Properties["metadata"] = metadata()
	typed.Extensions = spec.Extensions{"x-kubernetes-group-version-kind": []any{map[string]any{
		"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}}}
	for k, v := range s.Extensions {
		typed.Extensions[k] = v
	}
	var err error
	m.converter, err = managedfields.NewTypeConverter(map[string]*spec.Schema{gvk.Kind: &typed}, false)
	return m, err
}

// metadata is the schema of ObjectMeta, as far as it matters who owns what.
func metadata() spec.Schema {
	text := spec.StringProperty()
	set := spec.ArrayProperty(text)
	set.Extensions = spec.Extensions{"x-kubernetes-list-type": "set"}
	any := spec.Schema{VendorExtensible: spec.VendorExtensible{Extensions: spec.Extensions{"x-kubernetes-preserve-unknown-fields": true}}}
	any.Type = spec.StringOrArray{"object"}
	fields := map[string]spec.Schema{"labels": *spec.MapProperty(text), "annotations": *spec.MapProperty(text), "finalizers": *set,
		"generation": *spec.Int64Property(), "ownerReferences": *spec.ArrayProperty(&any), "managedFields": *spec.ArrayProperty(&any)}
	for _, name := range []string{"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "generateName",
		"selfLink"} {
		fields[name] = *text
	}
	s := spec.Schema{}
	s.Type, s.Properties = spec.StringOrArray{"object"}, fields
	return s
}
