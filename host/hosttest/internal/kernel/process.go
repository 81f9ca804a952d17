package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

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

// SetUser changes all ids of a process.
func (p *Process) SetUser(uid, gid uint32, groups []uint32) {
	p.mu.Lock()
	p.UID, p.RUID, p.GID, p.Groups = uid, uid, gid, groups
	p.mu.Unlock()
}

func (p *Process) SetGroup(gid uint32) {
	p.mu.Lock()
	p.GID = gid
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

// Looks is what ps shows of a process: its arguments, start, effective and real user.
func (p *Process) Looks() (args []string, started time.Time, uid, ruid uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Args, p.Started, p.UID, p.RUID
}

// Family is the parent, the group and the session of a process.
func (p *Process) Family() (ppid, pgid, sid int) {
	p.Kernel.procMu.Lock()
	defer p.Kernel.procMu.Unlock()
	return p.PPID, p.PGID, p.SID
}

// Setsid makes a process the leader of a session and a group of its own.
func (p *Process) Setsid() {
	p.Kernel.procMu.Lock()
	defer p.Kernel.procMu.Unlock()
	p.SID, p.PGID = p.PID, p.PID
}

// Setpgid makes a process the leader of a group of its own.
func (p *Process) Setpgid() {
	p.Kernel.procMu.Lock()
	defer p.Kernel.procMu.Unlock()
	p.PGID = p.PID
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

// Exit unwinds the goroutine of a process that has ended.
type Exit struct{ Code int }

// NewProcess registers a process without running it. What parent lends is inherited as by fork(2).
func (k *Kernel) NewProcess(parent *Process) *Process {
	p := &Process{Kernel: k, Started: k.Now(), Signals: make(chan struct{}, 1), Done: make(chan struct{})}
	if parent != nil {
		p.Args, p.Env, p.Dir = parent.Args, parent.Env, parent.Dir
		p.PPID, p.PGID, p.SID = parent.PID, parent.PGID, parent.SID
		p.UID, p.GID, p.RUID, p.Groups, p.Umask = parent.UID, parent.GID, parent.RUID, parent.Groups, parent.Umask
		p.Exe, p.Unit, p.parent = parent.Exe, parent.Unit, parent
		for i, f := range parent.FDs {
			if f != nil {
				p.FDs[i] = f.Ref()
			}
		}
		parent.mu.Lock()
		if len(parent.ignored) > 0 {
			p.ignored = map[int]bool{}
			for s := range parent.ignored {
				p.ignored[s] = true
			}
		}
		parent.children = append(parent.children, p)
		parent.mu.Unlock()
	} else {
		p.PPID, p.Umask, p.Dir = 1, 0o022, "/"
	}
	k.procMu.Lock()
	k.nextPID++
	p.PID = k.nextPID
	if parent == nil {
		p.PGID, p.SID = p.PID, p.PID
	}
	off := k.Off()
	if !off {
		k.procs[p.PID] = p
	}
	k.procMu.Unlock()
	if off {
		p.Die(SigKILL)
	}
	return p
}

// Fork runs f in a child process, on a goroutine of its own.
func (p *Process) Fork(f Program) *Process {
	p.Check()
	c := p.Kernel.NewProcess(p)
	c.Go(f)
	return c
}

func (p *Process) Go(f Program) {
	p.begun.Store(true)
	if !p.Kernel.begin() {
		p.Die(SigKILL)
		return
	}
	go func() {
		defer p.Kernel.running.Done()
		p.run(f)
	}()
}

// begin counts one more that runs, unless the machine goes down: halt waits for those that it has seen.
func (k *Kernel) begin() bool {
	k.procMu.Lock()
	defer k.procMu.Unlock()
	if k.Off() {
		return false
	}
	k.running.Add(1)
	return true
}

// Give hands the standard descriptors to a process that does not run yet, with the caller's references. One that is dead already lets go of them.
func (p *Process) Give(fds ...*File) {
	p.mu.Lock()
	dead := p.dead.Load()
	if !dead {
		copy(p.FDs[:], fds)
	}
	p.mu.Unlock()
	if dead {
		for _, f := range fds {
			f.Release()
		}
	}
}

func (p *Process) run(f Program) {
	p.begun.Store(true)
	code := 0
	defer func() {
		// children that were made and never run, because this process was killed meanwhile, hold its files
		p.mu.Lock()
		kids := slices.Clone(p.children)
		p.mu.Unlock()
		for _, k := range kids {
			if !k.begun.Load() {
				k.Finish(WaitStatus{Signal: SigKILL})
			}
		}
		if r := recover(); r != nil {
			e, ok := r.(Exit)
			if !ok {
				panic(r)
			}
			code = e.Code
		}
		p.Finish(WaitStatus{Code: code & 255})
	}()
	code = f(p)
	code = p.closeStdout(code)
}

// closeStdout writes what stdio would at exit.
func (p *Process) closeStdout(code int) int {
	if p.dead.Load() {
		return code
	}
	p.Flush()
	if p.WriteErr != nil {
		p.Errorf("write error: %s", Strerror(p.WriteErr))
		return 1
	}
	return code
}

// Finish ends the process, once.
func (p *Process) Finish(st WaitStatus) {
	p.mu.Lock()
	if p.dead.Swap(true) {
		p.mu.Unlock()
		return
	}
	p.Status = st
	cond := p.blocked
	cancel := p.cancel
	fds := p.FDs
	kids := slices.Clone(p.children)
	holds := p.holds
	onExit := p.onExit
	p.mu.Unlock()

	m := p.Kernel
	m.procMu.Lock()
	delete(m.procs, p.PID)
	for _, k := range kids {
		if k.PPID == p.PID {
			k.PPID = 1
		}
	}
	m.procMu.Unlock()
	for _, f := range fds {
		if f != nil {
			f.Release()
		}
	}
	for _, f := range holds {
		f.Release()
	}
	close(p.Done)
	if cancel != nil {
		cancel()
	}
	if cond != nil {
		cond.L.Lock()
		cond.Broadcast()
		cond.L.Unlock()
	}
	if p.parent != nil {
		p.parent.reap(p)
	}
	if onExit != nil {
		onExit(st)
	}
}

// reap forgets a child that has ended.
func (p *Process) reap(c *Process) {
	p.mu.Lock()
	if i := slices.Index(p.children, c); i >= 0 {
		p.children = slices.Delete(p.children, i, i+1)
	}
	p.mu.Unlock()
}

func (p *Process) Die(sig int) { p.Finish(WaitStatus{Signal: sig}) }

// Check leaves the goroutine of a process that was killed.
func (p *Process) Check() {
	if p.dead.Load() {
		panic(Exit{0})
	}
}

// Wait waits for a child. It returns false when a caught signal came first.
func (p *Process) Wait(c *Process) (WaitStatus, bool) {
	select {
	case <-c.Done:
		p.Check()
		return c.Status, true
	default:
	}
	select {
	case <-c.Done:
		p.Check()
		return c.Status, true
	case <-p.Done:
		panic(Exit{0})
	case <-p.Signals:
		return WaitStatus{}, false
	}
}

// WaitFor waits for a child whatever signals come.
func (p *Process) WaitFor(c *Process) WaitStatus {
	for {
		if st, ok := p.Wait(c); ok {
			return st
		}
	}
}

// Sleep returns false when a caught signal came first.
func (p *Process) Sleep(d time.Duration) bool {
	done := make(chan struct{})
	stop := p.Kernel.After(d, func() { close(done) })
	defer stop()
	select {
	case <-done:
		p.Check()
		return true
	case <-p.Done:
		panic(Exit{0})
	case <-p.Signals:
		return false
	}
}

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

func (p *Process) Cred() Cred { return Cred{p.UID, p.GID, p.Groups} }

type procReader struct {
	p *Process
	n int
}

func (r procReader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		p := r.p
		if p.dead.Load() || p.FDs[r.n] == nil {
			return 0, syscall.EBADF
		}
		n, err := p.FDs[r.n].Read(p, b)
		if errors.Is(err, syscall.EINTR) && !p.dead.Load() {
			p.dropPending()
			continue
		}
		return n, err
	}
}

type procWriter struct {
	p *Process
	n int
}

func (w procWriter) Write(b []byte) (int, error) {
	p := w.p
	total := 0
	for {
		if p.dead.Load() || p.FDs[w.n] == nil {
			return total, syscall.EBADF
		}
		n, err := p.FDs[w.n].Write(p, b[total:])
		total += n
		if errors.Is(err, syscall.EINTR) && !p.dead.Load() {
			p.dropPending()
			continue
		}
		return total, err
	}
}

// Stdin is descriptor 0. It reads no more than it is asked for.
func (p *Process) Stdin() io.Reader { return procReader{p, 0} }

// Stdout is descriptor 1, unbuffered.
func (p *Process) Stdout() io.Writer { return procWriter{p, 1} }

// Stderr is descriptor 2, unbuffered.
func (p *Process) Stderr() io.Writer { return procWriter{p, 2} }

// Read is read(2), restarted after signals.
func (p *Process) Read(fd int, b []byte) (int, error) {
	p.Check()
	if p.FDs[fd] == nil {
		return 0, syscall.EBADF
	}
	n, err := p.FDs[fd].Read(p, b)
	p.Check()
	return n, err
}

// Write is write(2) of everything; it dies of SIGPIPE as a process does.
func (p *Process) Write(fd int, b []byte) error {
	p.Check()
	if p.FDs[fd] == nil {
		return syscall.EBADF
	}
	for {
		n, err := p.FDs[fd].Write(p, b)
		p.Check()
		if errors.Is(err, syscall.EINTR) {
			b = b[n:]
			p.dropPending()
			continue
		}
		if errors.Is(err, syscall.EPIPE) && !p.ignored[SigPIPE] {
			p.Die(SigPIPE)
			p.Check()
		}
		return err
	}
}

const outBlock = 32 << 10

// Print appends to the buffered standard output, which is written by blocks and at exit as stdio does for a pipe.
func (p *Process) Print(s ...string) {
	for _, x := range s {
		p.outBuf = append(p.outBuf, x...)
	}
	if len(p.outBuf) >= outBlock {
		p.Flush()
	}
}

func (p *Process) Printf(format string, a ...any) {
	p.outBuf = fmt.Appendf(p.outBuf, format, a...)
	if len(p.outBuf) >= outBlock {
		p.Flush()
	}
}

func (p *Process) Flush() {
	if len(p.outBuf) == 0 {
		return
	}
	if err := p.Write(1, p.outBuf); err != nil && p.WriteErr == nil {
		p.WriteErr = err
	}
	p.outBuf = p.outBuf[:0]
}

// Name is what a program calls itself in its messages.
func (p *Process) Name() string { return path.Base(p.Args[0]) }

// Warnf writes to standard error.
func (p *Process) Warnf(format string, a ...any) {
	p.Write(2, fmt.Appendf(nil, format, a...))
}

// Errorf writes "name: message" to standard error.
func (p *Process) Errorf(format string, a ...any) {
	p.Warnf("%s: %s\n", p.Name(), fmt.Sprintf(format, a...))
}

// SetFD makes f the descriptor n, taking over the caller's reference. A nil f closes it.
func (p *Process) SetFD(n int, f *File) {
	p.mu.Lock()
	if p.dead.Load() {
		p.mu.Unlock()
		if f != nil {
			f.Release()
		}
		panic(Exit{0})
	}
	old := p.FDs[n]
	p.FDs[n] = f
	p.mu.Unlock()
	if old != nil {
		old.Release()
	}
}

// Open is open(2) as this process. The caller releases the description.
func (p *Process) Open(name string, flags int, perm uint32) (*File, error) {
	p.Check()
	if d, ok := p.inherited(name); ok {
		if d == nil {
			return nil, syscall.ENOENT
		}
		return d, nil
	}
	return p.Kernel.Tree.openFile(p.Cred(), p.Dir, name, flags, perm&^p.Umask, p)
}

// inherited answers /dev/stdin, /dev/fd/N and /proc/self/fd/N.
func (p *Process) inherited(name string) (*File, bool) {
	n := -1
	switch name {
	case "/dev/stdin":
		n = 0
	case "/dev/stdout":
		n = 1
	case "/dev/stderr":
		n = 2
	default:
		for _, pre := range []string{"/dev/fd/", "/proc/self/fd/"} {
			if s, ok := strings.CutPrefix(name, pre); ok {
				if v, ok := ParseUint(s); ok && v < uint64(len(p.FDs)) {
					n = int(v)
				}
			}
		}
		if n < 0 {
			return nil, false
		}
	}
	if p.FDs[n] == nil {
		return nil, true
	}
	return p.FDs[n].Ref(), true
}

// ReadFile reads a whole file as this process.
func (p *Process) ReadFile(name string) ([]byte, error) {
	d, err := p.Open(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer d.Release()
	return p.ReadAll(d)
}

func (p *Process) ReadAll(d *File) ([]byte, error) {
	if d.Stream == nil {
		// Regular files are read at once, without a copy: nobody writes in place what is shared here.
		d.Tree.mu.Lock()
		if i := d.At.Inode(); i != nil && i.IsDir() {
			d.Tree.mu.Unlock()
			return nil, syscall.EISDIR
		}
		d.Tree.mu.Unlock()
	}
	var out []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := d.Read(p, buf)
		p.Check()
		out = append(out, buf[:n]...)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

// WriteFile replaces a file as this process.
func (p *Process) WriteFile(name string, b []byte, perm uint32) error {
	d, err := p.Open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	defer d.Release()
	for len(b) > 0 {
		n, err := d.Write(p, b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func (p *Process) LockTree() func() {
	p.Check()
	p.Kernel.Tree.mu.Lock()
	return p.Kernel.Tree.mu.Unlock
}

func (p *Process) Stat(name string) (Stat, error) {
	if d, ok := p.inherited(name); ok && d != nil {
		defer d.Release()
		if d.Stream == nil { // what is open, wherever it is by now
			defer p.LockTree()()
			return d.Tree.statAt(d.At, name), nil
		}
	}
	defer p.LockTree()()
	return p.Kernel.Tree.stat(p.Cred(), p.Dir, name, true)
}

func (p *Process) Lstat(name string) (Stat, error) {
	defer p.LockTree()()
	return p.Kernel.Tree.stat(p.Cred(), p.Dir, name, false)
}

// Access is faccessat(2): want is a sum of 4 (read), 2 (write), 1 (execute).
func (p *Process) Access(name string, want uint32) error {
	defer p.LockTree()()
	s, err := p.Kernel.Tree.Must(p.Cred(), p.Dir, name, true)
	if err != nil {
		return err
	}
	i := s.At.Inode()
	if want&MayWrite != 0 && s.At.Mnt.readonly() && i.node == nil {
		return syscall.EROFS
	}
	if want&MayWrite != 0 && i.Attrs&AttrImmutable != 0 {
		return syscall.EPERM
	}
	if !p.Cred().may(i, want) {
		return syscall.EACCES
	}
	return nil
}

func (p *Process) Mkdir(name string, perm uint32) error {
	defer p.LockTree()()
	return p.Kernel.Tree.mkdir(p.Cred(), p.Dir, name, perm&^p.Umask)
}

func (p *Process) Symlink(target, name string) error {
	defer p.LockTree()()
	return p.Kernel.Tree.symlink(p.Cred(), target, p.Dir, name)
}

func (p *Process) Link(from, to string, follow bool) error {
	defer p.LockTree()()
	return p.Kernel.Tree.link(p.Cred(), p.Dir, from, to, follow)
}

func (p *Process) Unlink(name string) error {
	defer p.LockTree()()
	return p.Kernel.Tree.unlink(p.Cred(), p.Dir, name)
}

func (p *Process) Rmdir(name string) error {
	defer p.LockTree()()
	return p.Kernel.Tree.rmdir(p.Cred(), p.Dir, name)
}

func (p *Process) Rename(from, to string) error {
	defer p.LockTree()()
	return p.Kernel.Tree.rename(p.Cred(), p.Dir, from, to, false)
}

func (p *Process) Chmod(name string, mode uint32) error {
	defer p.LockTree()()
	return p.Kernel.Tree.chmod(p.Cred(), p.Dir, name, mode)
}

func (p *Process) Chown(name string, uid, gid int64, follow bool) error {
	defer p.LockTree()()
	return p.Kernel.Tree.chown(p.Cred(), p.Dir, name, uid, gid, follow)
}

func (p *Process) Utimes(name string, atime, mtime int64, toNow, follow bool) error {
	defer p.LockTree()()
	return p.Kernel.Tree.utimes(p.Cred(), p.Dir, name, atime, mtime, toNow, follow)
}

// ReadDir lists the names of a directory, in no useful order.
func (p *Process) ReadDir(name string) ([]string, error) {
	defer p.LockTree()()
	s, err := p.Kernel.Tree.Must(p.Cred(), p.Dir, name, true)
	if err != nil {
		return nil, err
	}
	if !s.At.Inode().IsDir() {
		return nil, syscall.ENOTDIR
	}
	if !p.Cred().may(s.At.Inode(), MayRead) {
		return nil, syscall.EACCES
	}
	return p.Kernel.Tree.names(s.At), nil
}

// Realpath gives the absolute path without links of something that exists.
func (p *Process) Realpath(name string) (string, error) {
	defer p.LockTree()()
	s, err := p.Kernel.Tree.Must(p.Cred(), p.Dir, name, true)
	return s.Path, err
}

func (p *Process) Executable(name string) error {
	defer p.LockTree()()
	s, err := p.Kernel.Tree.Must(p.Cred(), p.Dir, name, true)
	if err != nil {
		return err
	}
	i := s.At.Inode()
	if i.IsDir() || !i.IsReg() || !p.Cred().may(i, MayExec) || slices.Contains(s.At.Mnt.Opts, "noexec") {
		return syscall.EACCES
	}
	return nil
}

// Exec replaces the program of this process and returns its exit code. The error is that of execve(2).
func (p *Process) Exec(file string, args, env []string) (int, error) {
	p.Check()
	prog, args, st, err := p.Load(file, args, 0)
	if err == ErrNoProgram {
		p.Warnf("hosttest: %s: the file is there, but this machine has no program for it: register one with Machine.Handle\n", file)
		return 126, nil
	}
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	p.Args, p.Env, p.Exe = args, env, st.Path
	p.caught, p.pending = nil, nil
	p.mu.Unlock()
	if st.Mode&ModeSetUID != 0 && !slices.Contains(st.At.Mnt.Opts, "nosuid") {
		p.mu.Lock()
		p.UID = st.UID
		p.mu.Unlock()
	}
	if p.Kernel.Config.Exec(path.Base(args[0])) {
		p.Die(SigKILL)
		p.Check()
	}
	return p.closeStdout(prog(p)), nil
}

// binary gives the content of the executable of a program.
func Binary(name string) []byte { return []byte(BinaryMagic + name + "\n") }

const BinaryMagic = "\x7fELF\x02\x01\x01\x00hosttest:"

// Load finds what an executable file does.
func (p *Process) Load(file string, args []string, depth int) (Program, []string, Stat, error) {
	if depth > 4 {
		return nil, nil, Stat{}, syscall.ELOOP
	}
	if err := p.Executable(file); err != nil {
		return nil, nil, Stat{}, err
	}
	st, err := p.Stat(file)
	if err != nil {
		return nil, nil, Stat{}, err
	}
	t := p.Kernel.Tree
	t.mu.Lock()
	var head []byte
	if i := st.At.Inode(); i != nil {
		head = i.Data[:min(len(i.Data), 256)]
	}
	t.mu.Unlock()
	base := path.Base(file)
	if name, ok := strings.CutPrefix(string(head), BinaryMagic); ok {
		name, _, _ = strings.Cut(name, "\n")
		if c := p.Kernel.Handled(name); c != nil {
			return c, args, st, nil
		}
		if f := p.Kernel.Config.Programs[name]; f != nil {
			return f, args, st, nil
		}
		return nil, args, st, ErrNoProgram
	}
	if c := p.Kernel.Handled(base); c != nil {
		return c, args, st, nil
	}
	if line, ok := strings.CutPrefix(string(head), "#!"); ok {
		line, _, _ = strings.Cut(line, "\n")
		interp, arg, has := strings.Cut(strings.Trim(line, " \t"), " ")
		nargs := []string{interp}
		if has {
			nargs = append(nargs, strings.TrimSpace(arg))
		}
		nargs = append(append(nargs, file), args[1:]...)
		prog, nargs, _, err := p.Load(interp, nargs, depth+1)
		return prog, nargs, st, err
	}
	return nil, nil, st, syscall.ENOEXEC
}

// ErrNoProgram is load's error for an executable that stands for a program which nobody gave.
var ErrNoProgram = errors.New("no program")

// Processes lists what runs, the oldest first. A signal to many goes in this order: Linux signals a group at once, so that a shell which is
// killed with the command it waits for does not live to see the command's end; here it does not because it is the older one.
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
