package k3stest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// app is five objects of an app.
const app = `
apiVersion: v1
kind: ConfigMap
metadata: {name: app-N, namespace: bench, labels: {lab.arcodange.lab/owner: bench}}
data: {settings.yaml: "a: 1\nb: 2\n", log: info}
---
apiVersion: v1
kind: Secret
metadata: {name: app-N, namespace: bench, labels: {lab.arcodange.lab/owner: bench}}
stringData: {password: password-of-app-N}
---
apiVersion: v1
kind: Service
metadata: {name: app-N, namespace: bench, labels: {lab.arcodange.lab/owner: bench}}
spec: {selector: {app: app-N}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: app-N, namespace: bench, labels: {lab.arcodange.lab/owner: bench}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app-N, namespace: bench, labels: {lab.arcodange.lab/owner: bench}}
spec:
  selector: {matchLabels: {app: app-N}}
  template:
    metadata: {labels: {app: app-N}}
    spec:
      serviceAccountName: app-N
      containers:
      - name: app
        image: gitea.arcodange.lab/arcodange-org/app-N:latest
        ports: [{name: http, containerPort: 8080}]
        env: [{name: LOG, value: info}, {name: PASSWORD, valueFrom: {secretKeyRef: {name: app-N, key: password}}}]
        readinessProbe: {httpGet: {path: /healthz, port: http}}
        volumeMounts: [{name: settings, mountPath: /etc/app}]
      volumes: [{name: settings, configMap: {name: app-N}}]
---
`

// BenchmarkConverged plans 500 objects that are as they are wanted, on a real API server, beside kubectl diff of
// the same manifests.
func BenchmarkConverged(b *testing.B) {
	k := real.KubeAPIServer(b)
	kubectl := real.Kubectl(b)
	manifests := "{apiVersion: v1, kind: Namespace, metadata: {name: bench, labels: {lab.arcodange.lab/owner: bench}}}\n---"
	for n := range 100 {
		manifests += strings.ReplaceAll(app, "app-N", fmt.Sprintf("app-%d", n))
	}
	objects, err := kube.ParseObjects([]byte(manifests))
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	config, file := filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "manifests.yaml")
	for path, text := range map[string]string{config: k.Kubeconfig, file: manifests} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	counters := &kube.Counters{}
	cluster := &kube.Cluster{Kubeconfig: lab.NewSecret(k.Kubeconfig), Counters: counters}
	spec := kube.Spec{Owner: "bench", Objects: objects}
	p, err := cluster.Plan(b.Context(), spec)
	if err == nil {
		_, err = p.Apply(b.Context(), nil)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Run("plan", func(b *testing.B) {
		before := counters.Requests.Load()
		for b.Loop() {
			if p, err := cluster.Plan(b.Context(), spec); err != nil || !p.Empty() {
				b.Fatal(p, err)
			}
		}
		b.ReportMetric(float64(counters.Requests.Load()-before)/float64(b.N), "requests/op")
	})
	b.Run("kubectl-diff", func(b *testing.B) {
		for b.Loop() {
			cmd := exec.Command(kubectl, "--kubeconfig", config, "diff", "--server-side", "--field-manager=lab-bench", "-f", file)
			cmd.Env = append(os.Environ(), "HOME="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
		}
	})
}
