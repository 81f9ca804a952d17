package k3stest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Release returns the Secret in which Helm keeps a release (helm.sh/helm/v3, pkg/storage/driver): its number, its
// status, such as "deployed" or "failed", and the chart's version and values.
func Release(namespace, name string, number int, status, version string, values map[string]any) *unstructured.Unstructured {
	b, err := json.Marshal(map[string]any{"name": name, "namespace": namespace, "version": number,
		"info":  map[string]any{"status": status, "description": "by k3stest"},
		"chart": map[string]any{"metadata": map[string]any{"name": name, "version": version}}, "config": values})
	var zipped bytes.Buffer
	if err == nil {
		w := gzip.NewWriter(&zipped)
		_, err = w.Write(b)
		err = cmp.Or(err, w.Close())
	}
	if err != nil {
		panic(err) // values of JSON, into memory
	}
	text := base64.StdEncoding.EncodeToString(zipped.Bytes())
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
		"metadata": map[string]any{"name": fmt.Sprintf("sh.helm.release.v1.%s.v%d", name, number), "namespace": namespace,
			"labels": map[string]any{"owner": "helm", "name": name, "status": status, "version": fmt.Sprint(number)}},
		"data": map[string]any{"release": base64.StdEncoding.EncodeToString([]byte(text))}}}
}

// Definition returns a CustomResourceDefinition of a kind, in which any field may be, as "cert-manager.io/v1" and
// "Certificate". Namespaced says whether its objects are in a namespace.
func Definition(apiVersion, kind string, namespaced bool) *unstructured.Unstructured {
	group, version, _ := strings.Cut(apiVersion, "/")
	scope := map[bool]string{true: "Namespaced", false: "Cluster"}[namespaced]
	name := plural(kind)
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": crd.GroupVersion().String(), "kind": crd.Kind,
		"metadata": map[string]any{"name": name + "." + group},
		"spec": map[string]any{"group": group, "scope": scope, "names": map[string]any{"kind": kind, "plural": name,
			"singular": strings.ToLower(kind), "listKind": kind + "List"},
			"versions": []any{map[string]any{"name": version, "served": true, "storage": true, "schema": map[string]any{
				"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}}}
}

// WithHelm returns an API of a cluster in which each HelmChart has a release that is deployed as soon as it
// is applied, with the chart's version and values, as k3s' Helm controller makes it in the end. Nothing of a chart
// is created but its namespace, and the definitions that are given for its name.
func WithHelm(api http.Handler, definitions map[string][]*unstructured.Unstructured) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		answer := httptest.NewRecorder()
		api.ServeHTTP(answer, req)
		if req.Method == http.MethodPatch && strings.Contains(req.URL.Path, "/helmcharts/") && req.URL.Query().Get("dryRun") == "" &&
			answer.Code < http.StatusMultipleChoices {
			if err := deploy(api, answer.Body.Bytes(), definitions); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // a client that has gone
	})
}

// deploy creates the release of a HelmChart, its namespace, and its definitions.
func deploy(api http.Handler, chart []byte, definitions map[string][]*unstructured.Unstructured) error {
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(chart); err != nil {
		return err
	}
	spec := func(field string) string {
		text, _, _ := unstructured.NestedString(u.Object, "spec", field)
		return text
	}
	namespace := cmp.Or(spec("targetNamespace"), u.GetNamespace())
	values := map[string]any{}
	if err := yaml.Unmarshal([]byte(spec("valuesContent")), &values); err != nil {
		return err
	}
	err := create(api, "/api/v1/namespaces",
		map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}})
	for _, d := range definitions[spec("chart")] {
		err = errors.Join(err, create(api, "/apis/"+crd.GroupVersion().String()+"/customresourcedefinitions", d.Object))
	}
	return errors.Join(err, create(api, "/api/v1/namespaces/"+namespace+"/secrets",
		Release(namespace, u.GetName(), int(u.GetGeneration()), "deployed", spec("version"), values).Object))
}

// create creates an object, unless it is there already.
func create(api http.Handler, path string, object map[string]any) error {
	b, err := json.Marshal(object)
	if err != nil {
		return err
	}
	req := httptest.NewRequest(http.MethodPost, path+"?fieldManager=helm-controller", bytes.NewReader(b))
	req.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	api.ServeHTTP(answer, req)
	if answer.Code != http.StatusCreated && answer.Code != http.StatusConflict {
		return fmt.Errorf("%s: %s", path, answer.Body)
	}
	return nil
}
