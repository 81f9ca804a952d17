package kernel

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

// A Config is the hardware of a machine, the software on its SD card, and the hooks of who owns it.
type Config struct {
	Release string // uname -r
	Arch    string // as dpkg names it: "arm64" or "amd64"
	Model   string // /proc/device-tree/model; "-" means no device tree
	CPUs    int
	Memory  int64        // bytes
	SDCard  int64        // bytes
	Disks   []DiskConfig // besides the SD card

	Root, Boot *Image             // of the SD card's file systems
	Programs   map[string]Program // what executables do, by the name that elf was given

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
	Config  Config
	Tree    *Tree
	off     atomic.Bool // powered off: nothing runs, nothing is written
	running sync.WaitGroup
	serving sync.WaitGroup
	locals  sync.Map

	procMu  sync.Mutex
	procs   map[int]*Process
	nextPID int

	mu       sync.Mutex // guards what follows
	commands map[string]Program
	ports    map[int]func(net.Conn)
	sockets  map[string]func(net.Conn)
	hostname string
	bootID   string
	BootTime time.Time
	cmdline  string
	sysctls  map[string]string
	modules  map[string]bool
	Disks    []*Disk
	swaps    []string
	sleepers sync.Map       // of After, by their channel: what stops them
	pipes    map[*Pipe]bool // of sessions: they end with the power, whoever holds them
}

// New makes a kernel whose disks are mounted, and that is not booted yet.
func New(cfg Config) *Kernel {
	k := &Kernel{Config: cfg, nextPID: 900, procs: map[int]*Process{}, commands: map[string]Program{}}
	k.Tree = &Tree{k: k, locks: map[InodeKey][]*File{}}
	k.Tree.Freed = newCond(&k.Tree.mu)
	k.Disks = k.makeDisks()
	k.mountAll()
	return k
}

// Local is what a part of the system keeps in the kernel's memory, by its type: the zero T at first.
func Local[T any](k *Kernel) *T {
	v, ok := k.locals.Load((*T)(nil))
	if !ok {
		v, _ = k.locals.LoadOrStore((*T)(nil), new(T))
	}
	return v.(*T)
}

// Go runs f on a goroutine that wait waits for.
func (k *Kernel) Go(f func()) { k.serving.Go(f) }

// Wait waits for what goServe started.
func (k *Kernel) Wait() { k.serving.Wait() }

// Handle replaces the program of a name, whatever the executable file is.
func (k *Kernel) Handle(name string, f Program) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.commands[name] = f
}

func (k *Kernel) Handled(name string) Program {
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

func (k *Kernel) SetHostname(name string) {
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

// SetCmdline is what the boot loader passes on: /proc/cmdline.
func (k *Kernel) SetCmdline(line string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cmdline = line
}

func (k *Kernel) BootedAt() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.BootTime
}

func (k *Kernel) Now() time.Time { return k.Config.Now() }

// Mutate is the one place where the machine changes: it is counted, and the machine dies when it was told to.
func (k *Kernel) Mutate(v *Volume) error {
	if k.off.Load() {
		return syscall.EIO
	}
	return k.Config.Write(v != nil && v.Lossy)
}

// Boot starts the kernel. The file systems on disks are as they were left. Nothing can run until powerOn.
func (k *Kernel) Boot() {
	k.mu.Lock()
	k.bootID = NewUUID()
	k.BootTime = k.Now().Add(-20 * time.Second)
	k.sysctls = map[string]string{}
	k.modules = map[string]bool{}
	k.swaps = nil
	k.sockets = nil
	k.mu.Unlock()
	k.mountAll()
}

// Off reports that the power is off.
func (k *Kernel) Off() bool { return k.off.Load() }

func (k *Kernel) PowerOn() { k.off.Store(false) }

// PowerOff lets nothing begin any more; halt ends what runs.
func (k *Kernel) PowerOff() { k.off.Store(true) }

// Halt kills what runs, after powerOff, and waits until it has ended.
func (k *Kernel) Halt() {
	for _, p := range k.Processes() {
		p.Die(SigKILL)
	}
	k.stopSleepers()
	k.running.Wait()
	k.mu.Lock()
	pipes := slices.Collect(maps.Keys(k.pipes))
	k.mu.Unlock()
	for _, p := range pipes {
		p.end()
	}
}

// Settle leaves on the disks what is on them after a shutdown, or after a power cut when clean is false: every file
// whose data was written but not synced is then empty, as after a crash of a file system with delayed allocation.
func (k *Kernel) Settle(clean bool) {
	t := k.Tree
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, v := range k.Volumes() {
		for _, i := range v.Upper {
			if i.Dirty != 0 && !clean {
				v.Used -= int64(len(i.Data))
				i.Data, i.Owned = nil, true
			}
			i.Dirty, i.Opens = 0, 0
			if i.Nlink == 0 {
				t.free(v, i)
			}
		}
	}
	t.locks = map[InodeKey][]*File{}
}

// Watch ends the pipes when the machine stops.
func (k *Kernel) Watch(pipes ...*Pipe) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pipes == nil {
		k.pipes = map[*Pipe]bool{}
	}
	for _, p := range pipes {
		k.pipes[p] = true
	}
}

func (k *Kernel) Unwatch(pipes ...*Pipe) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range pipes {
		delete(k.pipes, p)
	}
}

func NewUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Machine is uname -m.
func (k *Kernel) Machine() string {
	if k.Config.Arch == "arm64" {
		return "aarch64"
	}
	return "x86_64"
}
