package hosttest

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
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
	cfg     Config
	kernel  string
	arch    string
	tree    *tree
	off     atomic.Bool // powered off: nothing runs, nothing is written
	running sync.WaitGroup

	procMu  sync.Mutex
	procs   map[int]*Process
	nextPID int

	mu        sync.Mutex // guards what follows
	commands  map[string]Command
	served    map[string][]byte
	ports     map[int]func(net.Conn)
	sockets   map[string]func(net.Conn)
	hostname  string
	bootID    string
	bootTime  time.Time
	cmdline   string
	sysctls   map[string]string
	modules   map[string]bool
	ntpSynced bool
	disks     []*disk
	swaps     []string
	systemd   *systemd
	archive   []Package
	dpkg      statusMemo
	accounts  accountMemo
	conns     map[*conn]bool
	pipes     map[*pipe]bool // of sessions: they end with the power, whoever holds them
	listener  net.Listener
	addr      string
	hostKeys  []ssh.Signer
	clientKey ssh.Signer
	closed    bool
	rebooting bool

	counters counters
	faults   faults
	serving  sync.WaitGroup
}

// A Command is a program that a package or a test adds to a machine. It returns the exit code.
type Command func(p *Process) int

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
	if cfg.Arch != "arm64" && cfg.Arch != "amd64" {
		return nil, fmt.Errorf("hosttest: architecture %q: only arm64 and amd64 are known", cfg.Arch)
	}
	m := &Machine{
		cfg: cfg, kernel: cfg.Kernel, arch: cfg.Arch, nextPID: 900,
		procs: map[int]*Process{}, commands: map[string]Command{}, conns: map[*conn]bool{},
		hostname: cfg.Hostname, archive: nil,
	}
	m.faults.m = m
	if cfg.HostKey == nil {
		s, err := newSigner()
		if err != nil {
			return nil, err
		}
		cfg.HostKey = s
	}
	m.hostKeys = append([]ssh.Signer{cfg.HostKey}, cfg.HostKeys...)
	if len(cfg.AuthorizedKeys) == 0 && cfg.UserCA == nil && cfg.Password == "" {
		s, err := newSigner()
		if err != nil {
			return nil, err
		}
		m.clientKey = s
		cfg.AuthorizedKeys = []ssh.PublicKey{s.PublicKey()}
	}
	m.cfg.AuthorizedKeys = cfg.AuthorizedKeys
	m.install()
	m.boot()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("hosttest: listen: %w", err)
	}
	m.listener, m.addr = l, l.Addr().String()
	m.serving.Go(func() { m.accept(l) })
	return m, nil
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
func (m *Machine) Addr() string { return m.addr }

// HostKey is the first host key.
func (m *Machine) HostKey() ssh.PublicKey {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hostKeys[0].PublicKey()
}

// ClientKey may log in when the configuration names nobody else; nil when it does.
func (m *Machine) ClientKey() ssh.Signer { return m.clientKey }

// User is the login user.
func (m *Machine) User() string { return m.cfg.User }

// Hostname is the kernel's host name now.
func (m *Machine) Hostname() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hostname
}

// BootID is /proc/sys/kernel/random/boot_id: another one after each boot.
func (m *Machine) BootID() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bootID
}

// Handle adds a program, or replaces one. A name with a slash also creates the executable file; a bare name takes
// effect for every executable of that name which is installed (by a package of the archive, or by a test). A built-in of
// the shell is replaced too.
func (m *Machine) Handle(name string, c Command) {
	base := name[strings.LastIndexByte(name, '/')+1:]
	m.mu.Lock()
	m.commands[base] = c
	m.mu.Unlock()
	if base != name {
		m.install1(name, 0o755, elf(base))
	}
}

func (m *Machine) handled(name string) Command {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.commands[name]
}

// Serve makes a URL answer curl and wget on this machine with the bytes. A URL that nobody serves cannot be resolved.
func (m *Machine) Serve(url string, b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.served == nil {
		m.served = map[string][]byte{}
	}
	m.served[url] = b
}

// Listen makes a TCP port of the machine answer direct-tcpip channels with f, which closes the connection.
func (m *Machine) Listen(port int, f func(net.Conn)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ports == nil {
		m.ports = map[int]func(net.Conn){}
	}
	m.ports[port] = f
}

// ListenUnix makes a socket in the machine's file system, owned by root with mode 0660 and the given group's id, and
// answers direct-streamlocal channels with f.
func (m *Machine) ListenUnix(path string, gid int, f func(net.Conn)) error {
	t := m.tree
	t.mu.Lock()
	defer t.mu.Unlock()
	s, err := t.walk(rootCred, "/", path, false)
	if err == nil && s.exists() {
		err = syscall.EADDRINUSE
	}
	if err != nil {
		return pathErr("bind", path, err)
	}
	at, err := t.create(cred{gid: uint32(gid)}, s, sIFSOC|0o660)
	if err != nil {
		return pathErr("bind", path, err)
	}
	_ = at
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sockets == nil {
		m.sockets = map[string]func(net.Conn){}
	}
	m.sockets[s.path] = f
	return nil
}

func (m *Machine) now() time.Time {
	if m.cfg.Now != nil {
		return m.cfg.Now()
	}
	return time.Now()
}

// mutation is the one place where the machine changes: it counts, and dies when it was told to.
func (m *Machine) mutation(v *volume) error {
	if m.off.Load() {
		return syscall.EIO
	}
	if v != nil && v.lossy {
		m.counters.tmpWrites.Add(1)
		return nil
	}
	n := m.counters.writes.Add(1)
	if err := m.faults.write(n); err != nil {
		return err
	}
	return nil
}

// boot starts the kernel and the services. The file systems on disks are as they were left.
func (m *Machine) boot() {
	m.mu.Lock()
	m.bootID = newUUID()
	m.bootTime = m.now().Add(-20 * time.Second)
	m.sysctls = map[string]string{}
	m.modules = map[string]bool{}
	m.swaps = nil
	m.ntpSynced = true
	m.sockets = nil
	m.mu.Unlock()
	m.mountAll()
	m.mu.Lock()
	if m.closed { // meanwhile: it stays off
		m.mu.Unlock()
		return
	}
	m.off.Store(false)
	m.mu.Unlock()
	m.bootConfig()
	m.startSystemd()
}

// halt kills what runs and cuts the connections.
func (m *Machine) halt() {
	m.off.Store(true)
	m.mu.Lock()
	conns := make([]*conn, 0, len(m.conns))
	for c := range m.conns {
		conns = append(conns, c)
	}
	m.mu.Unlock()
	for _, c := range conns {
		c.kill()
	}
	for _, p := range m.processes() {
		p.die(sigKILL)
	}
	m.running.Wait()
	m.mu.Lock()
	pipes := slices.Collect(maps.Keys(m.pipes))
	m.mu.Unlock()
	for _, p := range pipes {
		p.end()
	}
}

// watch ends the pipes when the machine stops.
func (m *Machine) watch(pipes ...*pipe) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pipes == nil {
		m.pipes = map[*pipe]bool{}
	}
	for _, p := range pipes {
		m.pipes[p] = true
	}
}

func (m *Machine) unwatch(pipes ...*pipe) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range pipes {
		delete(m.pipes, p)
	}
}

// Reboot shuts down in order, and boots: connections end, what was written stays, tmpfs is empty, boot_id is new.
// While the machine is down connections are refused.
func (m *Machine) Reboot() {
	m.restart(true)
}

// PowerCut takes the power away and gives it back: connections break, what runs dies at once, and every file whose data
// was written but not synced is empty afterwards, as after a crash of a file system with delayed allocation. Names and
// modes are kept, as a journal would.
func (m *Machine) PowerCut() {
	m.restart(false)
}

func (m *Machine) restart(clean bool) {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return
	}
	m.mu.Unlock()
	m.halt()
	t := m.tree
	t.mu.Lock()
	for _, v := range m.volumes() {
		for _, i := range v.upper {
			if i.dirty != 0 && !clean {
				v.used -= int64(len(i.data))
				i.data, i.owned = nil, true
			}
			i.dirty, i.opens = 0, 0
			if i.nlink == 0 {
				t.free(v, i)
			}
		}
	}
	t.locks = map[inodeKey][]*description{}
	t.mu.Unlock()
	for _, d := range m.disks {
		d.settle(clean)
	}
	m.mu.Lock()
	closed := m.closed
	m.mu.Unlock()
	if !closed {
		m.boot()
	}
}

// Close stops the machine and waits until nothing of it runs.
func (m *Machine) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	l := m.listener
	m.mu.Unlock()
	err := l.Close()
	m.halt()
	m.serving.Wait()
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
	p := m.newProcess(nil)
	p.setEnv(rootEnv())
	p.chdir("/root")
	inR, inW := newPipe(0).descriptions()
	inW.Write(nil, stdin)
	inW.release()
	outR, outW := newPipe(0).descriptions()
	errR, errW := newPipe(0).descriptions()
	p.give(inR, outW, errW)
	p.goRun(func(p *Process) int {
		code, err := p.exec("/bin/sh", []string{"sh", "-c", script}, p.Env)
		if err != nil {
			p.warn("sh: %s\n", strerror(err))
			return 127
		}
		return code
	})
	<-p.killed
	drain := func(d *description) string {
		defer d.release()
		pr := d.stream.(pipeReader)
		pr.mu.Lock()
		defer pr.mu.Unlock()
		return string(pr.buf[pr.start:])
	}
	out, stderr := drain(outR), drain(errR)
	if c := p.status.shell(); c != 0 {
		return out, fmt.Errorf("exit code %d: %s", c, strings.TrimSpace(stderr))
	}
	return out, nil
}

func rootEnv() []string {
	return []string{"HOME=/root", "LOGNAME=root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SHELL=/bin/bash", "USER=root"}
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
