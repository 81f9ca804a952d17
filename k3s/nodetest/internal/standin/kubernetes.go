package standin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
)

// With a real API, what the kubelet says of its node is said here: that it is there, with its version, and is ready while
// its process runs. The API has the rest: what is drained, cordoned, annotated and removed.

// startKubernetes starts the real API.
func (s *server) startKubernetes(ctx context.Context, data string, o options, cert, key []byte) (err error) {
	c := ControlPlane{Data: data + "/server/db/etcd", CA: s.ca.pem, Cert: cert, Key: key,
		ServiceCIDR: o.get("service-cidr", "10.43.0.0/16"), AccessKey: data + "/server/tls/service.key"}
	if c.AdminCert, c.AdminKey, err = s.ca.issue("system:admin"); err != nil {
		return err
	}
	if _, err := s.m.ReadFile(c.AccessKey); err != nil {
		_, accounts, err := s.ca.issue("accounts")
		if err != nil {
			return err
		}
		if err := s.m.WriteFile(c.AccessKey, accounts, 0o600); err != nil {
			return err
		}
	}
	s.kube, err = s.m.Kubernetes(ctx, c)
	return err
}

// askKubernetes asks the real API as its administrator, and returns the status of the answer and its text.
func (s *server) askKubernetes(ctx context.Context, method, path, kind string, body any) (int, string) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, err.Error()
	}
	r := httptest.NewRequestWithContext(ctx, method, path, bytes.NewReader(text))
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	s.kube.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// forgotten reports whether the node was removed from the API: k3s forgets its password then.
func (s *server) forgotten(ctx context.Context, name string) bool {
	status, _ := s.askKubernetes(ctx, http.MethodGet, "/api/v1/nodes/"+name, "application/json", nil)
	return status == http.StatusNotFound
}

// registerNode makes the node, or says its version again.
func (s *server) registerNode(ctx context.Context, name, version, address string, labels []string) error {
	named := map[string]any{"kubernetes.io/hostname": name}
	for _, l := range labels {
		key, value, _ := strings.Cut(l, "=")
		named[key] = value
	}
	node := map[string]any{"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": name, "labels": named}}
	status, text := s.askKubernetes(ctx, http.MethodPost, "/api/v1/nodes", "application/json", node)
	if status != http.StatusCreated && status != http.StatusConflict {
		return fmt.Errorf("k3s stand-in: node %s: %s", name, text)
	}
	return s.patchStatus(ctx, name, map[string]any{"nodeInfo": map[string]any{"kubeletVersion": version, "operatingSystem": "linux",
		"architecture": "", "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "", "kubeProxyVersion": "", "machineID": "",
		"osImage": "", "systemUUID": ""}, "addresses": []any{map[string]any{"type": "InternalIP", "address": address}}})
}

func (s *server) patchStatus(ctx context.Context, name string, change map[string]any) error {
	status, text := s.askKubernetes(ctx, http.MethodPatch, "/api/v1/nodes/"+name+"/status", "application/strategic-merge-patch+json",
		map[string]any{"status": change})
	if status != http.StatusOK {
		return fmt.Errorf("k3s stand-in: status of node %s: %s", name, text)
	}
	return nil
}

// reportReady says whether a node is ready.
func (s *server) reportReady(name string, ready bool) {
	state := map[bool]string{true: "True", false: "False"}[ready]
	err := s.patchStatus(context.Background(), name, map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": state,
		"reason": "StandIn", "message": "the stand-in runs: " + state}}})
	if err != nil {
		fmt.Fprintln(s.m.Stderr, err) // it was removed
	}
}
