package hosttest

import (
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/apt"
)

// Faults are the ways in which a machine can fail. Each one stays armed until it has fired, or until Reset.
type Faults struct{ m *Machine }

// faults is what is armed on the machine itself; its SSH server and its apt-get keep their own.
type faults struct {
	mu         sync.Mutex
	full       int64 // bytes that still fit on disk file systems
	fullArmed  bool
	killAt     map[string]int // runs of a program until it is killed
	cutAtWrite int64
	cutFired   chan struct{}
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
	f.m.ssh.Faults.Reset()
	apt.FaultsOf(f.m.kernel).Reset()
	f.arm(func(x *faults) { x.fullArmed, x.killAt, x.cutAtWrite = false, nil, 0 })
}

// nextExec is the number, for the SSH server, of the n-th next exec request.
func (f Faults) nextExec(n int) int64 { return f.m.ssh.Counters().Execs.Load() + int64(n) }

// FailExec makes the server refuse an exec request: n counts from 1 for the next one.
func (f Faults) FailExec(n int) { f.m.ssh.Faults.FailExec(f.nextExec(n)) }

// CutAfter breaks the connection once the n-th next exec has sent that many bytes on its standard output.
func (f Faults) CutAfter(n int, bytes int64) { f.m.ssh.Faults.CutAfter(f.nextExec(n), bytes) }

// CutWhen breaks the connection before it sends what makes match true. match gets all that the exec has written on its
// standard output, the new part included.
func (f Faults) CutWhen(match func(stdout []byte) bool) { f.m.ssh.Faults.CutWhen(match) }

// LostAnswer lets the n-th next exec run to its end and breaks the connection instead of sending what it answers.
func (f Faults) LostAnswer(n int) { f.m.ssh.Faults.LostAnswer(f.nextExec(n)) }

// DropAfterBytes breaks the connection that sends the n-th next byte of the wire, handshakes included.
func (f Faults) DropAfterBytes(n int64) { f.m.ssh.Faults.DropAfter(n) }

// Latency delays what the server sends: a client that waits for an answer pays it once, as it does a round trip.
// It holds for the connections made from now on.
func (f Faults) Latency(d time.Duration) { f.m.ssh.Faults.Latency(d) }

// Refuse closes new connections at once, as a machine that is down; Refuse(false) lets them in again.
func (f Faults) Refuse(on bool) { f.m.ssh.Faults.Refuse(on) }

// Blackhole accepts new connections and never answers.
func (f Faults) Blackhole(on bool) { f.m.ssh.Faults.Blackhole(on) }

// AptLock holds dpkg's lock as unattended-upgrades does after boot, until AptLock(false) or Reset.
func (f Faults) AptLock(on bool) { apt.FaultsOf(f.m.kernel).Lock(on) }

// AptFetch makes the next n downloads of apt-get fail, of lists or packages and repetitions included; -1 means all.
func (f Faults) AptFetch(n int) { apt.FaultsOf(f.m.kernel).FailFetch(n) }

// DiskFullAfter lets that many more bytes be written to disk file systems; then writes fail with ENOSPC.
func (f Faults) DiskFullAfter(bytes int64) {
	f.arm(func(x *faults) { x.full, x.fullArmed = bytes, true })
}

// ReadOnly remounts the root file system read-only, as the kernel does after an I/O error, or writable again.
func (f Faults) ReadOnly(on bool) { f.m.kernel.SetReadOnly(on) }

// KillCommand kills (SIGKILL) the n-th next run of a program as it starts.
func (f Faults) KillCommand(name string, n int) {
	f.arm(func(x *faults) {
		if x.killAt == nil {
			x.killAt = map[string]int{}
		}
		x.killAt[name] = n
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
	f.m.ssh.SetHostKeys([]ssh.Signer{s})
	return nil
}

// fill reports that n more bytes do not fit on the disks.
func (x *faults) fill(n int64) bool {
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

// room gives what of the free bytes of a disk can be used.
func (x *faults) room(free int64) int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.fullArmed {
		return min(free, x.full)
	}
	return free
}

// kills reports that this run of a program is the one to kill.
func (x *faults) kills(name string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	n, ok := x.killAt[name]
	if !ok {
		return false
	}
	x.killAt[name] = n - 1
	if n == 1 {
		delete(x.killAt, name)
		return true
	}
	return false
}

// write is asked before each change.
func (m *Machine) write(lossy bool) error {
	if lossy {
		m.counters.tmpWrites.Add(1)
		return nil
	}
	n, x := m.counters.writes.Add(1), &m.faults
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.cutAtWrite == 0 || n < x.cutAtWrite {
		return nil
	}
	x.cutAtWrite = 0
	done := x.cutFired
	m.kernel.PowerOff()
	// The caller holds locks of the machine that dies.
	m.kernel.Go(func() {
		m.PowerCut()
		close(done)
	})
	return syscall.EIO
}
