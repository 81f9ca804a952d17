package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/k3stest"
)

const manifests = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Secret, metadata: {name: login, namespace: shop}, stringData: {password: correct-horse-battery}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}, data: {a: "1"}}
`

// call runs the program and returns its exit code and what it printed; the error is printed too.
func call(t *testing.T, args ...string) (code int, text string) {
	t.Helper()
	var out bytes.Buffer
	err := cli.Run(t.Context(), program(), args, &out, &out)
	cli.PrintError(&out, lab.Reword(err, say))
	return cli.Code(err), out.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPlanApplyStatus(t *testing.T) {
	for name, through := range map[string]func(*testing.T) []string{
		"Directly": func(*testing.T) []string { return nil },
		"OverSSH": func(t *testing.T) []string {
			s := real.SSHD(t)
			return []string{"--host", s.User + "@" + s.Addr, "--identity", s.KeyFile, "--known-hosts", s.KnownHosts}
		},
	} {
		t.Run(name, func(t *testing.T) {
			front := k3stest.Start(t, k3stest.NewServer())
			t.Setenv("CLUSTER_KUBECONFIG", front.Kubeconfig.Reveal())
			t.Setenv("KUBECONFIG", "/nonexistent") // nothing ambient is read
			t.Setenv("HTTPS_PROXY", "http://192.0.2.1:1")
			flags := append([]string{"--kubeconfig", "env:CLUSTER_KUBECONFIG", "--owner", "shop"}, through(t)...)
			want := func(code int, says, verb string, more ...string) {
				t.Helper()
				got, text := call(t, append(append([]string{verb}, flags...), more...)...)
				if got != code || !strings.Contains(text, says) {
					t.Fatalf("%s ended in %d, want %d with %q\n%s", verb, got, code, says, text)
				}
				if strings.Contains(text, "correct-horse-battery") {
					t.Fatalf("a secret is in\n%s", text)
				}
			}
			file, fewer := write(t, "all.yaml", manifests), write(t, "fewer.yaml", strings.Join(strings.Split(manifests, "---")[:2], "---"))
			want(2, "configmap:shop/settings", "plan", file)
			want(2, "missing", "status", file)
			want(0, "3 changes: 3 done", "apply", "--yes", "--wait", file)
			want(0, "nothing to do", "plan", file)
			want(0, "ready", "status", file)
			want(2, "- delete", "plan", "--prune", fewer)
			want(0, "nothing to do", "plan", fewer)
			want(4, "see where the kubeconfig leads: --cluster-uid UID", "plan", "--cluster-uid", "other", file)
			want(1, "all.yaml", "plan", write(t, "all.yaml", "a: b: c"))
		})
	}
}

// TestOnlyWhatIsAllowed: a cluster that is elsewhere is not dialled unasked.
func TestOnlyWhatIsAllowed(t *testing.T) {
	front := k3stest.Start(t, k3stest.NewServer())
	t.Setenv("CLUSTER_KUBECONFIG", strings.Replace(front.Kubeconfig.Reveal(), "127.0.0.1", "192.0.2.1", 1))
	code, text := call(t, "plan", "--kubeconfig", "env:CLUSTER_KUBECONFIG", "--owner", "shop", write(t, "all.yaml", manifests))
	if code != 4 || !strings.Contains(text, "--allow ADDRESS") {
		t.Errorf("it ended in %d\n%s", code, text)
	}
}
