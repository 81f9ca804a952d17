package k3stest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// chart returns the objects of a chart whose release is in the world's namespace.
func (w *world) chart(tb testing.TB, version string) []kube.Object {
	tb.Helper()
	all, err := kube.HelmChart{Name: w.name, Chart: "vault", Repo: "https://helm.releases.hashicorp.com", Version: version, Namespace: w.name,
		Values: map[string]any{"replicas": 2, "ui": map[string]any{"enabled": true, "token": lab.NewSecret(password)}}}.Objects()
	if err != nil {
		tb.Fatal(err)
	}
	return append(w.objects(tb, namespace), all...)
}

// releases: a chart is ready when Helm has a release of its version, with its values, that is deployed.
func (s *Suite) releases(t *testing.T) {
	w := s.world(t)
	w.spec.Objects = w.chart(t, "0.31.0")
	p := w.plan(t)
	if text := p.String(); strings.Contains(text, password) || !strings.Contains(text, "failurePolicy: abort") {
		t.Errorf("the plan is\n%s", text)
	}
	w.apply(t)
	if p := w.plan(t); !p.Empty() {
		t.Errorf("there is to do:\n%v", p)
	}
	values := map[string]any{"replicas": 2, "ui": map[string]any{"enabled": true, "token": password}}
	for number, test := range []struct {
		status, version string
		values          map[string]any
		state           kube.State
		says            string
	}{
		{state: kube.Progressing, says: "no release of it yet"},
		{status: "pending-install", version: "0.31.0", values: values, state: kube.Progressing, says: "is pending-install"},
		{status: "failed", version: "0.31.0", values: values, state: kube.Failed, says: "release 2 has failed"},
		{status: "deployed", version: "0.30.0", values: values, state: kube.Progressing, says: "of version 0.30.0, not 0.31.0"},
		{status: "deployed", version: "0.31.0", values: map[string]any{"replicas": 1}, state: kube.Progressing, says: "has other values"},
		{status: "deployed", version: "0.31.0", values: values, state: kube.Ready},
	} {
		if test.status != "" {
			w.post(t, Release(w.name, w.name, number, test.status, test.version, test.values))
		}
		all, err := w.cluster.Health(t.Context(), w.spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range all {
			if strings.HasPrefix(h.Object, "helmchart.") && (h.State != test.state || !strings.Contains(h.Message, test.says)) {
				t.Errorf("release %d: %v, want %s with %q", number, h, test.state, test.says)
			}
			if strings.Contains(h.Message, password) {
				t.Errorf("a secret is in %s", h.Message)
			}
		}
	}
	// What comes after a chart is not applied when its release has failed.
	w.post(t, Release(w.name, w.name, 6, "failed", "0.31.0", values))
	w.spec.Objects = append(w.spec.Objects, w.objects(t, configMap)[0].After(w.spec.Objects[2]))
	r, err := w.plan(t).Apply(t.Context(), nil)
	if !errors.Is(err, lab.ErrBlocked) || !strings.Contains(fmt.Sprint(err), "release 6 has failed") || r.Complete() {
		t.Errorf("%v %v", err, r)
	}
	if w.read(t, "v1", "configmaps", "settings") != nil {
		t.Error("it was applied before the chart")
	}
	w.post(t, Release(w.name, w.name, 7, "deployed", "0.31.0", values))
	w.apply(t)
}

// post creates a release.
func (w *world) post(tb testing.TB, release *unstructured.Unstructured) {
	tb.Helper()
	code, answer := w.request(tb, http.MethodPost, strings.TrimSuffix(w.path("v1", "secrets", ""), "/"), "application/json", release.Object)
	if code != http.StatusCreated {
		tb.Fatal(answer)
	}
}

// longhornStays: the HelmChart of Longhorn is not removed, although nobody marked it: the data of all volumes
// would go with it.
func (s *Suite) longhornStays(t *testing.T) {
	for _, chart := range []kube.HelmChart{
		{Chart: "longhorn", Repo: "https://charts.longhorn.io", Namespace: "storage"},
		{Chart: "oci://ghcr.io/longhorn/longhorn", Namespace: "storage"},
		{Chart: "my-storage", Repo: "https://charts.test.lab", Namespace: "longhorn-system"},
	} {
		w := s.world(t, namespace)
		chart.Name, chart.Version = w.name, "1.9.0"
		objects, err := chart.Objects()
		if err != nil {
			t.Fatal(err)
		}
		w.spec.Objects = append(w.spec.Objects, objects...)
		w.apply(t)
		w.spec.Objects = w.objects(t, namespace)
		p, err := w.cluster.Plan(t.Context(), w.spec)
		if !errors.Is(err, lab.ErrRefused) || !strings.Contains(fmt.Sprint(err), "data would be lost") || !p.Empty() {
			t.Errorf("%s in %s: %v\n%v", chart.Chart, chart.Namespace, err, p)
		}
	}
}
