package hosttest

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/apt"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/debian"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/netclient"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/sshd"
)

// A Config describes a machine. The zero value is a Raspberry Pi 5 with Debian 12 and an SD card, whose user pi may log
// in with [Machine.ClientKey] and use sudo without a password.
type Config struct {
	Hostname string // empty means "pi1"
	User     string // the login user, in group sudo; empty means "pi"

	// AuthorizedKeys may log in as User. When it is empty, and UserCA and Password too, only Machine.ClientKey may.
	AuthorizedKeys []ssh.PublicKey
	UserCA         ssh.PublicKey // nil trusts no user certificates (TrustedUserCAKeys)
	Password       string        // of User; empty locks the password
	SudoPassword   string        // what sudo asks User for; empty means NOPASSWD

	HostKey  ssh.Signer   // nil makes an ed25519 key; a certificate signer presents its certificate
	HostKeys []ssh.Signer // more host keys, of other algorithms

	Arch     string // as dpkg names it: "arm64" (also when empty) or "amd64"
	Model    string // /proc/device-tree/model; empty means "Raspberry Pi 5 Model B Rev 1.0"; "-" means no device tree
	Kernel   string // uname -r; empty means "6.12.25+rpt-rpi-2712"
	Cmdline  string // /boot/firmware/cmdline.txt; empty means what Raspberry Pi OS ships
	Memory   int64  // bytes; 0 means 8 GiB
	CPUs     int    // 0 means 4
	SDCard   int64  // bytes; 0 means 64 GB
	Disks    []Disk // besides the SD card
	Timezone string // empty means "Etc/UTC"

	// Now is the machine's clock; nil means time.Now.
	Now func() time.Time
	// Sleep waits for d or until done is closed; nil waits for real.
	Sleep func(done <-chan struct{}, d time.Duration)

	// Dial connects for direct-tcpip channels (ProxyJump). nil reaches only what Machine.Serve offers on this machine,
	// by any of its names, and 127.0.0.1 of the host: a fake does not wander into the network.
	Dial func(network, addr string) (net.Conn, error)
}

// A Machine is a computer in this process: it speaks SSH on a loopback port, runs a POSIX shell and the usual commands
// over a file system in memory, and forgets everything at Close.
type Machine struct {
	cfg       Config
	kernel    *kernel.Kernel
	ssh       *sshd.Server
	clientKey ssh.Signer
	counters  counters
	faults    faults

	mu        sync.Mutex // guards what follows
	closed    bool
	rebooting bool
}

// Start boots a machine and listens on a free port of 127.0.0.1.
func Start(cfg Config) (*Machine, error) {
	cfg.Hostname = cmp.Or(cfg.Hostname, "pi1")
	cfg.User = cmp.Or(cfg.User, "pi")
	cfg.Arch = cmp.Or(cfg.Arch, "arm64")
	cfg.Model = cmp.Or(cfg.Model, "Raspberry Pi 5 Model B Rev 1.0")
	cfg.Kernel = cmp.Or(cfg.Kernel, "6.12.25+rpt-rpi-2712")
	cfg.Memory = cmp.Or(cfg.Memory, 8<<30)
	cfg.CPUs = cmp.Or(cfg.CPUs, 4)
	cfg.SDCard = cmp.Or(cfg.SDCard, 63864569856)
	cfg.Timezone = cmp.Or(cfg.Timezone, "Etc/UTC")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Arch != "arm64" && cfg.Arch != "amd64" {
		return nil, fmt.Errorf("hosttest: architecture %q: only arm64 and amd64 are known", cfg.Arch)
	}
	if cfg.HostKey == nil {
		s, err := newSigner()
		if err != nil {
			return nil, err
		}
		cfg.HostKey = s
	}
	m := &Machine{cfg: cfg}
	if len(cfg.AuthorizedKeys) == 0 && cfg.UserCA == nil && cfg.Password == "" {
		s, err := newSigner()
		if err != nil {
			return nil, err
		}
		m.clientKey = s
		m.cfg.AuthorizedKeys = []ssh.PublicKey{s.PublicKey()}
	}
	hostKeys := append([]ssh.Signer{cfg.HostKey}, cfg.HostKeys...)
	m.kernel = debian.New(m.kernelConfig(), m.debianConfig(hostKeys))
	m.boot()
	var err error
	m.ssh, err = sshd.Listen(m.kernel, sshd.Config{HostKeys: hostKeys, UserCA: cfg.UserCA, Passwords: cfg.Password != ""})
	if err != nil {
		m.kernel.PowerOff()
		m.kernel.Halt()
		return nil, fmt.Errorf("hosttest: listen: %w", err)
	}
	return m, nil
}

// kernelConfig is the hardware, and what the kernel asks the machine.
func (m *Machine) kernelConfig() kernel.Config {
	var disks []kernel.DiskConfig
	for _, d := range m.cfg.Disks {
		disks = append(disks, d.config())
	}
	return kernel.Config{
		Release: m.cfg.Kernel, Arch: m.cfg.Arch, Model: m.cfg.Model, CPUs: m.cfg.CPUs, Memory: m.cfg.Memory,
		SDCard: m.cfg.SDCard, Disks: disks,
		Now: m.cfg.Now, Sleep: m.cfg.Sleep, Dial: m.dial, Write: m.write, Full: m.faults.fill, Room: m.faults.room,
		Exec: m.exec, Reboot: m.rebootSoon,
	}
}

// debianConfig is what is put on the SD card.
func (m *Machine) debianConfig(hostKeys []ssh.Signer) debian.Config {
	c := debian.Config{
		Hostname: m.cfg.Hostname, Timezone: m.cfg.Timezone, Cmdline: m.cfg.Cmdline, User: m.cfg.User, Password: m.cfg.Password,
		SudoPassword: m.cfg.SudoPassword, AuthorizedKeys: m.cfg.AuthorizedKeys,
	}
	for _, k := range hostKeys {
		c.HostKeys = append(c.HostKeys, k.PublicKey())
	}
	return c
}

// New is Start for a test, which it fails on an error, and Close at its end.
func New(tb testing.TB, cfg Config) *Machine {
	tb.Helper()
	m, err := Start(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	return m
}

func newSigner() (ssh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return ssh.NewSignerFromKey(key)
}

// Addr is the host:port that the machine's sshd listens on. It stays the same through reboots.
func (m *Machine) Addr() string { return m.ssh.Addr() }

// HostKey is the first host key.
func (m *Machine) HostKey() ssh.PublicKey { return m.ssh.HostKey() }

// ClientKey may log in when the configuration names nobody else; nil when it does.
func (m *Machine) ClientKey() ssh.Signer { return m.clientKey }

// User is the login user.
func (m *Machine) User() string { return m.cfg.User }

// Hostname is the kernel's host name now.
func (m *Machine) Hostname() string { return m.kernel.Hostname() }

// BootID is /proc/sys/kernel/random/boot_id: another one after each boot.
func (m *Machine) BootID() string { return m.kernel.BootID() }

// FS gives the machine's files, as root and without counting.
func (m *Machine) FS() FS { return m.kernel.FS() }

// Mounts lists what is mounted, in order.
func (m *Machine) Mounts() []Mount { return m.kernel.Mounts() }

// Handle adds a program, or replaces one. A name with a slash also creates the executable file; a bare name takes
// effect for every executable of that name which is installed (by a package of the archive, or by a test). A built-in of
// the shell is replaced too.
func (m *Machine) Handle(name string, c Command) {
	base := path.Base(name)
	m.kernel.Handle(base, m.program(c))
	if base != name {
		m.kernel.Install(name, 0o755, kernel.Binary(base))
	}
}

// Serve makes a URL answer curl and wget on this machine with the bytes. A URL that nobody serves cannot be resolved.
func (m *Machine) Serve(url string, b []byte) { netclient.Serve(m.kernel, url, b) }

// Listen makes a TCP port of the machine answer direct-tcpip channels with f, which closes the connection; nil
// frees the port.
func (m *Machine) Listen(port int, f func(net.Conn)) { m.kernel.Listen(port, f) }

// ListenUnix makes a socket in the machine's file system, owned by root with mode 0660 and the given group's id, and
// answers direct-streamlocal channels with f.
func (m *Machine) ListenUnix(path string, gid int, f func(net.Conn)) error {
	return m.kernel.ListenUnix(path, gid, f)
}

// AddPackage puts versions of packages into the archive. A machine sees them after its next apt-get update. A version
// that is there is replaced.
func (m *Machine) AddPackage(packages ...Package) {
	for _, pk := range packages {
		commands := map[string]kernel.Program{}
		for name, c := range pk.Commands {
			commands[name] = nil
			if c != nil {
				commands[name] = m.program(c)
			}
		}
		apt.Add(m.kernel, apt.Package{
			Name: pk.Name, Version: pk.Version, Arch: pk.Arch, Depends: pk.Depends, Conflicts: pk.Conflicts, Provides: pk.Provides,
			Source: pk.Source, Files: pk.Files, Conffiles: pk.Conffiles, Units: pk.Units, Disabled: pk.Disabled,
			Commands: commands, Users: pk.Users, Groups: pk.Groups, Postinst: pk.Postinst, Prerm: pk.Prerm,
		})
	}
}

// dial is where connections from the machine and through it go that no Listen answers.
func (m *Machine) dial(address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if n, _ := strconv.Atoi(port); n == 22 && m.kernel.IsLocal(host) {
		return net.Dial("tcp", m.Addr())
	}
	if m.cfg.Dial != nil {
		return m.cfg.Dial("tcp", address)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return net.Dial("tcp", address)
	}
	return nil, syscall.ECONNREFUSED
}

// exec is asked before each program: it counts, and kills when it was told to.
func (m *Machine) exec(name string) (kill bool) {
	m.counters.command(name)
	return m.faults.kills(name)
}

// boot starts the kernel and the services, unless the machine was closed meanwhile.
func (m *Machine) boot() {
	m.kernel.Boot()
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return
	}
	m.kernel.PowerOn()
	m.mu.Unlock()
	debian.Start(m.kernel)
}

// halt cuts the connections and kills what runs.
func (m *Machine) halt() {
	m.kernel.PowerOff()
	m.ssh.Cut()
	m.kernel.Halt()
}

// Reboot shuts down in order, and boots: connections end, what was written stays, tmpfs is empty, boot_id is new.
// While the machine is down connections are refused.
func (m *Machine) Reboot() { m.restart(true) }

// PowerCut takes the power away and gives it back: connections break, what runs dies at once, and every file whose data
// was written but not synced is empty afterwards, as after a crash of a file system with delayed allocation. Names and
// modes are kept, as a journal would.
func (m *Machine) PowerCut() { m.restart(false) }

func (m *Machine) restart(clean bool) {
	if m.isClosed() {
		return
	}
	m.halt()
	m.kernel.Settle(clean)
	if !m.isClosed() {
		m.boot()
	}
}

func (m *Machine) isClosed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

// rebootSoon lets the caller's answer leave before the machine goes down.
func (m *Machine) rebootSoon() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rebooting || m.closed {
		return
	}
	m.rebooting = true
	m.kernel.Go(func() {
		time.Sleep(2 * time.Millisecond)
		m.Reboot()
		m.mu.Lock()
		m.rebooting = false
		m.mu.Unlock()
	})
}

// Close stops the machine and waits until nothing of it runs.
func (m *Machine) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	m.mu.Unlock()
	err := m.ssh.Close()
	m.halt()
	m.kernel.Wait()
	m.halt() // what a reboot in between has started
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Failed units, logs and running programs are looked at through the machine's own commands: Exec runs one as root.
// It returns the standard output, and an error that holds the standard error when the exit code is not 0.
func (m *Machine) Exec(script string) (string, error) {
	return m.ExecInput(script, nil)
}

// ExecInput is Exec with a standard input.
func (m *Machine) ExecInput(script string, stdin []byte) (string, error) {
	out, stderr, code := libc.System(m.kernel, script, stdin)
	if code != 0 {
		return out, fmt.Errorf("exit code %d: %s", code, strings.TrimSpace(stderr))
	}
	return out, nil
}
