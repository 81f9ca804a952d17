package kube

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Object is an object as it is wanted: what a manifest says. Its secrets are hidden: however it is
// formatted, it yields its name. Make it by [NewObject] or [ParseObjects].
type Object struct{ m *manifest }

// manifest is behind a pointer, so that fmt shows none of it.
type manifest struct {
	content  map[string]any
	secrets  []lab.Secret
	hidden   map[string]bool             // where they are, see place
	needs    []string                    // objects, as in Object.String
	provides []string                    // API groups
	probe    func(context.Context) error // nil: it is not tried
}

// NewObject returns the object with the content of a manifest. Its values are maps with string keys, slices,
// strings, booleans, integers, float64 and nil, which leaves a field out. A [lab.Secret] may stand wherever a
// string may: it is sent as it is, and never shown. The data and stringData of a Secret are never shown
// anyway; its stringData is turned into data.
func NewObject(content map[string]any) (Object, error) {
	m := &manifest{}
	var ps lab.Problems
	m.content, _ = m.value("", content, &ps).(map[string]any)
	delete(m.content, "status") // controllers write it; manifests of CRDs often have an empty one
	o := Object{m}
	if len(ps) == 0 {
		ps = o.validate()
	}
	if len(ps) == 0 {
		if o.isSecret() {
			ps = m.encodeData()
		}
		m.findHidden()
	}
	if len(ps) > 0 {
		return Object{}, &lab.Error{Op: "read object", Path: o.describe(), Err: ps.Err()}
	}
	return o, nil
}

// ParseObjects returns the objects of manifests: YAML documents, or JSON. A List is its items; a document that
// is empty is none.
func ParseObjects(manifests []byte) ([]Object, error) {
	var all []Object
	var errs []error
	r := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifests)))
	for n := 1; ; n++ {
		doc, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all, errors.Join(errs...)
		}
		var content map[string]any
		if err == nil {
			err = yaml.UnmarshalStrict(doc, &content)
		}
		if err != nil {
			return nil, &lab.Error{Op: "read manifests", Path: fmt.Sprintf("document %d", n),
				Err: fmt.Errorf("%w: %s", lab.ErrInvalid, parseError(err))}
		}
		if len(content) == 0 {
			continue
		}
		if key := boolKey("", content); key != "" {
			return nil, &lab.Error{Op: "read manifests", Path: fmt.Sprintf("document %d", n), Hint: "put quotes around it",
				Err: fmt.Errorf("%w: %s: y, n, yes, no, on and off are true and false in Kubernetes' YAML, as keys too", lab.ErrInvalid, key)}
		}
		items := []any{content}
		if list, ok := content["items"].([]any); ok && content["kind"] == "List" {
			items = list
		}
		for _, item := range items {
			content, _ := item.(map[string]any)
			o, err := NewObject(content)
			if err != nil {
				errs = append(errs, fmt.Errorf("document %d: %w", n, err))
				continue
			}
			all = append(all, o)
		}
	}
}

// boolKey returns the path of a key that was read as true or false; "" if there is none.
func boolKey(path string, v any) string {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			at := strings.TrimPrefix(path+"."+k, ".")
			if k == "true" || k == "false" {
				return at
			}
			if found := boolKey(at, v[k]); found != "" {
				return found
			}
		}
	case []any:
		for n := range v {
			if found := boolKey(fmt.Sprintf("%s[%d]", path, n), v[n]); found != "" {
				return found
			}
		}
	}
	return ""
}

// After returns the object, to be applied when the others are ready. Objects come after their namespace and
// after their CustomResourceDefinition without being told.
func (o Object) After(others ...Object) Object {
	m := *o.m
	m.needs = slices.Clone(m.needs)
	for _, other := range others {
		m.needs = append(m.needs, other.String())
	}
	return Object{&m}
}

// Provides returns the object, of which it is known that it makes the cluster know the kinds of API groups,
// as a HelmChart does whose chart has CustomResourceDefinitions. Objects of these groups come after it.
func (o Object) Provides(groups ...string) Object {
	m := *o.m
	m.provides = append(slices.Clone(m.provides), groups...)
	return Object{&m}
}

// String returns the object's kind and name, as "deployment.apps:tools/vault" or "namespace:tools".
func (o Object) String() string {
	if o.m == nil {
		return ""
	}
	return kindName(o.gvk().GroupKind()) + ":" + o.key()
}

// GoString returns what String returns.
func (o Object) GoString() string { return o.String() }

// kindName returns how kinds are called in plans, as kubectl does: "deployment.apps", "configmap".
func kindName(gk schema.GroupKind) string {
	name := strings.ToLower(gk.Kind)
	if gk.Group != "" {
		name += "." + gk.Group
	}
	return name
}

func (o Object) object() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: o.m.content}
}

func (o Object) gvk() schema.GroupVersionKind { return o.object().GroupVersionKind() }

// key is the name among those of its kind: "tools/vault", or "tools" of what is in no namespace.
func (o Object) key() string { return keyOf(o.object()) }

func keyOf(u interface {
	GetNamespace() string
	GetName() string
}) string {
	if u.GetNamespace() == "" {
		return u.GetName()
	}
	return u.GetNamespace() + "/" + u.GetName()
}

func (o Object) namespace() string { return o.object().GetNamespace() }

func (o Object) isSecret() bool { return isSecret(o.gvk().GroupKind()) }

func isSecret(gk schema.GroupKind) bool { return gk == schema.GroupKind{Kind: "Secret"} }

// describe names the object in errors, as far as it has a name.
func (o Object) describe() string {
	kind, name := o.object().GetKind(), o.key()
	return strings.Trim(kind+" "+name, " /")
}

// validate reports what no server would take.
func (o Object) validate() (ps lab.Problems) {
	u := o.object()
	if u.GetKind() == "" || u.GetAPIVersion() == "" {
		ps.Add("kind", "a manifest needs apiVersion and kind")
	}
	if _, err := schema.ParseGroupVersion(u.GetAPIVersion()); err != nil {
		ps.Add("apiVersion", "%q is not GROUP/VERSION", u.GetAPIVersion())
	}
	if u.GetGenerateName() != "" {
		ps.Add("metadata.generateName", "would make another object each time: give it a name")
	} else if u.GetName() == "" {
		ps.Add("metadata.name", "empty")
	}
	for field, set := range map[string]bool{"managedFields": u.GetManagedFields() != nil, "resourceVersion": u.GetResourceVersion() != "",
		"uid": u.GetUID() != "", "deletionTimestamp": u.GetDeletionTimestamp() != nil} {
		if set {
			ps.Add("metadata."+field, "is the server's to set: this is an object of a server, not a manifest")
		}
	}
	return ps
}

// value returns a value as JSON has it, without what is nil.
func (m *manifest) value(path string, v any, ps *lab.Problems) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if v[k] != nil {
				out[k] = m.value(strings.TrimPrefix(path+"."+k, "."), v[k], ps)
			}
		}
		return out
	case map[string]string:
		out := make(map[string]any, len(v))
		for k, s := range v {
			out[k] = s
		}
		return out
	case map[string]lab.Secret:
		out := make(map[string]any, len(v))
		for k, s := range v {
			out[k] = m.value(path, s, ps)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for n := range v {
			out[n] = m.value(fmt.Sprintf("%s[%d]", path, n), v[n], ps)
		}
		return out
	case []map[string]any:
		out := make([]any, len(v))
		for n := range v {
			out[n] = m.value(fmt.Sprintf("%s[%d]", path, n), v[n], ps)
		}
		return out
	case []string:
		out := make([]any, len(v))
		for n := range v {
			out[n] = v[n]
		}
		return out
	case lab.Secret:
		if !v.IsZero() {
			m.secrets = append(m.secrets, v)
		}
		return v.Reveal()
	case string, bool, int64, nil:
		return v
	case int:
		return int64(v)
	case int32:
		return int64(v)
	case float64:
		if whole := int64(v); float64(whole) == v {
			return whole
		}
		return v
	}
	ps.Add(path, "%T cannot be in a manifest", v)
	return nil
}

// encodeData moves the stringData of a Secret to its data, and remembers all of it as secrets.
func (m *manifest) encodeData() (ps lab.Problems) {
	data := map[string]any{}
	keep := func(key, value string) {
		data[key] = base64.StdEncoding.EncodeToString([]byte(value))
		m.secrets = append(m.secrets, lab.NewSecret(value))
	}
	for _, field := range []string{"data", "stringData"} { // the server lets stringData win too
		if m.content[field] == nil {
			continue
		}
		values, ok := m.content[field].(map[string]any)
		if !ok {
			ps.Add(field, "is not a map")
			continue
		}
		for key, v := range values {
			text, ok := v.(string)
			if field == "data" && ok {
				var decoded []byte
				var err error
				decoded, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
				text, ok = string(decoded), err == nil
			}
			if !ok {
				ps.Add(field+"."+key, "is not a string, or not in base64")
				continue
			}
			keep(key, text)
		}
	}
	delete(m.content, "stringData")
	if len(data) > 0 {
		m.content["data"] = data
	}
	return ps
}

// masker masks what is secret in the object, wherever it is repeated.
func (o Object) masker() *lab.Masker { return lab.NewMasker(o.m.secrets...) }

// parseError returns what an error of the YAML reader says, without what it repeats of the document, which
// may hold secrets: it quotes values with backticks.
func parseError(err error) string {
	text := err.Error()
	if _, after, ok := strings.Cut(text, "unmarshal errors:\n"); ok {
		text, _, _ = strings.Cut(strings.TrimSpace(after), "\n")
	}
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "error converting YAML to JSON: "), "\n")
	if strings.Contains(text, "`") {
		text = "it is not a map"
	}
	return text
}
