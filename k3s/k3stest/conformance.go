package k3stest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// Suite proves what package kube does on a Kubernetes API, this fake or a real one. Its worlds share the API,
// each with a namespace and kinds of its own, so that nothing need be removed.
type Suite struct {
	// API answers requests as the API does, for an administrator.
	API http.Handler

	// Definitions are CustomResourceDefinitions that the API does not have by itself and the cases need: those of
	// k3s' Helm controller. Empty means that it has them.
	Definitions string

	worlds atomic.Int64
}

// Run runs all cases.
func (s *Suite) Run(t *testing.T) {
	if s.Definitions != "" {
		w := s.world(t, s.Definitions)
		w.apply(t)
	}
	t.Run("Laws", func(t *testing.T) {
		lawtest.Laws(t, func(t *testing.T) lawtest.World { return s.laws(t) })
	})
	t.Run("Cases", s.cases)
}

// world is a namespace with what is wanted in it.
type world struct {
	*Front
	name    string
	spec    kube.Spec
	cluster *kube.Cluster
}

func (s *Suite) world(tb testing.TB, manifests ...string) *world {
	tb.Helper()
	w := &world{Front: Start(tb, s.API), name: fmt.Sprintf("w%d", s.worlds.Add(1))}
	w.cluster = w.Cluster()
	w.spec = kube.Spec{Owner: w.name, Prune: true, Objects: w.objects(tb, manifests...)}
	return w
}

// objects returns the objects of manifests, in which NS is the world's name.
func (w *world) objects(tb testing.TB, manifests ...string) []kube.Object {
	tb.Helper()
	all, err := kube.ParseObjects([]byte(strings.ReplaceAll(strings.Join(manifests, "\n---\n"), "NS", w.name)))
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

func (w *world) plan(tb testing.TB) *lab.Plan {
	tb.Helper()
	p, err := w.cluster.Plan(tb.Context(), w.spec)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// apply plans and applies, with everything confirmed.
func (w *world) apply(tb testing.TB) *lab.Report {
	tb.Helper()
	p := w.plan(tb)
	o := &lab.ApplyOptions{}
	for _, c := range p.Changes() {
		o.Confirmed = append(o.Confirmed, lab.Confirm(c.ID))
	}
	r, err := p.Apply(tb.Context(), o)
	if err != nil || !r.Complete() {
		tb.Fatalf("apply: %v\n%v", err, r)
	}
	return r
}

// Manifests of the suite, in which NS is a namespace.
const (
	namespace = `{apiVersion: v1, kind: Namespace, metadata: {name: NS}}`
	configMap = `{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: NS}, data: {a: "1", b: "2"}}`
	secret    = `{apiVersion: v1, kind: Secret, metadata: {name: login, namespace: NS}, stringData: {password: correct-horse-battery}}`
	service   = `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: NS}, spec: {selector: {app: web}, ports: [
  {name: http, port: 80}, {name: https, port: 443, targetPort: 8443}, {name: dns, port: 443, protocol: UDP}]}}`
	deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx:1
        ports: [{containerPort: 80}, {containerPort: 443, protocol: TCP}]
        env: [{name: A, value: "1"}, {name: B, value: "2"}]
        volumeMounts: [{name: tmp, mountPath: /tmp}]
      volumes: [{name: tmp, emptyDir: {}}]`
	widgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.NS.test.lab}
spec:
  group: NS.test.lab
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 1}
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items: {type: object, required: [name], properties: {name: {type: string}, count: {type: integer}}}`
	widget = `{apiVersion: NS.test.lab/v1, kind: Widget, metadata: {name: x, namespace: NS}, spec: {size: 3, parts: [
  {name: a, count: 1}, {name: b}]}}`
)

const password = "correct-horse-battery"

func (s *Suite) laws(tb testing.TB) lawtest.World {
	tb.Helper()
	w := s.world(tb, widget, deployment, service, secret, configMap, widgets, namespace)
	w.spec.Prune = false
	out := lawtest.World{
		Plan:       func(ctx context.Context) (*lab.Plan, error) { return w.cluster.Plan(ctx, w.spec) },
		Writes:     func(testing.TB) int64 { return w.Writes() },
		RoundTrips: w.Total,
		Cost:       1 + 2 + 7, // the namespaces, the kinds, and a list of each kind
		Drift: func(tb testing.TB) {
			w.as(tb, "editor", strings.Replace(configMap, `b: "2"`, `b: "3"`, 1))
			w.spec.TakeOver = []string{"editor"}
		},
		Foreign: func(tb testing.TB) func() string {
			w.as(tb, "somebody", `{apiVersion: v1, kind: ConfigMap, metadata: {name: theirs, namespace: NS}, data: {x: "1"}}`)
			w.as(tb, "somebody", `{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: NS}, data: {theirs: "1"}}`)
			return func() string {
				return fmt.Sprint(w.read(tb, "v1", "configmaps", "theirs")["data"],
					w.read(tb, "v1", "configmaps", "settings")["data"].(map[string]any)["theirs"])
			}
		},
		Secrets: []lab.Secret{lab.NewSecret(password)},
		Again:   func(tb testing.TB) lawtest.World { return s.laws(tb) },
		Within: func(ctx context.Context, b *lab.Boundary) error {
			c := w.Cluster()
			c.Boundary = b
			_, err := c.Plan(ctx, w.spec)
			return err
		},
	}
	for _, done := range []bool{false, true} {
		out.Cuts = append(out.Cuts, lawtest.Cut{Name: map[bool]string{false: "LostRequest", true: "LostAnswer"}[done], Least: 7,
			Arm: func(_ testing.TB, n int) func(error) bool {
				w.Faults.At(n, fake.HTTPFault{Done: done})
				return func(error) bool {
					fired := w.Faults.Fired() > 0
					w.Faults.Reset()
					return fired
				}
			}})
	}
	return out
}
