package real

import (
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Machine is a Debian 12 machine: systemd as init, sshd, apt, cron, udev, an
// address, and a spare block device. It runs in namespaces on this machine's
// kernel. So vm.* and fs.* sysctls that are set in it are set here too, its clock
// cannot be set, kernel modules cannot be loaded, and cgroup limits may be
// accepted without effect. What needs a kernel of its own is tested on a [VM].
//
// Its apt uses a small local repository, in /srv/lab-apt: lab-test-a 1.0 and 1.1;
// lab-test-b, which depends on it; lab-test-conf 1.0 and 1.1, with the conffile
// /etc/lab-test.conf; and lab-test-svc, with a unit that its installation enables
// and starts.
type Machine struct {
	Name    string        // pi1, pi2, ...; also the host name
	Host    string        // its IPv4 address
	Addr    string        // Host:22
	Gateway string        // this machine's address on the bridge
	User    string        // pi, whom sudo asks for no password; see also [SudoUser]
	Key     ssh.Signer    // logs in as User and as SudoUser
	KeyFile string        // the same key, in OpenSSH's format
	HostKey ssh.PublicKey // its only host key, Ed25519
	Root    string        // its root file system on this machine; /run and /tmp are not in it
	Disk    string        // its spare block device, 1 GiB, with the same name in the machine and here

	dir    string // of the layers of Root
	netns  string
	cgroup string // directory in the cgroup2 file system

	mu   sync.Mutex
	proc *process      // the latest boot
	down bool          // it must not be booted again
	gone chan struct{} // closed when it has been turned off
}

// Machines boots n machines, numbered from 1, for the duration of the test. It
// needs Linux, root, and the Debian packages mmdebstrap and systemd-container. It
// returns when systemd has finished booting in each machine.
func Machines(tb testing.TB, n int) []*Machine {
	tb.Helper()
	if what := machinesNeed(); what != "" {
		Missing(tb, what)
	}
	cache, err := CacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(cache, "run"), 0o755); err != nil {
		tb.Fatal(err)
	}
	dir, err := os.MkdirTemp(filepath.Join(cache, "run"), "machines-")
	if err != nil {
		tb.Fatal(err)
	}
	set, err := Boot(tb.Context(), dir, n)
	if err != nil {
		tb.Fatalf("machines: %v", err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			for _, m := range set.Machines {
				tb.Logf("console of %s:\n%s", m.Name, m.Console())
			}
		}
		if err := set.Close(); err != nil {
			tb.Errorf("machines: %v", err)
		}
	})
	return set.Machines
}

// machinesNeed returns what is missing on this machine to run machines; empty if
// nothing is.
func machinesNeed() string {
	if me, err := user.Current(); runtime.GOOS != "linux" || err != nil || me.Uid != "0" {
		return "Linux and root"
	}
	for _, name := range []string{"mmdebstrap", "systemd-nspawn", "dpkg-deb", "ip",
		"losetup", "mount", "umount", "chroot"} {
		if findBinary(name) == "" {
			return name + " (Debian packages mmdebstrap, systemd-container, iproute2)"
		}
	}
	return ""
}

// EnableDebian adds Debian's own apt repositories, which are on the network. The
// next apt-get update reads their lists.
func (m *Machine) EnableDebian() error {
	parked, err := filepath.Glob(filepath.Join(m.Root, parkedSources, "*"))
	if err != nil {
		return err
	}
	for _, f := range parked {
		b, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		name := filepath.Join(m.Root, "etc/apt/sources.list.d", filepath.Base(f))
		if err := writeFile(name, string(b), 0o644); err != nil {
			return err
		}
	}
	return nil
}
