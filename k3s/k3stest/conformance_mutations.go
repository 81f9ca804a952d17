package k3stest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// mutations: whatever is changed in a manifest, there is something to do if, and only if, the server says in a
// dry run that an apply would change the object or who owns its fields.
func (s *Suite) mutations(t *testing.T) {
	w := s.world(t, namespace, deployment, service, configMap)
	w.spec.Prune = false
	w.apply(t)
	random := rand.New(rand.NewPCG(1, 2))
	changed, same := 0, 0
	for _, target := range []struct{ manifest, apiVersion, resource, name string }{
		{deployment, "apps/v1", "deployments", "web"},
		{service, "v1", "services", "web"},
		{configMap, "v1", "configmaps", "settings"},
	} {
		for range 60 {
			var content map[string]any
			if err := yaml.Unmarshal([]byte(strings.ReplaceAll(target.manifest, "NS", w.name)), &content); err != nil {
				t.Fatal(err)
			}
			for _, field := range []string{"spec", "data"} {
				if content[field] != nil && random.IntN(8) > 0 {
					content[field] = mutate(random, content[field])
				}
			}
			b, err := json.Marshal(content)
			if err != nil {
				t.Fatal(err)
			}
			objects, err := kube.ParseObjects(b)
			if err != nil {
				continue
			}
			w.spec.Objects = append(w.objects(t, namespace), objects...)
			does, refused := w.wouldChange(t, content, target.apiVersion, target.resource, target.name)
			p, err := w.cluster.Plan(t.Context(), w.spec)
			switch {
			case refused != (err != nil):
				t.Errorf("the server refuses it: %v; the plan's error is %v:\n%s", refused, err, b)
			case !refused && p.Empty() == does:
				t.Errorf("an apply changes it: %v; the plan is\n%v\n%s", does, p, b)
			}
			if does {
				changed++
			} else if !refused {
				same++
			}
		}
	}
	if changed < 20 || same < 10 {
		t.Errorf("only %d manifests that change something, and %d that do not", changed, same)
	}
}

// wouldChange asks the API itself.
func (w *world) wouldChange(tb testing.TB, content map[string]any, apiVersion, resource, name string) (changes, refused bool) {
	tb.Helper()
	u := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(jsonValue(tb, content).(map[string]any))}
	u.SetLabels(map[string]string{kube.OwnerLabel: w.name})
	path := w.path(apiVersion, resource, name)
	code, after := w.request(tb, http.MethodPatch, path+"?dryRun=All&fieldValidation=Strict&fieldManager=lab-"+w.name,
		"application/apply-patch+yaml", u.Object)
	if code >= http.StatusMultipleChoices {
		return false, true
	}
	return !reflect.DeepEqual(timeless(w.read(tb, apiVersion, resource, name)), timeless(after)), false
}

// timeless returns an object without when its fields were set.
func timeless(content map[string]any) map[string]any {
	u := &unstructured.Unstructured{Object: content}
	entries := u.GetManagedFields()
	for n := range entries {
		entries[n].Time = nil
	}
	slices.SortFunc(entries, func(a, b metav1.ManagedFieldsEntry) int { return strings.Compare(a.Manager, b.Manager) })
	u.SetManagedFields(entries)
	u.SetGeneration(0)
	return u.Object
}

// jsonValue returns a value as a reader of JSON has it, with integers.
func jsonValue(tb testing.TB, v any) any {
	tb.Helper()
	b, err := json.Marshal(map[string]any{"v": v})
	u := map[string]any{}
	if err == nil {
		err = yaml.Unmarshal(b, &u, func(d *json.Decoder) *json.Decoder { d.UseNumber(); return d })
	}
	if err != nil {
		tb.Fatal(err)
	}
	return integers(u["v"])
}

func integers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = integers(v[k])
		}
	case []any:
		for n := range v {
			v[n] = integers(v[n])
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	}
	return v
}

// mutate changes one thing in a value of JSON.
func mutate(random *rand.Rand, v any) any {
	switch v := v.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		if len(keys) == 0 {
			return v
		}
		key := keys[random.IntN(len(keys))]
		switch random.IntN(8) {
		case 0:
			delete(v, key)
		case 1:
			v[key] = nil
		default:
			v[key] = mutate(random, v[key])
		}
		return v
	case []any:
		if len(v) == 0 {
			return v
		}
		n := random.IntN(len(v))
		switch random.IntN(6) {
		case 0:
			return slices.Delete(v, n, n+1)
		case 1:
			v[0], v[n] = v[n], v[0]
		case 2:
			return append(v, v[n])
		default:
			v[n] = mutate(random, v[n])
		}
		return v
	case string:
		switch random.IntN(3) {
		case 0:
			return v
		case 1:
			return fmt.Sprintf("%s-%d", v, random.IntN(3))
		}
		return ""
	case float64:
		return v + float64(random.IntN(2))
	}
	return v
}
