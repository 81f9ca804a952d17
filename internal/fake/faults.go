// Package fake is what the servers for tests of this module share.
package fake

import (
	"slices"
	"sync"
	"time"
)

// Faults are the faults that a server for tests has been told to have, each at a request that is
// chosen by its number. F says how a request fails, in the words of the protocol. The zero Faults
// are none. They are safe for concurrent use.
//
// A server asks [Faults.Next] of every request that counts, and does what it says; which requests
// count, it says in its own documentation.
type Faults[F any] struct {
	mu       sync.Mutex
	armed    []armed[F]
	fired    int
	refusals int
	latency  time.Duration
}

type armed[F any] struct {
	countdown int
	how       F
}

// At makes the n-th request from now on fail, once; 1 is the next.
func (f *Faults[F]) At(n int, how F) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = append(f.armed, armed[F]{n, how})
}

// Next counts a request, and returns how it fails when it does.
func (f *Faults[F]) Next() (how F, fails bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := range f.armed {
		f.armed[n].countdown--
	}
	n := slices.IndexFunc(f.armed, func(a armed[F]) bool { return a.countdown <= 0 })
	if n < 0 {
		return how, false
	}
	how = f.armed[n].how
	f.armed = slices.Delete(f.armed, n, n+1)
	f.fired++
	return how, true
}

// Fired returns how many requests have failed since the last Reset.
func (f *Faults[F]) Fired() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fired
}

// Refuse makes the next n connections be refused.
func (f *Faults[F]) Refuse(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refusals = n
}

// Refused counts a connection, and reports whether it is refused.
func (f *Faults[F]) Refused() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refusals == 0 {
		return false
	}
	f.refusals--
	return true
}

// SetLatency delays every answer.
func (f *Faults[F]) SetLatency(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latency = d
}

// Delay waits for as long as an answer is delayed.
func (f *Faults[F]) Delay() {
	f.mu.Lock()
	d := f.latency
	f.mu.Unlock()
	time.Sleep(d)
}

// Reset clears every fault that has not come yet, the refusals and the latency.
func (f *Faults[F]) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.fired, f.refusals, f.latency = nil, 0, 0, 0
}
