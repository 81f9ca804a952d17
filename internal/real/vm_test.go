package real_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestVM: a virtual machine has a kernel of its own, whose modules can be loaded, and a spare disk.
func TestVM(t *testing.T) {
	m := real.VM(t)
	if got := must(t, m, "systemctl is-system-running"); got != "running" {
		t.Errorf("it is %s: %s", got, must(t, m, "systemctl --failed --plain --no-legend"))
	}
	must(t, m, "sudo modprobe iscsi_tcp && grep -q ^iscsi_tcp /proc/modules && test -b "+m.Disk)
}
