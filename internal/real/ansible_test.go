package real_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func TestAnsible(t *testing.T) {
	inventory := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(inventory, []byte("[pis]\npi1\npi2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(real.Ansible(t), "-i", inventory, "pis:!pi1", "--list-hosts").CombinedOutput()
	if want := "  hosts (1):\n    pi2\n"; err != nil || string(out) != want {
		t.Errorf("ansible: got %q, %v; want %q", out, err, want)
	}
	out, err = exec.Command(real.AnsiblePython(t), "-c", "import ansible.inventory.manager; print('ok')").CombinedOutput()
	if err != nil || string(out) != "ok\n" {
		t.Errorf("python: got %q, %v", out, err)
	}
}
