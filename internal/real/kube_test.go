package real_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func TestKubeAPIServer(t *testing.T) {
	k := real.KubeAPIServer(t)
	kubectl := real.Kubectl(t)
	config := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(config, []byte(k.Kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ args, want string }{
		{"version", "Server Version: v1.34.2"},
		{"create namespace tools", "namespace/tools created"},
		{"get namespace tools -o name", "namespace/tools"},
	} {
		cmd := exec.Command(kubectl, append([]string{"--kubeconfig", config}, strings.Fields(test.args)...)...)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), test.want) {
			t.Errorf("kubectl %s: %v\n%s", test.args, err, out)
		}
	}
	if b, err := os.ReadFile(k.Audit); err != nil || !strings.Contains(string(b), `"verb":"create"`) {
		t.Errorf("the audit log is without the request: %v\n%s", err, b)
	}
}
