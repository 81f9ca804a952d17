package kube

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// The kinds of k3s' Helm controller.
var (
	helmChart       = schema.GroupKind{Group: "helm.cattle.io", Kind: "HelmChart"}
	helmChartConfig = schema.GroupKind{Group: "helm.cattle.io", Kind: "HelmChartConfig"}
)

// holdsVolumes reports whether a HelmChart is Longhorn's: to remove it is to uninstall it, with the data of
// all volumes.
func holdsVolumes(chart *unstructured.Unstructured) bool {
	if chart == nil {
		return false
	}
	name, _, _ := unstructured.NestedString(chart.Object, "spec", "chart")
	target, _, _ := unstructured.NestedString(chart.Object, "spec", "targetNamespace")
	return strings.HasPrefix(path.Base(name), "longhorn") || chart.GetName() == "longhorn" || target == "longhorn-system"
}

// helmRelease is what Helm keeps of a release in a Secret (helm.sh/helm/v3, pkg/release).
type helmRelease struct {
	Version int `json:"version"`
	Info    struct {
		Status      string `json:"status"`
		Description string `json:"description"`
	} `json:"info"`
	Chart struct {
		Metadata struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"metadata"`
	} `json:"chart"`
	Config map[string]any `json:"config"` // the values that were given
}

// maxRelease is more than a release can be, in bytes: a Secret has up to 1 MiB, compressed.
const maxRelease = 64 << 20

// release returns the state of a HelmChart, by the newest release that Helm has of it.
func (p *planner) release(ctx context.Context, chart *unstructured.Unstructured) (State, string, error) {
	namespace, _, _ := unstructured.NestedString(chart.Object, "spec", "targetNamespace")
	namespace = cmp.Or(namespace, chart.GetNamespace())
	secrets := kind{gvr: schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, namespaced: true}
	all, err := p.resource(secrets, namespace).List(ctx, metav1.ListOptions{LabelSelector: "owner=helm,name=" + chart.GetName()})
	if err != nil {
		return "", "", p.fail("read release", namespace+"/"+chart.GetName(), err)
	}
	newest, latest := (*unstructured.Unstructured)(nil), 0
	for n := range all.Items {
		if v, err := strconv.Atoi(all.Items[n].GetLabels()["version"]); err == nil && v > latest {
			newest, latest = &all.Items[n], v
		}
	}
	if newest == nil {
		return Progressing, "Helm has no release of it yet", nil
	}
	r, err := readRelease(newest)
	if err != nil {
		return Progressing, "its release cannot be read: " + err.Error(), nil
	}
	state, message := r.compare(chart)
	return state, message, nil
}

// compare compares the newest release with what the HelmChart asks for.
func (r *helmRelease) compare(chart *unstructured.Unstructured) (State, string) {
	spec := func(field string) string {
		s, _, _ := unstructured.NestedString(chart.Object, "spec", field)
		return s
	}
	if r.Info.Status == "failed" {
		return Failed, fmt.Sprintf("release %d has failed", r.Version) // its description may repeat values
	}
	if strings.HasPrefix(r.Info.Status, "pending-") { // Helm never ends it by itself (github.com/helm/helm, issue 4558)
		return Progressing, fmt.Sprintf("release %d is %s; if its job has ended, as after a power cut, roll the release back", r.Version,
			r.Info.Status)
	}
	if r.Info.Status != "deployed" {
		return Progressing, fmt.Sprintf("release %d is %s", r.Version, r.Info.Status)
	}
	if want := spec("version"); want != "" && strings.TrimPrefix(r.Chart.Metadata.Version, "v") != strings.TrimPrefix(want, "v") {
		return Progressing, fmt.Sprintf("release %d is of version %s, not %s", r.Version, r.Chart.Metadata.Version, want)
	}
	var values map[string]any
	if err := yaml.Unmarshal([]byte(spec("valuesContent")), &values); err != nil {
		return Failed, "its valuesContent is not YAML"
	}
	if !contains(r.Config, values) {
		return Progressing, fmt.Sprintf("release %d has other values", r.Version)
	}
	return Ready, ""
}

// contains reports whether the values that were given to a release hold those of the chart; those of its
// Secrets and its HelmChartConfig are there beside them.
func contains(has, want any) bool {
	w, ok := want.(map[string]any)
	if !ok {
		return want == nil || equal(has, want)
	}
	h, ok := has.(map[string]any)
	if !ok {
		return len(w) == 0
	}
	for k := range w {
		if !contains(h[k], w[k]) {
			return false
		}
	}
	return true
}

// readRelease decodes a release: JSON, compressed, in base64, and once more in that of the Secret.
func readRelease(secret *unstructured.Unstructured) (*helmRelease, error) {
	text, _, _ := unstructured.NestedString(secret.Object, "data", "release")
	outer, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(string(outer))
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b, 0x08}) {
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		if b, err = io.ReadAll(io.LimitReader(r, maxRelease)); err != nil {
			return nil, err
		}
	}
	out := &helmRelease{}
	return out, json.Unmarshal(b, out)
}
