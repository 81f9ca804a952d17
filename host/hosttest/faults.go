package hosttest

import (
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// Faults are the ways in which a machine can fail. Each one stays armed until it has fired, or until Reset.
type Faults struct{ m *Machine }

// faults is the armed state.
type faults struct {
	m  *Machine
	mu sync.Mutex

	failExec   map[int64]bool // exec requests to refuse, by number
	cutAfter   map[int64]int64
	cutWhen    func([]byte) bool
	lostAnswer map[int64]bool
	dropAfter  int64 // bytes the server still sends before it drops the connection; < 0 means never
	dropArmed  bool
	latency    time.Duration
	refuse     bool
	blackhole  bool
	full       int64 // bytes that still fit on disk file systems
	fullArmed  bool
	killAt     map[string]int
	seen       map[string]int
	cutAtWrite int64
	cutFired   chan struct{}
	apt        aptFaults
}

// Faults gives the fault knobs of the machine.
func (m *Machine) Faults() Faults { return Faults{m} }

func (f Faults) arm(set func(*faults)) {
	f.m.faults.mu.Lock()
	defer f.m.faults.mu.Unlock()
	set(&f.m.faults)
}

// Reset disarms every fault.
func (f Faults) Reset() {
	f.arm(func(x *faults) {
		x.failExec, x.cutAfter, x.cutWhen, x.lostAnswer = nil, nil, nil, nil
		x.dropArmed, x.latency, x.refuse, x.blackhole, x.fullArmed = false, 0, false, false, false
		x.killAt, x.seen, x.cutAtWrite, x.apt = nil, nil, 0, aptFaults{}
	})
}

// FailExec makes the server refuse an exec request: n counts from 1 for the next one.
func (f Faults) FailExec(n int) {
	at := f.m.counters.execs.Load() + int64(n)
	f.arm(func(x *faults) { set(&x.failExec, at, true) })
}

// CutAfter breaks the connection once the n-th next exec has sent that many bytes on its standard output.
func (f Faults) CutAfter(n int, bytes int64) {
	at := f.m.counters.execs.Load() + int64(n)
	f.arm(func(x *faults) { set(&x.cutAfter, at, bytes) })
}

// CutWhen breaks the connection before it sends what makes match true. match gets all that the exec has written on its
// standard output, the new part included.
func (f Faults) CutWhen(match func(stdout []byte) bool) {
	f.arm(func(x *faults) { x.cutWhen = match })
}

// LostAnswer lets the n-th next exec run to its end and breaks the connection instead of sending what it answers.
func (f Faults) LostAnswer(n int) {
	at := f.m.counters.execs.Load() + int64(n)
	f.arm(func(x *faults) { set(&x.lostAnswer, at, true) })
}

// DropAfterBytes breaks the connection that sends the n-th next byte of the wire, handshakes included.
func (f Faults) DropAfterBytes(n int64) {
	f.arm(func(x *faults) { x.dropAfter, x.dropArmed = n, true })
}

// Latency delays what the server sends: a client that waits for an answer pays it once, as it does a round trip.
// It holds for the connections made from now on.
func (f Faults) Latency(d time.Duration) { f.arm(func(x *faults) { x.latency = d }) }

// Refuse closes new connections at once, as a machine that is down; Refuse(false) lets them in again.
func (f Faults) Refuse(on bool) { f.arm(func(x *faults) { x.refuse = on }) }

// Blackhole accepts new connections and never answers.
func (f Faults) Blackhole(on bool) { f.arm(func(x *faults) { x.blackhole = on }) }

// DiskFullAfter lets that many more bytes be written to disk file systems; then writes fail with ENOSPC.
func (f Faults) DiskFullAfter(bytes int64) {
	f.arm(func(x *faults) { x.full, x.fullArmed = bytes, true })
}

// ReadOnly remounts the root file system read-only, as the kernel does after an I/O error, or writable again.
func (f Faults) ReadOnly(on bool) {
	t := f.m.tree
	t.mu.Lock()
	defer t.mu.Unlock()
	t.root.vol.readonly = on
}

// KillCommand kills (SIGKILL) the n-th next run of a program as it starts.
func (f Faults) KillCommand(name string, n int) {
	f.arm(func(x *faults) {
		set(&x.killAt, name, n)
		delete(x.seen, name)
	})
}

// PowerCutAtWrite cuts the power at the k-th next write, before it is done; k counts from 1 as Counters.Writes does. The
// channel is closed when the machine is up again.
func (f Faults) PowerCutAtWrite(k int) <-chan struct{} {
	done := make(chan struct{})
	at := f.m.counters.writes.Load() + int64(k)
	f.arm(func(x *faults) { x.cutAtWrite, x.cutFired = at, done })
	return done
}

// ChangeHostKey gives the machine another host key, as a reinstalled or an impostor's machine has.
func (f Faults) ChangeHostKey() error {
	s, err := newSigner()
	if err != nil {
		return err
	}
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.m.hostKeys = []ssh.Signer{s}
	return nil
}

func set[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

// fill reports that n more bytes do not fit.
func (x *faults) fill(v *volume, n int64) bool {
	if v.lossy || v.kernel {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.fullArmed {
		return false
	}
	if n > x.full {
		return true
	}
	x.full -= n
	return false
}

func (x *faults) kills(name string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	n, ok := x.killAt[name]
	if !ok {
		return false
	}
	set(&x.seen, name, x.seen[name]+1)
	if x.seen[name] == n {
		delete(x.killAt, name)
		return true
	}
	return false
}

// write is told of each write by its number.
func (x *faults) write(n int64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.cutAtWrite == 0 || n < x.cutAtWrite {
		return nil
	}
	x.cutAtWrite = 0
	m, done := x.m, x.cutFired
	m.off.Store(true)
	// The caller holds locks of the machine that dies.
	m.serving.Go(func() {
		m.PowerCut()
		close(done)
	})
	return syscall.EIO
}

// execFaults are those of one exec.
type execFaults struct {
	fail bool
	cut  int64 // < 0: never
	lost bool
}

func (x *faults) exec(n int64) execFaults {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := execFaults{fail: x.failExec[n], lost: x.lostAnswer[n], cut: -1}
	if c, ok := x.cutAfter[n]; ok {
		e.cut = c
	}
	delete(x.failExec, n)
	delete(x.lostAnswer, n)
	delete(x.cutAfter, n)
	return e
}

func (x *faults) cutNow(stdout []byte) bool {
	x.mu.Lock()
	f := x.cutWhen
	x.mu.Unlock()
	if f == nil || !f(stdout) {
		return false
	}
	x.mu.Lock()
	x.cutWhen = nil
	x.mu.Unlock()
	return true
}

// watching tells whether an exec's output must be kept for CutWhen.
func (x *faults) watching() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.cutWhen != nil
}

// sending gives how many of n bytes may still be sent, and whether the connection then drops.
func (x *faults) sending(n int) (int, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.dropArmed {
		return n, false
	}
	if int64(n) < x.dropAfter {
		x.dropAfter -= int64(n)
		return n, false
	}
	x.dropArmed = false
	return int(x.dropAfter), true
}
