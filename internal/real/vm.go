package real

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

// VM boots a virtual machine for the duration of the test: a Debian 12 with a kernel of its own, which can do what a
// [Machine] cannot: it loads modules, logs in to iSCSI targets, and serves and mounts NFS. The packages that these need are
// installed. It is emulated (QEMU without KVM), so that it is the same everywhere, and slow: it boots in half a minute, and
// a machine is better used by one test than booted by two. Nothing of it is kept.
//
// Of a Machine it has Name, Host, Addr, User, Key, KeyFile, HostKey, Run, ClientConfig, Reboot and Console; Host is
// 127.0.0.1, and Disk is its spare disk, 1 GiB, as the virtual machine has it. It needs root, amd64, and the Debian packages mmdebstrap,
// e2fsprogs and qemu-system-x86.
func VM(tb testing.TB) *Machine {
	tb.Helper()
	if what := vmNeeds(); what != "" {
		Missing(tb, what)
	}
	ctx, cancel := context.WithTimeout(tb.Context(), bootTime)
	defer cancel()
	image, err := vmImage(ctx)
	if err != nil {
		tb.Fatalf("image of virtual machines: %v", err)
	}
	m, err := newVM(image, tb.TempDir())
	if err != nil {
		tb.Fatalf("virtual machine: %v", err)
	}
	port, release, err := reservePort(m.Host)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(release)
	m.Addr = net.JoinHostPort(m.Host, strconv.Itoa(port))
	p, err := start(m.qemu(image, port), syscall.SIGKILL)
	if err != nil {
		tb.Fatalf("virtual machine: %v", err)
	}
	tb.Cleanup(func() {
		_ = p.stop(syscall.SIGKILL, 0) // nothing of it is kept
		if tb.Failed() {
			tb.Logf("console of %s:\n%s", m.Name, m.Console())
		}
	})
	m.proc, m.gone = p, p.done
	if err := m.ready(ctx, ""); err != nil {
		tb.Fatalf("virtual machine: %v\n%s", err, m.Console())
	}
	return m
}

// vmNeeds returns what is missing here to run virtual machines; empty if nothing is.
func vmNeeds() string {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" || os.Getuid() != 0 {
		return "Linux on amd64 and root"
	}
	for _, name := range []string{"mmdebstrap", "mke2fs", "qemu-system-x86_64"} {
		if findBinary(name) == "" {
			return name + " (Debian packages mmdebstrap, e2fsprogs, qemu-system-x86)"
		}
	}
	return ""
}

// newVM returns the machine, which is not started yet. dir has its spare disk and its console.
func newVM(image, dir string) (*Machine, error) {
	m := &Machine{Name: "pi1", Host: "127.0.0.1", User: "pi", KeyFile: filepath.Join(image, "id_pi"),
		Disk: "/dev/disk/by-id/virtio-" + spareSerial, dir: dir}
	keys := map[string]ssh.Signer{"id_pi": nil, "ssh_host_ed25519_key": nil}
	for name := range keys {
		b, err := os.ReadFile(filepath.Join(image, name))
		if err == nil {
			keys[name], err = ssh.ParsePrivateKey(b)
		}
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", name, err)
		}
	}
	m.Key, m.HostKey = keys["id_pi"], keys["ssh_host_ed25519_key"].PublicKey()
	return m, sparse(m.spare(), 1<<30)
}

// spareSerial is the serial number of the spare disk.
const spareSerial = "lab-spare"

func (m *Machine) spare() string { return filepath.Join(m.dir, "spare.img") }

// qemu returns the program that is the machine. What it writes to the disk of the image goes to a file without a name.
func (m *Machine) qemu(image string, port int) *exec.Cmd {
	return exec.Command("qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "1024",
		"-nodefaults", "-no-user-config", "-display", "none", "-serial", "file:"+m.consoleFile(),
		"-kernel", filepath.Join(image, "vmlinuz"), "-initrd", filepath.Join(image, "initrd.img"),
		"-append", "root=/dev/vda rw console=ttyS0",
		"-drive", "if=none,id=root,format=raw,snapshot=on,file="+filepath.Join(image, "disk.img"),
		"-device", "virtio-blk-pci,drive=root", // the first one is vda
		"-drive", "if=none,id=spare,format=raw,file="+m.spare(),
		"-device", "virtio-blk-pci,drive=spare,serial="+spareSerial,
		"-nic", fmt.Sprintf("user,model=virtio-net-pci,hostfwd=tcp:%s:%d-:22", m.Host, port))
}
