package k3stest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"

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

// deploy does what k3s' Helm controller does, without running anything: it creates the namespace, and a release
// with the chart's version and values. Nothing of the chart is created.
func (s *Server) deploy(chart *unstructured.Unstructured) error {
	spec := func(field string) string {
		text, _, _ := unstructured.NestedString(chart.Object, "spec", field)
		return text
	}
	namespace := cmp.Or(spec("targetNamespace"), chart.GetNamespace())
	values := map[string]any{}
	if err := yaml.Unmarshal([]byte(spec("valuesContent")), &values); err != nil {
		return err
	}
	number := int(chart.GetGeneration())
	for _, u := range []*unstructured.Unstructured{
		{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}}},
		Release(namespace, chart.GetName(), number, "deployed", spec("version"), values),
	} {
		for _, k := range s.kinds {
			if _, there := s.stored(k)[keyOf(u.GetNamespace(), u.GetName())]; k.gvk == u.GroupVersionKind() && !there {
				if _, err := s.create(k, u, writeOptions{manager: "helm-controller"}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
