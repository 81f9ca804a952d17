package hosttest

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A kernelConfig is the hardware of a machine, the software on its SD card, and the hooks of who owns it.
type kernelConfig struct {
	Release string // uname -r
	Arch    string // as dpkg names it: "arm64" or "amd64"
	Model   string // /proc/device-tree/model; "-" means no device tree
	CPUs    int
	Memory  int64  // bytes
	SDCard  int64  // bytes
	Disks   []diskConfig // besides the SD card

	Root, Boot *image             // of the SD card's file systems
	Programs   map[string]program // what executables do, by the name that elf was given

	Now    func() time.Time
	Sleep  func(done <-chan struct{}, d time.Duration) // waits for d or until done is closed; nil waits for real
	Dial   func(address string) (net.Conn, error)      // connects to what Listen does not offer
	Write  func(lossy bool) error                      // before each change; lossy is one of a tmpfs
	Full   func(bytes int64) bool                      // reports that so many more bytes do not fit on the disks
	Room   func(free int64) int64                      // what of the free bytes of a disk can be used
	Exec   func(name string) (kill bool)               // before each program
	Reboot func()                                      // asked for by a program, which does not wait for it
}

// A Kernel runs processes over a tree of files. It knows neither programs nor the shell: they are given to it.
type Kernel struct {
	cfg     kernelConfig
	tree    *tree
	off     atomic.Bool // powered off: nothing runs, nothing is written
	running sync.WaitGroup
	serving sync.WaitGroup
	locals  sync.Map

	procMu  sync.Mutex
	procs   map[int]*proc
	nextPID int

	mu       sync.Mutex // guards what follows
	commands map[string]program
	ports    map[int]func(net.Conn)
	sockets  map[string]func(net.Conn)
	hostname string
	bootID   string
	bootTime time.Time
	cmdline  string
	sysctls  map[string]string
	modules  map[string]bool
	disks    []*disk
	swaps    []string
	pipes    map[*pipe]bool // of sessions: they end with the power, whoever holds them
}

// newKernel makes a kernel whose disks are mounted, and that is not booted yet.
func newKernel(cfg kernelConfig) *Kernel {
	k := &Kernel{cfg: cfg, nextPID: 900, procs: map[int]*proc{}, commands: map[string]program{}}
	k.tree = &tree{k: k, locks: map[inodeKey][]*description{}}
	k.tree.freed = newCond(&k.tree.mu)
	k.disks = k.makeDisks()
	k.mountAll()
	return k
}

// local is what a part of the system keeps in the kernel's memory, by its type: the zero T at first.
func local[T any](k *Kernel) *T {
	v, ok := k.locals.Load((*T)(nil))
	if !ok {
		v, _ = k.locals.LoadOrStore((*T)(nil), new(T))
	}
	return v.(*T)
}

// goServe runs f on a goroutine that wait waits for.
func (k *Kernel) goServe(f func()) { k.serving.Go(f) }

// wait waits for what goServe started.
func (k *Kernel) wait() { k.serving.Wait() }

// handle replaces the program of a name, whatever the executable file is.
func (k *Kernel) handle(name string, f program) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.commands[name] = f
}

func (k *Kernel) handled(name string) program {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.commands[name]
}

// Hostname is the kernel's host name now.
func (k *Kernel) Hostname() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.hostname
}

func (k *Kernel) setHostname(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hostname = name
}

// BootID is /proc/sys/kernel/random/boot_id: another one after each boot.
func (k *Kernel) BootID() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bootID
}

// setCmdline is what the boot loader passes on: /proc/cmdline.
func (k *Kernel) setCmdline(line string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cmdline = line
}

func (k *Kernel) bootedAt() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bootTime
}

func (k *Kernel) now() time.Time { return k.cfg.Now() }

// mutation is the one place where the machine changes: it is counted, and the machine dies when it was told to.
func (k *Kernel) mutation(v *volume) error {
	if k.off.Load() {
		return syscall.EIO
	}
	return k.cfg.Write(v != nil && v.lossy)
}

// boot starts the kernel. The file systems on disks are as they were left. Nothing can run until powerOn.
func (k *Kernel) boot() {
	k.mu.Lock()
	k.bootID = newUUID()
	k.bootTime = k.now().Add(-20 * time.Second)
	k.sysctls = map[string]string{}
	k.modules = map[string]bool{}
	k.swaps = nil
	k.sockets = nil
	k.mu.Unlock()
	k.mountAll()
}

// isOff reports that the power is off.
func (k *Kernel) isOff() bool { return k.off.Load() }

func (k *Kernel) powerOn() { k.off.Store(false) }

// powerOff lets nothing begin any more; halt ends what runs.
func (k *Kernel) powerOff() { k.off.Store(true) }

// halt kills what runs, after powerOff, and waits until it has ended.
func (k *Kernel) halt() {
	for _, p := range k.processes() {
		p.die(sigKILL)
	}
	k.running.Wait()
	k.mu.Lock()
	pipes := slices.Collect(maps.Keys(k.pipes))
	k.mu.Unlock()
	for _, p := range pipes {
		p.end()
	}
}

// settle leaves on the disks what is on them after a shutdown, or after a power cut when clean is false: every file whose
// data was written but not synced is then empty, as after a crash of a file system with delayed allocation.
func (k *Kernel) settle(clean bool) {
	t := k.tree
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, v := range k.volumes() {
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
}

// watch ends the pipes when the machine stops.
func (k *Kernel) watch(pipes ...*pipe) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pipes == nil {
		k.pipes = map[*pipe]bool{}
	}
	for _, p := range pipes {
		k.pipes[p] = true
	}
}

func (k *Kernel) unwatch(pipes ...*pipe) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range pipes {
		delete(k.pipes, p)
	}
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// execScript runs a shell script as root.
func (k *Kernel) execScript(script string, stdin []byte) (stdout, stderr string, code int) {
	p := k.newProcess(nil)
	p.setEnv(rootEnv())
	p.chdir("/root")
	inR, inW := newPipe(0).descriptions()
	inW.Write(nil, stdin)
	inW.release()
	outR, outW := newPipe(0).descriptions()
	errR, errW := newPipe(0).descriptions()
	p.give(inR, outW, errW)
	p.goRun(func(p *proc) int {
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
		return string(d.stream.(pipeReader).unread())
	}
	return drain(outR), drain(errR), p.status.shell()
}

func rootEnv() []string {
	return []string{
		"HOME=/root", "LOGNAME=root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SHELL=/bin/bash", "USER=root",
	}
}
