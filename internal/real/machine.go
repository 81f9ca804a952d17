package real

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Machine is a Debian 12 machine: systemd as init, sshd, apt, cron, udev, an
// address, and a spare block device. It runs in containers' namespaces on this
// machine's kernel, so vm.* and fs.* sysctls set in it are set here too, its
// clock cannot be set, kernel modules cannot be loaded, and cgroup limits may
// be accepted without effect.
//
// apt in it knows a small repository of its own, in /srv/lab-apt: lab-test-a
// 1.0 and 1.1, lab-test-b, which depends on it, lab-test-conf 1.0 and 1.1, with
// the conffile /etc/lab-test.conf, and lab-test-svc, with a unit that its
// installation enables and starts.
type Machine struct {
	Name    string        // pi1, pi2, ...; its host name
	Host    string        // its IPv4 address
	Addr    string        // Host:22
	Gateway string        // this machine's address on their bridge
	User    string        // pi, who needs no password for sudo; see also [SudoUser]
	Key     ssh.Signer    // logs in as User and as SudoUser
	KeyFile string        // the same, in OpenSSH's format
	HostKey ssh.PublicKey // its one host key, Ed25519
	Root    string        // its root file system, seen from here; /run and /tmp are not in it
	Disk    string        // its spare block device, 1 GiB, named alike in it and here

	dir    string // what Root is made of
	netns  string
	cgroup string // folder in the cgroup2 file system

	mu   sync.Mutex
	proc *process // the latest boot
	down bool     // no further boot
	gone chan struct{}
}

// Machines boots n machines, numbered from 1, for as long as the test runs. It
// needs Linux, root, and the Debian packages mmdebstrap and systemd-container.
// It returns when systemd has finished booting in each.
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

// machinesNeed names what this machine lacks to run machines; empty is nothing.
func machinesNeed() string {
	if me, err := user.Current(); runtime.GOOS != "linux" || err != nil || me.Uid != "0" {
		return "Linux and root"
	}
	for _, name := range []string{"mmdebstrap", "systemd-nspawn", "dpkg-deb", "ip", "losetup", "mount", "umount", "chroot"} {
		if findBinary(name) == "" {
			return name + " (Debian packages mmdebstrap, systemd-container, iproute2)"
		}
	}
	return ""
}

// bootTime is far more than a boot takes, even on a busy machine.
const bootTime = 10 * time.Minute

// boot runs the machine until it is turned off; when it asks for a reboot, it
// is booted again. The caller holds no lock.
func (m *Machine) boot() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.spawn()
	if err != nil {
		return err
	}
	m.proc, m.down, m.gone = p, false, make(chan struct{})
	go m.supervise(m.gone)
	return nil
}

func (m *Machine) supervise(gone chan struct{}) {
	defer close(gone)
	for {
		p := m.current()
		<-p.done
		m.mu.Lock()
		// 133 is how nspawn says that a reboot was asked for inside.
		if m.down || p.exitCode() != 133 {
			m.mu.Unlock()
			return
		}
		next, err := m.spawn()
		if err != nil {
			m.note("boot again: " + err.Error())
			m.mu.Unlock()
			return
		}
		m.proc = next
		m.mu.Unlock()
	}
}

func (m *Machine) current() *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.proc
}

func (m *Machine) spawn() (*process, error) {
	console, err := os.OpenFile(m.consoleFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer console.Close()
	args := []string{
		"--quiet", "--machine=" + m.netns, "--directory=" + m.Root, "--boot", "--register=no", "--keep-unit",
		"--network-namespace-path=/run/netns/" + m.netns, "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=read-only",
		// Setting the time zone in a machine that holds CAP_SYS_TIME can warp
		// this machine's clock; the other two reach the kernel and the hardware.
		"--capability=all", "--drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE,CAP_SYS_RAWIO",
		"--system-call-filter=add_key keyctl bpf", // container engines use them
		"--bind=" + m.Disk,
	}
	if _, err := os.Stat("/dev/fuse"); err == nil {
		args = append(args, "--bind=/dev/fuse")
	}
	for _, d := range stateDirs {
		args = append(args, "--bind="+filepath.Join(m.dir, filepath.Base(d))+":"+d)
	}
	cmd := exec.Command("systemd-nspawn", args...)
	cmd.Stdout, cmd.Stderr = console, console
	cmd.Env = []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",  // whatever this machine has
		"SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes", // udevd wants to write to /sys
		"SYSTEMD_NSPAWN_LOCK=0", "SYSTEMD_LOG_TARGET=console",
	}
	// A new cgroup for each boot: Linux kills what is cloned into one that has
	// been killed before (the kill counts of both cgroups are compared).
	if err := removeCgroup(m.cgroup); err != nil {
		return nil, err
	}
	leave, err := enterCgroup(cmd, m.cgroup)
	if err != nil {
		return nil, err
	}
	defer leave()
	// Killing nspawn would leave the machine's systemd running; told to end, it
	// shuts the machine down.
	return start(cmd, syscall.SIGTERM)
}

// stateDirs are not on the machine's overlay but on the file system below it,
// because overlays cannot be stacked for ever.
var stateDirs = []string{"/var/lib/docker", "/var/lib/containerd", "/var/lib/kubelet"}

// Stop shuts the machine down in good order. The overlay stays, so Root can
// still be read and changed.
func (m *Machine) Stop(ctx context.Context) error {
	return m.end(ctx, syscall.SIGTERM)
}

// PowerCut stops the machine at once, as when its plug is pulled, and boots it
// again. What it had written without a sync is kept, unlike on a real one.
func (m *Machine) PowerCut(ctx context.Context) error {
	if err := m.end(ctx, syscall.SIGKILL); err != nil {
		return err
	}
	return m.Start(ctx)
}

// Start boots the machine after [Machine.Stop].
func (m *Machine) Start(ctx context.Context) error {
	if p := m.current(); p != nil && !p.exited() {
		return fmt.Errorf("start %s: it runs already", m.Name)
	}
	if err := m.boot(); err != nil {
		return fmt.Errorf("start %s: %w", m.Name, err)
	}
	return m.ready(ctx, "")
}

// Reboot asks systemd for a reboot, and returns when the machine has booted.
func (m *Machine) Reboot(ctx context.Context) error {
	const bootID = "cat /proc/sys/kernel/random/boot_id"
	before, err := m.Run(ctx, bootID)
	if err != nil {
		return fmt.Errorf("reboot %s: %w", m.Name, err)
	}
	// The machine ends the connection and the command with everything else: what
	// they say of it counts only when it does not come down.
	_, said := m.Run(ctx, "sudo systemctl reboot")
	if err := m.ready(ctx, before); err != nil {
		return fmt.Errorf("reboot %s: %w", m.Name, errors.Join(err, said))
	}
	return nil
}

// end turns the machine off with a signal to nspawn.
func (m *Machine) end(ctx context.Context, sig syscall.Signal) error {
	m.mu.Lock()
	p, gone := m.proc, m.gone
	m.down = true
	m.mu.Unlock()
	if p == nil || gone == nil {
		return nil
	}
	if !p.exited() {
		if err := p.cmd.Process.Signal(sig); err != nil && !p.exited() {
			return fmt.Errorf("stop %s: %w", m.Name, err)
		}
	}
	select {
	case <-gone:
	case <-ctx.Done():
		return fmt.Errorf("stop %s: %w", m.Name, ctx.Err())
	}
	return killCgroup(ctx, m.cgroup)
}

// ready waits until the machine has booted, with a boot ID other than before.
func (m *Machine) ready(ctx context.Context, before string) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	m.mu.Lock()
	gone := m.gone
	m.mu.Unlock()
	ctx, stop := whileRunning(ctx, gone, func() error { return fmt.Errorf("it ended: %v", m.current().cmd.ProcessState) })
	defer stop()
	err := until(ctx, m.Name+" has booted", func() error {
		// It exits with an error when a unit has failed, which is not ours to judge,
		// and when systemd did not answer in time.
		out, err := m.run(ctx, 20*time.Second, "cat /proc/sys/kernel/random/boot_id; systemctl is-system-running --wait || true")
		if err != nil {
			return err
		}
		id, state, _ := strings.Cut(strings.TrimSpace(out), "\n")
		if id == strings.TrimSpace(before) {
			return errors.New("it has not gone down yet")
		}
		if state != "running" && state != "degraded" {
			return fmt.Errorf("its state is %q", state)
		}
		return nil
	})
	if err != nil && strings.Contains(m.Console(), "inotify object: Too many open files") {
		return fmt.Errorf("%w; too many machines run here for the limit of inotify: sysctl -w fs.inotify.max_user_instances=1024", err)
	}
	return err
}

// ClientConfig is a way into the machine for user, with its host key pinned.
func (m *Machine) ClientConfig(user string) *ssh.ClientConfig {
	return &ssh.ClientConfig{
		User:              user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(m.Key)},
		HostKeyCallback:   ssh.FixedHostKey(m.HostKey),
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
		Timeout:           time.Minute,
	}
}

// KnownHosts is a line for a known_hosts file that pins the machine's host key.
func (m *Machine) KnownHosts() string {
	return knownhosts.Line([]string{m.Host}, m.HostKey)
}

// Run runs a shell command as pi over a new SSH connection and returns its
// standard output. A test compares with it what the code under test says.
func (m *Machine) Run(ctx context.Context, command string) (string, error) {
	return m.run(ctx, 5*time.Minute, command)
}

// run is Run, with a limit to the login.
func (m *Machine) run(ctx context.Context, login time.Duration, command string) (string, error) {
	fail := func(err error, stderr string) error {
		return fmt.Errorf("%s: %s: %w %s", m.Name, command, err, strings.TrimSpace(stderr))
	}
	deadline := time.Now().Add(login)
	conn, err := (&net.Dialer{Deadline: deadline}).DialContext(ctx, "tcp", m.Addr)
	if err != nil {
		return "", fail(err, "")
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	// A machine that goes down between accept and greeting never answers.
	if err := conn.SetDeadline(deadline); err != nil {
		return "", fail(err, "")
	}
	c, chans, reqs, err := ssh.NewClientConn(conn, m.Addr, m.ClientConfig(m.User))
	if err != nil {
		return "", fail(err, "")
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return "", fail(err, "")
	}
	client := ssh.NewClient(c, chans, reqs)
	defer client.Close()
	s, err := client.NewSession()
	if err != nil {
		return "", fail(err, "")
	}
	var out, stderr strings.Builder
	s.Stdout, s.Stderr = &out, &stderr
	if err := s.Run(command); err != nil {
		return out.String(), fail(errors.Join(err, ctx.Err()), stderr.String())
	}
	return out.String(), nil
}

// EnableDebian makes Debian's own apt repositories known to the machine; they
// are on the network. The next `apt-get update` reads their lists.
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

// Console is what the machine has printed on its console so far, all boots.
func (m *Machine) Console() string {
	b, err := os.ReadFile(m.consoleFile())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (m *Machine) consoleFile() string { return filepath.Join(m.dir, "console.log") }

// note writes a line of ours to the console's log.
func (m *Machine) note(line string) {
	f, err := os.OpenFile(m.consoleFile(), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintln(f, line)
}
