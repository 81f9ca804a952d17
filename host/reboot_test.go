package host_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// TestRebootIsOne: two resources ask for a reboot, the machine reboots once, and the run waits for
// it.
func TestRebootIsOne(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	if err := box.FS().WriteFile("/run/reboot-required", nil); err != nil {
		t.Fatal(err)
	}
	const count = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo x >>/srv/boots'\n[Install]\nWantedBy=multi-user.target\n"
	if err := box.FS().WriteFile("/etc/systemd/system/count.service", []byte(count)); err != nil {
		t.Fatal(err)
	}
	if out, err := box.Exec("systemctl enable count"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := host.State{host.KernelCmdline{Words: []string{"cgroup_enable=memory"}, Reboot: true}, host.Reboot{}}
	settle(t, m, s)
	await(t, "the boot to be counted", func() bool {
		boots, err := box.FS().ReadFile("/srv/boots")
		return err == nil && len(boots) > 0
	})
	if boots := must(box.FS().ReadFile("/srv/boots")); string(boots) != "x\n" {
		t.Errorf("the machine was rebooted %d times", bytes.Count(boots, []byte("x")))
	}
}

// TestRebootThatFails: a reboot that systemctl refuses fails without waiting.
func TestRebootThatFails(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	box.Handle("systemctl", func(*hosttest.Process) int { return 1 })
	err := m.Reboot(t.Context(), "", nil)
	if err == nil || errors.Is(err, lab.ErrTimeout) || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("got %v", err)
	}
}

// TestRebootComesLast: a reboot comes after deferred changes too.
func TestRebootComesLast(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	if err := box.FS().WriteFile("/run/reboot-required", nil); err != nil {
		t.Fatal(err)
	}
	boot := box.BootID()
	settle(t, m, host.State{
		host.File{Path: "/srv/a", Content: "x"},
		successor{path: "/srv/b", of: "/srv/a", Order: host.Order{After: []string{"file:/srv/a"}}},
		host.Reboot{Order: host.Order{After: []string{"successor:/srv/b"}}},
	})
	if box.BootID() == boot {
		t.Error("the machine was not rebooted")
	}
}

// TestAfterReboot: no resource can come after the reboot.
func TestAfterReboot(t *testing.T) {
	err := host.State{host.Reboot{}, host.File{Path: "/x", Order: host.Order{After: []string{host.Reboot{}.ID()}}}}.Validate()
	if err == nil || !strings.Contains(err.Error(), "[1].after: is always applied last: reboot:required") {
		t.Errorf("got %v", err)
	}
}
