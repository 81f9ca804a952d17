package kernel

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A WaitStatus is how a process ended.
type WaitStatus struct {
	Code   int
	Signal int
}

// ExitCode gives what $? shows.
func (w WaitStatus) ExitCode() int {
	if w.Signal != 0 {
		return 128 + w.Signal
	}
	return w.Code
}

// A Program is what an executable file does. It runs on the process's own goroutine and returns the exit code.
type Program func(p *Process) int

// A Process is a running program.
//
// Its methods are for the goroutine of the program. When the process is killed they do not return; what the program
// started by itself must watch [Process.Context].
type Process struct {
	Kernel *Kernel

	Args []string // with the program's name first
	Env  []string // "NAME=value"
	Dir  string   // working directory
	PID  int

	PPID, PGID, SID int
	UID, GID        uint32
	RUID            uint32
	Groups          []uint32
	Umask           uint32
	FDs             [10]*File
	holds           []*File // open, but not inherited
	Exe             string
	Started         time.Time
	Unit            string // the systemd unit it belongs to
	parent          *Process
	mounts          *namespace // of its own; nil means that of the machine
	onExit          func(WaitStatus)
	Stub            bool // a daemon without a program; set before anybody else sees it

	outBuf   []byte
	WriteErr error

	mu       sync.Mutex
	blocked  *sync.Cond
	pending  []int
	caught   map[int]bool
	ignored  map[int]bool
	Status   WaitStatus
	dead     atomic.Bool
	Signals  chan struct{} // a caught signal is pending
	Done     chan struct{} // closed at death
	children []*Process
	ctx      context.Context
	cancel   context.CancelFunc
	begun    atomic.Bool // it runs, or has run
}

// Chdir changes the working directory to an absolute path without links.
func (p *Process) Chdir(dir string) {
	p.mu.Lock()
	p.Dir = dir
	p.mu.Unlock()
}

// SetEnv replaces the environment.
func (p *Process) SetEnv(env []string) {
	p.mu.Lock()
	p.Env = env
	p.mu.Unlock()
}

// SetArgs changes what ps shows.
func (p *Process) SetArgs(args []string) {
	p.mu.Lock()
	p.Args = args
	p.mu.Unlock()
}

// SetProgram changes what ps shows, and the executable.
func (p *Process) SetProgram(args []string, exe string) {
	p.mu.Lock()
	p.Args, p.Exe = args, exe
	p.mu.Unlock()
}

// SetUnit says which systemd unit a process belongs to. Its children belong to it too.
func (p *Process) SetUnit(name string) {
	p.mu.Lock()
	p.Unit = name
	p.mu.Unlock()
}

func (p *Process) InUnit(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Unit == name
}

func (p *Process) WorkingDirectory() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Dir
}

// Hold keeps a file open until the process ends, without a descriptor.
func (p *Process) Hold(d *File) {
	p.mu.Lock()
	p.holds = append(p.holds, d)
	p.mu.Unlock()
}

// HoldsLock reports that a file which the process holds is locked.
func (p *Process) HoldsLock(path string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.holds, func(h *File) bool { return h.Path == path && h.flags&flagLocked != 0 })
}

// AtExit runs f when the process has ended, in place of what was to run; it reports that it has ended already.
func (p *Process) AtExit(f func(WaitStatus)) (gone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onExit = f
	return p.dead.Load()
}

func (p *Process) IsDead() bool { return p.dead.Load() }

// Context ends when the process does.
func (p *Process) Context() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil {
		p.ctx, p.cancel = context.WithCancel(context.Background())
		if p.dead.Load() {
			p.cancel()
		}
	}
	return p.ctx
}

// Getenv gives a variable of the environment, or "".
func (p *Process) Getenv(name string) string {
	for i := len(p.Env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(p.Env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

func (p *Process) Cred() Cred { return Cred{p.UID, p.GID, p.Groups, p.mounts} }

// Processes lists what runs, the oldest first. A signal to many goes in this order: Linux signals a group at once, so
// that a shell which is killed with the command it waits for does not live to see the command's end; here it does not
// because it is the older one.
func (k *Kernel) Processes() []*Process {
	k.procMu.Lock()
	defer k.procMu.Unlock()
	out := make([]*Process, 0, len(k.procs))
	for _, q := range k.procs {
		out = append(out, q)
	}
	slices.SortFunc(out, func(a, b *Process) int { return cmp.Compare(a.PID, b.PID) })
	return out
}

func ParseUint(s string) (uint64, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n, true
}
