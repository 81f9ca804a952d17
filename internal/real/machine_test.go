package real_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func must(t *testing.T, m *real.Machine, command string) string {
	t.Helper()
	out, err := m.Run(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func TestMachines(t *testing.T) {
	ms := real.Machines(t, 2)
	a, b := ms[0], ms[1]
	for _, m := range ms {
		got := must(t, m, "hostname; cat /etc/debian_version; sudo id -u; ps -p 1 -o comm=")
		if !strings.HasPrefix(got, m.Name+"\n12.") || !strings.HasSuffix(got, "\n0\nsystemd") {
			t.Errorf("%s is not a Debian 12 with systemd: %q", m.Name, got)
		}
		if got := must(t, m, "systemctl list-units --failed --plain --no-legend"); got != "" {
			t.Errorf("%s: failed units: %s", m.Name, got)
		}
		if got := must(t, m, "systemctl is-system-running"); got != "running" {
			t.Errorf("%s is %s", m.Name, got)
		}
		if got := must(t, m, "sudo dpkg --audit"); got != "" {
			t.Errorf("%s: dpkg --audit: %s", m.Name, got)
		}
	}
	if id := must(t, a, "cat /etc/machine-id"); id == must(t, b, "cat /etc/machine-id") {
		t.Error("two machines have the same machine-id")
	}
	must(t, a, "ping -c1 -W60 pi2")

	t.Run("reboot", func(t *testing.T) {
		boot := must(t, a, "cat /proc/sys/kernel/random/boot_id; touch ~/kept; sudo touch /run/lost")
		if err := a.Reboot(t.Context()); err != nil {
			t.Fatal(err)
		}
		if must(t, a, "cat /proc/sys/kernel/random/boot_id") == boot {
			t.Error("same boot_id after a reboot")
		}
		must(t, a, "test -e ~/kept && test ! -e /run/lost")
	})
	t.Run("power cut", func(t *testing.T) {
		must(t, b, "sync; touch ~/kept; sudo touch /run/lost; (sleep 1000 & ) >/dev/null 2>&1")
		if err := b.PowerCut(t.Context()); err != nil {
			t.Fatal(err)
		}
		must(t, b, "test -e ~/kept && test ! -e /run/lost && ! pgrep sleep")
	})
	t.Run("stop and start", func(t *testing.T) {
		if err := b.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Run(t.Context(), "true"); err == nil {
			t.Error("a stopped machine answers")
		}
		if err := b.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		must(t, b, "true")
	})
	t.Run("disk", func(t *testing.T) {
		must(t, a, "sudo mkfs.ext4 -q -L spare "+a.Disk+" && sudo udevadm settle && test -b /dev/disk/by-label/spare")
		must(t, a, "sudo mount LABEL=spare /mnt && sudo umount /mnt")
	})
	t.Run("packages", func(t *testing.T) {
		must(t, a, "sudo apt-get update -qq")
		must(t, a, "sudo apt-get install -y -qq lab-test-a=1.0 lab-test-b lab-test-svc lab-test-conf=1.0")
		if got := must(t, a, "cat /usr/share/lab-test-a/version; systemctl is-active lab-test-svc"); got != "1.0\nactive" {
			t.Errorf("installed: %q", got)
		}
		must(t, a, "sudo apt-mark hold lab-test-conf && echo mine | sudo tee -a /etc/lab-test.conf && "+
			"sudo apt-get upgrade -y -qq")
		got := must(t, a, "dpkg-query -W -f '${Package} ${Version}\n' 'lab-test-*'")
		if got != "lab-test-a 1.1\nlab-test-b 2.0\nlab-test-conf 1.0\nlab-test-svc 1.0" {
			t.Errorf("after an upgrade with a hold: %q", got)
		}
		must(t, a, "sudo apt-get purge -y -qq lab-test-svc && ! systemctl is-active lab-test-svc")
	})
	t.Run("sudo with a password", func(t *testing.T) {
		as := a.ClientConfig(real.SudoUser)
		if out, err := output(a.Addr, as, "sudo -n true"); err == nil {
			t.Errorf("sudo asked for no password: %s", out)
		}
		out, err := output(a.Addr, as, "echo '"+real.SudoPassword+"' | sudo -S -p '' id -u")
		if err != nil || out != "0" {
			t.Errorf("with the password: %q, %v", out, err)
		}
	})
	t.Run("host key", func(t *testing.T) {
		c := a.ClientConfig(a.User)
		c.HostKeyCallback = ssh.FixedHostKey(b.HostKey)
		if _, err := output(a.Addr, c, "true"); err == nil {
			t.Error("two machines have the same host key")
		}
	})
}

// TestBootAfterKill kills a second process that has booted machines: the next Boot
// removes everything that it left behind.
func TestBootAfterKill(t *testing.T) {
	if dir := os.Getenv("LAB_REAL_TEST_CHILD"); dir != "" {
		set, err := real.Boot(t.Context(), dir, 1)
		if err != nil {
			t.Fatal(err)
		}
		m := set.Machines[0]
		fmt.Println("\nup", set.Bridge, m.Root, m.Disk, m.Addr)
		select {}
	}
	mine := real.Machines(t, 1)[0]
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestBootAfterKill$")
	child.Env = append(os.Environ(), "LAB_REAL_TEST_CHILD="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	var bridge, root, disk, addr string
	for lines := bufio.NewScanner(out); bridge == "" && lines.Scan(); {
		fmt.Sscanf(lines.Text(), "up %s %s %s %s", &bridge, &root, &disk, &addr)
	}
	if bridge == "" {
		t.Fatal("the other process booted no machines")
	}
	if addr == mine.Addr || disk == mine.Disk {
		t.Fatalf("two processes share %s or %s", addr, disk)
	}
	index := "/sys/class/net/" + bridge + "/ifindex" // the kernel does not reuse a number
	before, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait()

	set, err := real.Boot(t.Context(), t.TempDir(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	// Another process may have a bridge of this name by now.
	if now, err := os.ReadFile(index); err == nil && string(now) == string(before) {
		t.Errorf("the dead process' bridge %s is still there", bridge)
	}
	if _, err := os.Stat(root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", root, err)
	}
	for _, table := range []string{"/proc/self/mounts", "/sys/block/" + filepath.Base(disk) + "/loop/backing_file"} {
		if b, _ := os.ReadFile(table); strings.Contains(string(b), dir) {
			t.Errorf("%s still mentions %s", table, dir)
		}
	}
	must(t, mine, "true") // and those of living processes are untouched
}
