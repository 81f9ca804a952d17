package host_test

import (
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// TestPowerCutOfTheKernelCommandLine cuts the power at every write of the kernel command line: the machine always has
// one whole line to boot with, and the next run ends with the words, after one reboot.
func TestPowerCutOfTheKernelCommandLine(t *testing.T) {
	s := host.State{host.KernelCmdline{Words: []string{"cgroup_enable=memory"}, Controllers: []string{"memory"}, Reboot: true}}
	for k := 1; ; k++ {
		box, m := open(t, hosttest.Config{})
		p, err := m.Plan(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		up := box.Faults().PowerCutAtWrite(k)
		_, err = p.Apply(t.Context(), nil)
		if err == nil {
			if k < 4 {
				t.Fatalf("%d writes", k-1)
			}
			break
		}
		<-up
		line, err := box.FS().ReadFile("/boot/firmware/cmdline.txt")
		if text := string(line); err != nil || strings.Count(text, "\n") > 1 || !strings.Contains(text, "root=") ||
			!strings.Contains(text, "rootwait") {
			t.Errorf("write %d: %v %q", k, err, text)
		}
		boot := box.BootID()
		p, err = m.Plan(t.Context(), s)
		if err != nil {
			t.Fatalf("write %d: %v", k, err)
		}
		settle(t, m, s)
		if reboots := strings.Contains(fmt.Sprint(p), "reboot"); reboots != (box.BootID() != boot) {
			t.Errorf("write %d: the plan\n%s\nand a reboot: %t", k, p, box.BootID() != boot)
		}
	}
}
