package kube_test

import (
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443"}}]
users: [{name: u, user: {token: token-that-is-secret}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`

// TestKubeconfig: what would read a file, run a program or trust anybody is refused, and no text repeats what is in
// the kubeconfig.
func TestKubeconfig(t *testing.T) {
	for _, test := range []struct{ name, old, new, err string }{
		{"as it is", "", "", ""},
		{"not YAML", "apiVersion", "\t", "is not a kubeconfig"},
		{"another document", "contexts", "context", "is not a kubeconfig"},
		{"no such context", "current-context: x", "current-context: nowhere", "is not in the kubeconfig: nowhere"},
		{"no such cluster", "cluster: c,", "cluster: d,", `has no cluster "d"`},
		{"no such user", "user: u", "user: v", `has no user "v"`},
		{"HTTP", "https://", "http://", "not at https://"},
		{"no server", `server: "https://127.0.0.1:6443"`, "{}", "kubeconfig"},
		{"an authority in a file", "server:", "certificate-authority: /etc/ca.crt, server:", "certificate-authority is refused"},
		{"any server", "server:", "insecure-skip-tls-verify: true, server:", "insecure-skip-tls-verify is refused"},
		{"a proxy", "server:", "proxy-url: http://127.0.0.1:1, server:", "proxy-url is refused"},
		{"no certificate", "server:", "certificate-authority-data: aGVsbG8=, server:", "no certificate in PEM"},
		{"a program", "token: token", "exec: {command: /bin/true}, token: token", "exec is refused"},
		{"a plugin", "token: token", "auth-provider: {name: gcp}, token: token", "auth-provider is refused"},
		{"a token in a file", "token: token", "tokenFile: /t, token: token", "tokenFile is refused"},
		{"a key in a file", "token: token", "client-key: /t, client-certificate: /c, token: token", "client-key is refused"},
		{"somebody else", "token: token", "as: root, token: token", "as is refused"},
		{"nobody", "token: token-that-is-secret", "", "neither a certificate nor a token"},
		{"half a pair", "token: token", "client-key-data: dG9rZW4tdGhhdC1pcy1zZWNyZXQ=, token: token", "not a certificate and its key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &kube.Cluster{Kubeconfig: lab.NewSecret(strings.Replace(kubeconfig, test.old, test.new, 1))}
			err := c.Validate()
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("the error is %v, want %q", err, test.err)
			}
			if text := fmt.Sprintf("%v %+v", err, c); strings.Contains(text, "token-that-is-secret") {
				t.Errorf("a secret is in %s", text)
			}
		})
	}
}
