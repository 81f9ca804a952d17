package kube_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// zoo is an object of each kind in whose fields the server fills in something, or which it writes in its own way.
const zoo = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: zoo}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - name: db
        image: postgres:17
        resources: {requests: {cpu: 0.5, memory: 1024Mi}, limits: {memory: 1Gi}}
        env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
        livenessProbe: {tcpSocket: {port: 5432}}
      tolerations: [{key: a, operator: Exists}]
      affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {
        topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: db}}}}]}}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: zoo}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: 5432}]}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: db, namespace: zoo}
spec: {rules: [{host: db.test.lab, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: db, port: {number: 80}}}}]}}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: db, namespace: zoo}
spec: {schedule: "0 4 * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "a:1"}]}}}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: db, namespace: zoo}
spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: db}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: zoo}
spec: {accessModes: [ReadWriteOnce], storageClassName: longhorn, resources: {requests: {storage: 10240Mi}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: zoo-reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}, {nonResourceURLs: [/healthz], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: zoo-reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: zoo-reader}
subjects: [{kind: ServiceAccount, name: default, namespace: zoo}]
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: zoo}
provisioner: driver.longhorn.io
parameters: {numberOfReplicas: "2"}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: zoo}
value: 1000
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: db, namespace: zoo}
spec: {minAvailable: 1, selector: {matchLabels: {app: db}}}
---
apiVersion: v1
kind: Secret
metadata: {name: tls, namespace: zoo, creationTimestamp: null}
type: kubernetes.io/basic-auth
data: {username: YWRtaW4=}
stringData: {username: root, password: "correct horse"}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: zoo, namespace: zoo}
spec: {hard: {requests.cpu: 1000m, pods: 10}}
---
apiVersion: v1
kind: Namespace
metadata: {name: zoo}
`

// cluster is a real cluster, and its API without the code under test.
type cluster struct {
	*kube.Cluster
	api http.Handler
}

func (c *cluster) send(t *testing.T, method, path string, body string) map[string]any {
	t.Helper()
	req := httptest.NewRequest(method, path, bytes.NewReader([]byte(body)))
	req.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	c.api.ServeHTTP(answer, req)
	out := map[string]any{}
	if err := json.Unmarshal(answer.Body.Bytes(), &out); err != nil || answer.Code >= http.StatusMultipleChoices {
		t.Fatalf("%s %s: %d %s", method, path, answer.Code, answer.Body)
	}
	return out
}

func (c *cluster) apply(t *testing.T, spec kube.Spec) {
	t.Helper()
	p, err := c.Plan(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := p.Apply(t.Context(), nil); err != nil || !r.Complete() {
		t.Fatalf("%v\n%v", err, r)
	}
}

func spec(t *testing.T, owner, manifests string) kube.Spec {
	t.Helper()
	objects, err := kube.ParseObjects([]byte(manifests))
	if err != nil {
		t.Fatal(err)
	}
	return kube.Spec{Owner: owner, Objects: objects}
}

// TestReal is what only a real server does: defaults, admission, subresources, APIs of others.
func TestReal(t *testing.T) {
	k := real.KubeAPIServer(t)
	c := &cluster{&kube.Cluster{Kubeconfig: lab.NewSecret(k.Kubeconfig), Counters: &kube.Counters{}}, k.Handler()}
	for name, test := range map[string]func(*testing.T, *cluster){
		"Zoo": testZoo, "Scaled": testScaled, "Terminating": testTerminating, "Stranger": testStranger,
	} {
		t.Run(name, func(t *testing.T) { test(t, c) })
	}
	t.Run("APIOfOthersDown", func(t *testing.T) { testAPIDown(t, c) })
	t.Run("Webhook", func(t *testing.T) { testWebhook(t, c) }) // the last: it stops all writes of ConfigMaps
}

func testZoo(t *testing.T, c *cluster) {
	want := spec(t, "zoo", zoo)
	c.apply(t, want)
	before := c.Counters.Requests.Load()
	p, err := c.Plan(t.Context(), want)
	if err != nil || !p.Empty() {
		t.Errorf("after the apply: %v\n%v", err, p)
	}
	// StatefulSet, NetworkPolicy, PersistentVolumeClaim and ResourceQuota have fields that the server writes in its
	// own way.
	if asked := c.Counters.Requests.Load() - before - int64(len(want.Objects)) - 3; asked < 1 || asked > 5 {
		t.Errorf("the server was asked by %d dry runs", asked)
	}
}

// testScaled: what an autoscaler, or kubectl scale, has set is named, and left.
func testScaled(t *testing.T, c *cluster) {
	const scaled = `{apiVersion: v1, kind: Namespace, metadata: {name: scaled}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: scaled}, spec: {replicas: 1, selector: {matchLabels: {app: web}},
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: a, image: "a:1"}]}}}}`
	want := spec(t, "scaled", scaled)
	c.apply(t, want)
	c.send(t, http.MethodPut, "/apis/apps/v1/namespaces/scaled/deployments/web/scale?fieldManager=kube-controller-manager",
		`{"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web", "namespace": "scaled"}, "spec": {"replicas": 4}}`)
	_, err := c.Plan(t.Context(), want)
	if !errors.Is(err, lab.ErrConflict) || !strings.Contains(fmt.Sprint(err), "kube-controller-manager owns spec.replicas") {
		t.Errorf("the error is %v", err)
	}
	without := spec(t, "scaled", strings.Replace(scaled, "replicas: 1, ", "", 1))
	if p, err := c.Plan(t.Context(), without); err != nil || !p.Empty() {
		t.Errorf("without the field: %v\n%v", err, p)
	}
}

// testTerminating: nothing is put into a namespace that is being removed.
func testTerminating(t *testing.T, c *cluster) {
	const manifests = `{apiVersion: v1, kind: Namespace, metadata: {name: leaving}}`
	c.apply(t, spec(t, "leaving", manifests))
	c.send(t, http.MethodDelete, "/api/v1/namespaces/leaving", "{}")
	want := spec(t, "leaving", manifests+"\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: leaving}}")
	p, err := c.Plan(t.Context(), want)
	if lab.Kind(err) != lab.ErrBlocked || !p.Empty() {
		t.Errorf("%v\n%v", err, p)
	}
}

// testStranger: whom the server does not know, and who may do nothing.
func testStranger(t *testing.T, c *cluster) {
	want := spec(t, "zoo", zoo)
	stranger := &kube.Cluster{Kubeconfig: lab.NewSecret(strings.Replace(c.Kubeconfig.Reveal(), "token: administrator", "token: nobody", 1))}
	_, err := stranger.Plan(t.Context(), want)
	if lab.Kind(err) != lab.ErrUnauthorized || strings.Contains(fmt.Sprint(err), "nobody-of") || len(lab.Hints(err)) == 0 {
		t.Errorf("the error is %v", err)
	}
}

// testAPIDown: an API server behind this one that does not answer, such as that of metrics, stops nothing.
func testAPIDown(t *testing.T, c *cluster) {
	c.send(t, http.MethodPost, "/apis/apiregistration.k8s.io/v1/apiservices", `{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
		"metadata": {"name": "v1beta1.metrics.k8s.io"}, "spec": {"group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100,
		"versionPriority": 100, "insecureSkipTLSVerify": true, "service": {"namespace": "kube-system", "name": "metrics-server"}}}`)
	want := spec(t, "zoo", zoo)
	want.Prune = true
	if p, err := c.Plan(t.Context(), want); err != nil || !p.Empty() {
		t.Errorf("%v\n%v", err, p)
	}
	c.send(t, http.MethodDelete, "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io", "{}")
}

// testWebhook: a webhook that must admit an object and does not answer, blocks the object, and no other.
func testWebhook(t *testing.T, c *cluster) {
	const manifests = `{apiVersion: v1, kind: Namespace, metadata: {name: hooked}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: hooked}}
---
{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: hooked}, stringData: {a: correct-horse}}`
	c.apply(t, spec(t, "hooked", strings.SplitN(manifests, "---", 2)[0]))
	c.send(t, http.MethodPost, "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", `{"apiVersion":
			"admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "strict"}, "webhooks": [{"name":
			"strict.test.lab", "sideEffects": "None", "admissionReviewVersions": ["v1"], "clientConfig": {"url": "https://127.0.0.1:1/"},
			"rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}]}]}`)
	err := lab.Wait(t.Context(), lab.Poll{What: "the webhook to be asked"}, func(ctx context.Context) (bool, error) {
		p, err := c.Plan(ctx, spec(t, "hooked", manifests))
		if err == nil {
			return false, nil // the server does not know of it yet
		}
		if lab.Kind(err) != lab.ErrBlocked || !strings.Contains(err.Error(), "failed calling webhook") ||
			len(lab.Hints(err)) == 0 || len(p.Changes()) != 1 {
			t.Errorf("%v\n%v", err, p)
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
