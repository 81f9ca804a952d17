package real

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// bootTime is much longer than a boot takes, even on a busy machine.
const bootTime = 10 * time.Minute

// boot runs the machine until it is turned off; if it requests a reboot, it is
// booted again. The caller must not hold m.mu.
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
		// systemd-nspawn exits with 133 if the machine requested a reboot.
		if m.down || p.exitCode() != 133 {
			m.mu.Unlock()
			return
		}
		next, err := m.spawn()
		if err != nil {
			m.note("reboot: " + err.Error())
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
		"--network-namespace-path=/run/netns/" + m.netns, "--resolv-conf=off", "--timezone=off",
		"--link-journal=no", "--console=read-only",
		// Setting the time zone in a machine with CAP_SYS_TIME can change this
		// machine's clock; the other two give access to the kernel and the hardware.
		"--capability=all", "--drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE,CAP_SYS_RAWIO",
		"--system-call-filter=add_key keyctl bpf", // container engines need them
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
		"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",  // regardless of this machine's hierarchy
		"SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes", // udevd writes to /sys
		"SYSTEMD_NSPAWN_LOCK=0", "SYSTEMD_LOG_TARGET=console",
	}
	// Each boot needs a new cgroup: Linux kills what is cloned into one that has
	// been killed before (the kill counts of both cgroups are compared).
	if err := removeCgroup(m.cgroup); err != nil {
		return nil, err
	}
	leave, err := enterCgroup(cmd, m.cgroup)
	if err != nil {
		return nil, err
	}
	defer leave()
	// Killing systemd-nspawn would leave the machine's systemd running; SIGTERM
	// makes it shut the machine down.
	return start(cmd, syscall.SIGTERM)
}

// stateDirs are not on the machine's overlay but on the file system below it,
// because the stacking of overlays is limited.
var stateDirs = []string{"/var/lib/docker", "/var/lib/containerd", "/var/lib/kubelet"}

// Stop shuts the machine down cleanly. The overlay stays mounted, so Root can
// still be read and changed.
func (m *Machine) Stop(ctx context.Context) error {
	return m.end(ctx, syscall.SIGTERM)
}

// PowerCut stops the machine immediately, as if its plug were pulled, and boots it
// again. Unlike on a real machine, data that was written without a sync is kept.
func (m *Machine) PowerCut(ctx context.Context) error {
	if err := m.end(ctx, syscall.SIGKILL); err != nil {
		return err
	}
	return m.Start(ctx)
}

// Start boots the machine after [Machine.Stop].
func (m *Machine) Start(ctx context.Context) error {
	if p := m.current(); p != nil && !p.exited() {
		return fmt.Errorf("start %s: it is already running", m.Name)
	}
	if err := m.boot(); err != nil {
		return fmt.Errorf("start %s: %w", m.Name, err)
	}
	return m.ready(ctx, "")
}

// Reboot reboots the machine with systemd, and returns when it has booted.
func (m *Machine) Reboot(ctx context.Context) error {
	const bootID = "cat /proc/sys/kernel/random/boot_id"
	before, err := m.Run(ctx, bootID)
	if err != nil {
		return fmt.Errorf("reboot %s: %w", m.Name, err)
	}
	// The reboot also ends the connection and the command, so their error matters
	// only if the machine does not go down.
	_, runErr := m.Run(ctx, "sudo systemctl reboot")
	if err := m.ready(ctx, before); err != nil {
		return fmt.Errorf("reboot %s: %w", m.Name, errors.Join(err, runErr))
	}
	return nil
}

// end turns the machine off with a signal to systemd-nspawn.
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
	ctx, stop := whileRunning(ctx, gone, func() error { return fmt.Errorf("it exited: %v", m.current().cmd.ProcessState) })
	defer stop()
	err := until(ctx, m.Name+" has booted", func() error {
		// It exits with an error if a unit has failed, which does not matter here,
		// and if systemd did not answer in time.
		out, err := m.run(ctx, 20*time.Second,
			"cat /proc/sys/kernel/random/boot_id; systemctl is-system-running --wait || true")
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
		return fmt.Errorf("%w; too many machines for the inotify limit: sysctl -w fs.inotify.max_user_instances=1024", err)
	}
	return err
}
