package hosttest

import (
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

// A waitStatus is how a process ended.
type waitStatus struct {
	code   int
	signal int
}

// shell gives what $? shows.
func (w waitStatus) shell() int {
	if w.signal != 0 {
		return 128 + w.signal
	}
	return w.code
}

// A program is what an executable file does. It runs on the process's own goroutine and returns the exit code.
type program func(p *proc) int

// A Process is a running program.
//
// Its methods are for the goroutine of the program. When the process is killed they do not return; what the program
// started by itself must watch [Process.Context].
type proc struct {
	k *Kernel

	Args []string // with the program's name first
	Env  []string // "NAME=value"
	Dir  string   // working directory
	PID  int

	ppid, pgid, sid int
	uid, gid        uint32
	ruid            uint32
	groups          []uint32
	umask           uint32
	fds             [10]*description
	holds           []*description // open, but not inherited
	exe             string
	started         time.Time
	unit            string // the systemd unit it belongs to
	parent          *proc
	onExit          func(waitStatus)
	stub            bool // a daemon without a program; set before anybody else sees it

	outBuf   []byte
	writeErr error

	mu       sync.Mutex
	blocked  *sync.Cond
	pending  []int
	caught   map[int]bool
	ignored  map[int]bool
	status   waitStatus
	dead     atomic.Bool
	sig      chan struct{} // a caught signal is pending
	killed   chan struct{} // closed at death
	children []*proc
	ctx      context.Context
	cancel   context.CancelFunc
	begun    atomic.Bool // it runs, or has run
}

// chdir changes the working directory to an absolute path without links.
func (p *proc) chdir(dir string) {
	p.mu.Lock()
	p.Dir = dir
	p.mu.Unlock()
}

// setEnv replaces the environment.
func (p *proc) setEnv(env []string) {
	p.mu.Lock()
	p.Env = env
	p.mu.Unlock()
}

// setArgs changes what ps shows.
func (p *proc) setArgs(args []string) {
	p.mu.Lock()
	p.Args = args
	p.mu.Unlock()
}

// setProgram changes what ps shows, and the executable.
func (p *proc) setProgram(args []string, exe string) {
	p.mu.Lock()
	p.Args, p.exe = args, exe
	p.mu.Unlock()
}

// setUser changes all ids of a process.
func (p *proc) setUser(uid, gid uint32, groups []uint32) {
	p.mu.Lock()
	p.uid, p.ruid, p.gid, p.groups = uid, uid, gid, groups
	p.mu.Unlock()
}

func (p *proc) setGroup(gid uint32) {
	p.mu.Lock()
	p.gid = gid
	p.mu.Unlock()
}

// setUnit says which systemd unit a process belongs to. Its children belong to it too.
func (p *proc) setUnit(name string) {
	p.mu.Lock()
	p.unit = name
	p.mu.Unlock()
}

func (p *proc) inUnit(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unit == name
}

// looks is what ps shows of a process: its arguments, start, effective and real user.
func (p *proc) looks() (args []string, started time.Time, uid, ruid uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Args, p.started, p.uid, p.ruid
}

// family is the parent, the group and the session of a process.
func (p *proc) family() (ppid, pgid, sid int) {
	p.k.procMu.Lock()
	defer p.k.procMu.Unlock()
	return p.ppid, p.pgid, p.sid
}

// setsid makes a process the leader of a session and a group of its own.
func (p *proc) setsid() {
	p.k.procMu.Lock()
	defer p.k.procMu.Unlock()
	p.sid, p.pgid = p.PID, p.PID
}

// setpgid makes a process the leader of a group of its own.
func (p *proc) setpgid() {
	p.k.procMu.Lock()
	defer p.k.procMu.Unlock()
	p.pgid = p.PID
}

func (p *proc) workingDirectory() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.Dir
}

// hold keeps a file open until the process ends, without a descriptor.
func (p *proc) hold(d *description) {
	p.mu.Lock()
	p.holds = append(p.holds, d)
	p.mu.Unlock()
}

// holdsLock reports that a file which the process holds is locked.
func (p *proc) holdsLock(path string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.holds, func(h *description) bool { return h.path == path && h.flags&flagLocked != 0 })
}

// atExit runs f when the process has ended, in place of what was to run; it reports that it has ended already.
func (p *proc) atExit(f func(waitStatus)) (gone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onExit = f
	return p.dead.Load()
}

func (p *proc) isDead() bool { return p.dead.Load() }

// procExit unwinds the goroutine of a process that has ended.
type procExit struct{ code int }

// newProcess registers a process without running it. What parent lends is inherited as by fork(2).
func (m *Kernel) newProcess(parent *proc) *proc {
	p := &proc{k: m, started: m.now(), sig: make(chan struct{}, 1), killed: make(chan struct{})}
	if parent != nil {
		p.Args, p.Env, p.Dir = parent.Args, parent.Env, parent.Dir
		p.ppid, p.pgid, p.sid = parent.PID, parent.pgid, parent.sid
		p.uid, p.gid, p.ruid, p.groups, p.umask = parent.uid, parent.gid, parent.ruid, parent.groups, parent.umask
		p.exe, p.unit, p.parent = parent.exe, parent.unit, parent
		for i, f := range parent.fds {
			if f != nil {
				p.fds[i] = f.ref()
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
		p.ppid, p.umask, p.Dir = 1, 0o022, "/"
	}
	m.procMu.Lock()
	m.nextPID++
	p.PID = m.nextPID
	if parent == nil {
		p.pgid, p.sid = p.PID, p.PID
	}
	off := m.isOff()
	if !off {
		m.procs[p.PID] = p
	}
	m.procMu.Unlock()
	if off {
		p.die(sigKILL)
	}
	return p
}

// fork runs f in a child process, on a goroutine of its own.
func (p *proc) fork(f program) *proc {
	p.check()
	c := p.k.newProcess(p)
	c.goRun(f)
	return c
}

func (p *proc) goRun(f program) {
	p.begun.Store(true)
	if !p.k.begin() {
		p.die(sigKILL)
		return
	}
	go func() {
		defer p.k.running.Done()
		p.run(f)
	}()
}

// begin counts one more that runs, unless the machine goes down: halt waits for those that it has seen.
func (m *Kernel) begin() bool {
	m.procMu.Lock()
	defer m.procMu.Unlock()
	if m.isOff() {
		return false
	}
	m.running.Add(1)
	return true
}

// give hands the standard descriptors to a process that does not run yet, with the caller's references. One that is dead already lets go of them.
func (p *proc) give(fds ...*description) {
	p.mu.Lock()
	dead := p.dead.Load()
	if !dead {
		copy(p.fds[:], fds)
	}
	p.mu.Unlock()
	if dead {
		for _, f := range fds {
			f.release()
		}
	}
}

func (p *proc) run(f program) {
	p.begun.Store(true)
	code := 0
	defer func() {
		// children that were made and never run, because this process was killed meanwhile, hold its files
		p.mu.Lock()
		kids := slices.Clone(p.children)
		p.mu.Unlock()
		for _, k := range kids {
			if !k.begun.Load() {
				k.finish(waitStatus{signal: sigKILL})
			}
		}
		if r := recover(); r != nil {
			e, ok := r.(procExit)
			if !ok {
				panic(r)
			}
			code = e.code
		}
		p.finish(waitStatus{code: code & 255})
	}()
	code = f(p)
	code = p.closeStdout(code)
}

// closeStdout writes what stdio would at exit.
func (p *proc) closeStdout(code int) int {
	if p.dead.Load() {
		return code
	}
	p.flush()
	if p.writeErr != nil {
		p.errorf("write error: %s", strerror(p.writeErr))
		return 1
	}
	return code
}

// finish ends the process, once.
func (p *proc) finish(st waitStatus) {
	p.mu.Lock()
	if p.dead.Swap(true) {
		p.mu.Unlock()
		return
	}
	p.status = st
	cond := p.blocked
	cancel := p.cancel
	fds := p.fds
	kids := slices.Clone(p.children)
	holds := p.holds
	onExit := p.onExit
	p.mu.Unlock()

	m := p.k
	m.procMu.Lock()
	delete(m.procs, p.PID)
	for _, k := range kids {
		if k.ppid == p.PID {
			k.ppid = 1
		}
	}
	m.procMu.Unlock()
	for _, f := range fds {
		if f != nil {
			f.release()
		}
	}
	for _, f := range holds {
		f.release()
	}
	close(p.killed)
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
func (p *proc) reap(c *proc) {
	p.mu.Lock()
	if i := slices.Index(p.children, c); i >= 0 {
		p.children = slices.Delete(p.children, i, i+1)
	}
	p.mu.Unlock()
}

func (p *proc) die(sig int) { p.finish(waitStatus{signal: sig}) }

// check leaves the goroutine of a process that was killed.
func (p *proc) check() {
	if p.dead.Load() {
		panic(procExit{0})
	}
}

// wait waits for a child. It returns false when a caught signal came first.
func (p *proc) wait(c *proc) (waitStatus, bool) {
	select {
	case <-c.killed:
		p.check()
		return c.status, true
	default:
	}
	select {
	case <-c.killed:
		p.check()
		return c.status, true
	case <-p.killed:
		panic(procExit{0})
	case <-p.sig:
		return waitStatus{}, false
	}
}

// waitFor waits for a child whatever signals come.
func (p *proc) waitFor(c *proc) waitStatus {
	for {
		if st, ok := p.wait(c); ok {
			return st
		}
	}
}

// sleep returns false when a caught signal came first.
func (p *proc) sleep(d time.Duration) bool {
	done := make(chan struct{})
	stop := p.k.after(d, func() { close(done) })
	defer stop()
	select {
	case <-done:
		p.check()
		return true
	case <-p.killed:
		panic(procExit{0})
	case <-p.sig:
		return false
	}
}

// Context ends when the process does.
func (p *proc) Context() context.Context {
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
func (p *proc) Getenv(name string) string {
	for i := len(p.Env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(p.Env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// setenv replaces a variable of an environment.
func setenv(env []string, name, value string) []string {
	out := make([]string, 0, len(env)+1)
	for _, e := range env {
		if !strings.HasPrefix(e, name+"=") {
			out = append(out, e)
		}
	}
	return append(out, name+"="+value)
}

func (p *proc) cred() cred { return cred{p.uid, p.gid, p.groups} }

type procReader struct {
	p *proc
	n int
}

func (r procReader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		p := r.p
		if p.dead.Load() || p.fds[r.n] == nil {
			return 0, syscall.EBADF
		}
		n, err := p.fds[r.n].Read(p, b)
		if errors.Is(err, syscall.EINTR) && !p.dead.Load() {
			p.dropPending()
			continue
		}
		return n, err
	}
}

type procWriter struct {
	p *proc
	n int
}

func (w procWriter) Write(b []byte) (int, error) {
	p := w.p
	total := 0
	for {
		if p.dead.Load() || p.fds[w.n] == nil {
			return total, syscall.EBADF
		}
		n, err := p.fds[w.n].Write(p, b[total:])
		total += n
		if errors.Is(err, syscall.EINTR) && !p.dead.Load() {
			p.dropPending()
			continue
		}
		return total, err
	}
}

// Stdin is descriptor 0. It reads no more than it is asked for.
func (p *proc) Stdin() io.Reader { return procReader{p, 0} }

// Stdout is descriptor 1, unbuffered.
func (p *proc) Stdout() io.Writer { return procWriter{p, 1} }

// Stderr is descriptor 2, unbuffered.
func (p *proc) Stderr() io.Writer { return procWriter{p, 2} }

// read is read(2), restarted after signals.
func (p *proc) read(fd int, b []byte) (int, error) {
	p.check()
	if p.fds[fd] == nil {
		return 0, syscall.EBADF
	}
	n, err := p.fds[fd].Read(p, b)
	p.check()
	return n, err
}

// write is write(2) of everything; it dies of SIGPIPE as a process does.
func (p *proc) write(fd int, b []byte) error {
	p.check()
	if p.fds[fd] == nil {
		return syscall.EBADF
	}
	for {
		n, err := p.fds[fd].Write(p, b)
		p.check()
		if errors.Is(err, syscall.EINTR) {
			b = b[n:]
			p.dropPending()
			continue
		}
		if errors.Is(err, syscall.EPIPE) && !p.ignored[sigPIPE] {
			p.die(sigPIPE)
			p.check()
		}
		return err
	}
}

const outBlock = 32 << 10

// print appends to the buffered standard output, which is written by blocks and at exit as stdio does for a pipe.
func (p *proc) print(s ...string) {
	for _, x := range s {
		p.outBuf = append(p.outBuf, x...)
	}
	if len(p.outBuf) >= outBlock {
		p.flush()
	}
}

func (p *proc) printf(format string, a ...any) {
	p.outBuf = fmt.Appendf(p.outBuf, format, a...)
	if len(p.outBuf) >= outBlock {
		p.flush()
	}
}

func (p *proc) flush() {
	if len(p.outBuf) == 0 {
		return
	}
	if err := p.write(1, p.outBuf); err != nil && p.writeErr == nil {
		p.writeErr = err
	}
	p.outBuf = p.outBuf[:0]
}

// name is what a program calls itself in its messages.
func (p *proc) name() string { return path.Base(p.Args[0]) }

// warn writes to standard error.
func (p *proc) warn(format string, a ...any) {
	p.write(2, fmt.Appendf(nil, format, a...))
}

// errorf writes "name: message" to standard error.
func (p *proc) errorf(format string, a ...any) {
	p.warn("%s: %s\n", p.name(), fmt.Sprintf(format, a...))
}

// setFD makes f the descriptor n, taking over the caller's reference. A nil f closes it.
func (p *proc) setFD(n int, f *description) {
	p.mu.Lock()
	if p.dead.Load() {
		p.mu.Unlock()
		if f != nil {
			f.release()
		}
		panic(procExit{0})
	}
	old := p.fds[n]
	p.fds[n] = f
	p.mu.Unlock()
	if old != nil {
		old.release()
	}
}

// open is open(2) as this process. The caller releases the description.
func (p *proc) open(name string, flags int, perm uint32) (*description, error) {
	p.check()
	if d, ok := p.inherited(name); ok {
		if d == nil {
			return nil, syscall.ENOENT
		}
		return d, nil
	}
	return p.k.tree.openFile(p.cred(), p.Dir, name, flags, perm&^p.umask, p)
}

// inherited answers /dev/stdin, /dev/fd/N and /proc/self/fd/N.
func (p *proc) inherited(name string) (*description, bool) {
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
				if v, ok := parseUint(s); ok && v < uint64(len(p.fds)) {
					n = int(v)
				}
			}
		}
		if n < 0 {
			return nil, false
		}
	}
	if p.fds[n] == nil {
		return nil, true
	}
	return p.fds[n].ref(), true
}

// readFile reads a whole file as this process.
func (p *proc) readFile(name string) ([]byte, error) {
	d, err := p.open(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer d.release()
	return p.readAll(d)
}

func (p *proc) readAll(d *description) ([]byte, error) {
	if d.stream == nil {
		// Regular files are read at once, without a copy: nobody writes in place what is shared here.
		d.t.mu.Lock()
		if i := d.at.inode(); i != nil && i.isDir() {
			d.t.mu.Unlock()
			return nil, syscall.EISDIR
		}
		d.t.mu.Unlock()
	}
	var out []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := d.Read(p, buf)
		p.check()
		out = append(out, buf[:n]...)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

// writeFile replaces a file as this process.
func (p *proc) writeFile(name string, b []byte, perm uint32) error {
	d, err := p.open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	defer d.release()
	for len(b) > 0 {
		n, err := d.Write(p, b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// replaceFile writes as careful programs do: a new file, synced, renamed over the old one, whose owner and mode it keeps.
func (p *proc) replaceFile(name string, b []byte, perm uint32) error {
	st, err := p.stat(name)
	keep := err == nil
	if keep {
		perm = st.Perm()
	}
	tmp := name + ".dpkg-hosttest"
	d, err := p.open(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	if len(b) > 0 {
		_, err = d.Write(p, b)
	}
	d.sync()
	d.release()
	if err == nil && keep && (st.UID != p.uid || st.GID != p.gid) {
		err = p.chown(tmp, int64(st.UID), int64(st.GID), true)
	}
	if err == nil {
		err = p.chmod(tmp, perm)
	}
	if err == nil {
		err = p.rename(tmp, name)
	}
	if err != nil {
		p.unlink(tmp)
	}
	return err
}

func (p *proc) lockTree() func() {
	p.check()
	p.k.tree.mu.Lock()
	return p.k.tree.mu.Unlock
}

func (p *proc) stat(name string) (Stat, error) {
	if d, ok := p.inherited(name); ok && d != nil {
		defer d.release()
		if d.stream == nil { // what is open, wherever it is by now
			defer p.lockTree()()
			return d.t.statAt(d.at, name), nil
		}
	}
	defer p.lockTree()()
	return p.k.tree.stat(p.cred(), p.Dir, name, true)
}

func (p *proc) lstat(name string) (Stat, error) {
	defer p.lockTree()()
	return p.k.tree.stat(p.cred(), p.Dir, name, false)
}

// access is faccessat(2): want is a sum of 4 (read), 2 (write), 1 (execute).
func (p *proc) access(name string, want uint32) error {
	defer p.lockTree()()
	s, err := p.k.tree.must(p.cred(), p.Dir, name, true)
	if err != nil {
		return err
	}
	i := s.at.inode()
	if want&mayWrite != 0 && s.at.mnt.readonly() && i.node == nil {
		return syscall.EROFS
	}
	if want&mayWrite != 0 && i.attrs&attrImmutable != 0 {
		return syscall.EPERM
	}
	if !p.cred().may(i, want) {
		return syscall.EACCES
	}
	return nil
}

func (p *proc) mkdir(name string, perm uint32) error {
	defer p.lockTree()()
	return p.k.tree.mkdir(p.cred(), p.Dir, name, perm&^p.umask)
}

func (p *proc) symlink(target, name string) error {
	defer p.lockTree()()
	return p.k.tree.symlink(p.cred(), target, p.Dir, name)
}

func (p *proc) link(from, to string, follow bool) error {
	defer p.lockTree()()
	return p.k.tree.link(p.cred(), p.Dir, from, to, follow)
}

func (p *proc) unlink(name string) error {
	defer p.lockTree()()
	return p.k.tree.unlink(p.cred(), p.Dir, name)
}

func (p *proc) rmdir(name string) error {
	defer p.lockTree()()
	return p.k.tree.rmdir(p.cred(), p.Dir, name)
}

func (p *proc) rename(from, to string) error {
	defer p.lockTree()()
	return p.k.tree.rename(p.cred(), p.Dir, from, to, false)
}

func (p *proc) chmod(name string, mode uint32) error {
	defer p.lockTree()()
	return p.k.tree.chmod(p.cred(), p.Dir, name, mode)
}

func (p *proc) chown(name string, uid, gid int64, follow bool) error {
	defer p.lockTree()()
	return p.k.tree.chown(p.cred(), p.Dir, name, uid, gid, follow)
}

func (p *proc) utimes(name string, atime, mtime int64, toNow, follow bool) error {
	defer p.lockTree()()
	return p.k.tree.utimes(p.cred(), p.Dir, name, atime, mtime, toNow, follow)
}

// readDir lists the names of a directory, in no useful order.
func (p *proc) readDir(name string) ([]string, error) {
	defer p.lockTree()()
	s, err := p.k.tree.must(p.cred(), p.Dir, name, true)
	if err != nil {
		return nil, err
	}
	if !s.at.inode().isDir() {
		return nil, syscall.ENOTDIR
	}
	if !p.cred().may(s.at.inode(), mayRead) {
		return nil, syscall.EACCES
	}
	return p.k.tree.names(s.at), nil
}

// realpath gives the absolute path without links of something that exists.
func (p *proc) realpath(name string) (string, error) {
	defer p.lockTree()()
	s, err := p.k.tree.must(p.cred(), p.Dir, name, true)
	return s.path, err
}

// lookPath finds an executable as execvp(3) does. The error is ENOENT or EACCES.
func (p *proc) lookPath(name string, pathVar string) (string, error) {
	if strings.Contains(name, "/") {
		return name, p.executable(name)
	}
	fail := error(syscall.ENOENT)
	for dir := range strings.SplitSeq(pathVar, ":") {
		if dir == "" {
			dir = "."
		}
		full := dir + "/" + name
		switch err := p.executable(full); err {
		case nil:
			return full, nil
		case syscall.EACCES:
			fail = err
		}
	}
	return name, fail
}

func (p *proc) executable(name string) error {
	defer p.lockTree()()
	s, err := p.k.tree.must(p.cred(), p.Dir, name, true)
	if err != nil {
		return err
	}
	i := s.at.inode()
	if i.isDir() || !i.isReg() || !p.cred().may(i, mayExec) || slices.Contains(s.at.mnt.opts, "noexec") {
		return syscall.EACCES
	}
	return nil
}

// defaultPath is what execvp(3) searches when PATH is unset.
const defaultPath = "/bin:/usr/bin"

// exec replaces the program of this process and returns its exit code. The error is that of execve(2).
func (p *proc) exec(file string, args, env []string) (int, error) {
	p.check()
	prog, args, st, err := p.load(file, args, 0)
	if err == errNoProgram {
		p.warn("hosttest: %s: the file is there, but this machine has no program for it: register one with Machine.Handle\n", file)
		return 126, nil
	}
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	p.Args, p.Env, p.exe = args, env, st.Path
	p.caught, p.pending = nil, nil
	p.mu.Unlock()
	if st.Mode&sISUID != 0 && !slices.Contains(st.at.mnt.opts, "nosuid") {
		p.mu.Lock()
		p.uid = st.UID
		p.mu.Unlock()
	}
	if p.k.cfg.Exec(path.Base(args[0])) {
		p.die(sigKILL)
		p.check()
	}
	return p.closeStdout(prog(p)), nil
}

// binary gives the content of the executable of a program.
func elf(name string) []byte { return []byte(binaryMagic + name + "\n") }

const binaryMagic = "\x7fELF\x02\x01\x01\x00hosttest:"

// load finds what an executable file does.
func (p *proc) load(file string, args []string, depth int) (program, []string, Stat, error) {
	if depth > 4 {
		return nil, nil, Stat{}, syscall.ELOOP
	}
	if err := p.executable(file); err != nil {
		return nil, nil, Stat{}, err
	}
	st, err := p.stat(file)
	if err != nil {
		return nil, nil, Stat{}, err
	}
	t := p.k.tree
	t.mu.Lock()
	var head []byte
	if i := st.at.inode(); i != nil {
		head = i.data[:min(len(i.data), 256)]
	}
	t.mu.Unlock()
	base := path.Base(file)
	if name, ok := strings.CutPrefix(string(head), binaryMagic); ok {
		name, _, _ = strings.Cut(name, "\n")
		if c := p.k.handled(name); c != nil {
			return c, args, st, nil
		}
		if f := p.k.cfg.Programs[name]; f != nil {
			return f, args, st, nil
		}
		return nil, args, st, errNoProgram
	}
	if c := p.k.handled(base); c != nil {
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
		prog, nargs, _, err := p.load(interp, nargs, depth+1)
		return prog, nargs, st, err
	}
	return nil, nil, st, syscall.ENOEXEC
}

// errNoProgram is load's error for an executable that stands for a program which nobody gave.
var errNoProgram = errors.New("no program")

// Run runs another program of the machine as a child and waits for it, with this process's descriptors and environment.
// The exit code is 127 when there is no such program, 126 when it cannot be executed, and 128 plus the signal's number
// when it was killed.
func (p *proc) Run(args ...string) int {
	p.flush()
	return p.waitFor(p.start(args, p.Env, nil)).shell()
}

// start runs a program found on PATH in a child. setup runs in the child before the program.
func (p *proc) start(args, env []string, setup func(c *proc)) *proc {
	return p.fork(func(c *proc) int {
		if setup != nil {
			setup(c)
		}
		return c.execvp(args, env)
	})
}

// execvp finds and executes, and says what is wrong as programs such as env and xargs do.
func (p *proc) execvp(args, env []string) int {
	pathVar := p.Getenv("PATH")
	if pathVar == "" {
		pathVar = defaultPath
	}
	self := p.name()
	file, err := p.lookPath(args[0], pathVar)
	if err == nil {
		var code int
		code, err = p.exec(file, args, env)
		if err == syscall.ENOEXEC {
			code, err = p.exec("/bin/sh", append([]string{"sh", file}, args[1:]...), env)
		}
		if err == nil {
			return code
		}
	}
	switch self {
	case "xargs", "sudo":
		p.warn("%s: %s: %s\n", self, args[0], strerror(err))
	case "setsid", "flock", "runuser", "su":
		p.warn("%s: failed to execute %s: %s\n", self, args[0], strerror(err))
	case "timeout", "nohup":
		p.warn("%s: failed to run command '%s': %s\n", self, args[0], strerror(err))
	default:
		p.warn("%s: '%s': %s\n", self, args[0], strerror(err))
	}
	if self == "flock" {
		return 69
	}
	if err == syscall.ENOENT {
		return 127
	}
	return 126
}
