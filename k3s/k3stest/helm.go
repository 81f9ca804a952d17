package k3stest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
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

// WithHelm returns an API of a cluster in which each HelmChart has a release that is deployed as soon as it
// is applied, with the chart's version and values, as k3s' Helm controller makes it in the end. Nothing of the chart
// is created but its namespace.
func WithHelm(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		answer := httptest.NewRecorder()
		api.ServeHTTP(answer, req)
		if req.Method == http.MethodPatch && strings.Contains(req.URL.Path, "/helmcharts/") && req.URL.Query().Get("dryRun") == "" &&
			answer.Code < http.StatusMultipleChoices {
			if err := deploy(api, answer.Body.Bytes()); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // a client that has gone
	})
}

// deploy creates the release of a HelmChart, and its namespace.
func deploy(api http.Handler, chart []byte) error {
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
	for _, o := range []struct {
		path string
		body map[string]any
	}{
		{"/api/v1/namespaces", map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}}},
		{"/api/v1/namespaces/" + namespace + "/secrets",
			Release(namespace, u.GetName(), int(u.GetGeneration()), "deployed", spec("version"), values).Object},
	} {
		b, err := json.Marshal(o.body)
		if err != nil {
			return err
		}
		req := httptest.NewRequest(http.MethodPost, o.path+"?fieldManager=helm-controller", bytes.NewReader(b))
		req.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		api.ServeHTTP(answer, req)
		if answer.Code != http.StatusCreated && answer.Code != http.StatusConflict { // it is there already
			return fmt.Errorf("%s: %s", o.path, answer.Body)
		}
	}
	return nil
}
