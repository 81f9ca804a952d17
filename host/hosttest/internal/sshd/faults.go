package sshd

import (
	"sync"
	"time"
)

// Faults are the armed faults of a server. Exec requests are counted from the server's first one.
type Faults struct {
	mu         sync.Mutex
	failExec   map[int64]bool
	cutAfter   map[int64]int64
	cutWhen    func([]byte) bool
	lostAnswer map[int64]bool
	dropAfter  int64 // bytes the server still sends before it drops the connection
	dropArmed  bool
	latency    time.Duration
	refuse     bool
	blackhole  bool
}

// Reset disarms all.
func (x *Faults) Reset() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.failExec, x.cutAfter, x.cutWhen, x.lostAnswer = nil, nil, nil, nil
	x.dropArmed, x.latency, x.refuse, x.blackhole = false, 0, false, false
}

// FailExec refuses an exec request.
func (x *Faults) FailExec(n int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	set(&x.failExec, n, true)
}

// CutAfter breaks the connection once an exec has sent so many bytes on its standard output.
func (x *Faults) CutAfter(n, bytes int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	set(&x.cutAfter, n, bytes)
}

// CutWhen breaks the connection before it sends what makes match true.
func (x *Faults) CutWhen(match func(stdout []byte) bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cutWhen = match
}

// LostAnswer lets an exec run to its end and breaks the connection instead of sending what it answers.
func (x *Faults) LostAnswer(n int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	set(&x.lostAnswer, n, true)
}

// DropAfter breaks the connection that sends the n-th next byte of the wire.
func (x *Faults) DropAfter(n int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dropAfter, x.dropArmed = n, true
}

// Latency delays what is sent on connections made from now on.
func (x *Faults) Latency(d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.latency = d
}

// Refuse resets new connections.
func (x *Faults) Refuse(on bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.refuse = on
}

// Blackhole accepts new connections and never answers.
func (x *Faults) Blackhole(on bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.blackhole = on
}

// connecting gives the faults of a new connection.
func (x *Faults) connecting() (refuse, hole bool, latency time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.refuse, x.blackhole, x.latency
}

// execFaults are those of one exec.
type execFaults struct {
	fail bool
	cut  int64 // < 0: never
	lost bool
}

func (x *Faults) exec(n int64) execFaults {
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

func (x *Faults) cutNow(stdout []byte) bool {
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

// watching reports whether an exec's output must be kept for CutWhen.
func (x *Faults) watching() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.cutWhen != nil
}

// sending gives how many of n bytes may still be sent, and whether the connection then drops.
func (x *Faults) sending(n int) (int, bool) {
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

func set[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}
