package longhornprep_test

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/longhornprep"
	"gitea.arcodange.lab/arcodange-org/lab/internal/machinetest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestOnVM prepares a virtual machine, whose initiator has the name of a clone's, and logs in to an iSCSI target with the
// new one. Nothing is left to do after that, nor after a reboot.
func TestOnVM(t *testing.T) {
	box := real.VM(t)
	m := machinetest.Real(t, box)
	sh := func(script string) string {
		t.Helper()
		out, err := box.Run(t.Context(), "sudo sh -ec '"+script+"'")
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	before, err := longhornprep.Examine(t.Context(), m, "")
	if err != nil || before.Initiator == "" || before.OK() {
		t.Fatalf("%+v %v", before, err)
	}
	s := all.State(longhornprep.Machine{Name: "pi1", Taken: []string{before.Initiator}})
	machinetest.Converge(t, m, s)
	const mine = "iqn.1993-08.org.debian:01:pi1"
	ready := func(when string) {
		t.Helper()
		r, err := longhornprep.Examine(t.Context(), m, "")
		if err != nil || r.Initiator != mine {
			t.Errorf("%s: %+v %v", when, r, err)
		}
		for _, row := range r.Rows {
			if !row.OK {
				t.Errorf("%s: %+v", when, row)
			}
		}
	}
	ready("after the apply")

	const target = "iqn.2000-01.org.example:volume"
	sh("tgtd; tgtadm --op new --mode target --tid 1 -T " + target + "; tgtadm --op new --mode logicalunit --tid 1 --lun 1 -b " + box.Disk +
		"; tgtadm --op bind --mode target --tid 1 -I ALL; iscsiadm -m discovery -t sendtargets -p 127.0.0.1; iscsiadm -m node --login")
	if got := sh("tgtadm --op show --mode target; iscsiadm -m session"); !strings.Contains(got, "Initiator: "+mine) ||
		!strings.Contains(got, target) {
		t.Errorf("the target and the initiator say:\n%s", got)
	}
	taken := all.State(longhornprep.Machine{Name: "pi1", Taken: []string{mine}})
	if _, err := m.Plan(t.Context(), taken); !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "volumes are attached") {
		t.Errorf("renamed while a volume is attached: %v", err)
	}
	sh("iscsiadm -m node --logout; iscsiadm -m node -o delete")

	if err := box.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.Close()
	if p, err := m.Plan(t.Context(), s); err != nil || !p.Empty() {
		t.Errorf("after a reboot: %v\n%s", err, p)
	}
	ready("after a reboot")
}
