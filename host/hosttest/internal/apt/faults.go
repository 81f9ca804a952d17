package apt

import (
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// Faults are the armed faults of dpkg and apt-get.
type Faults struct {
	mu   sync.Mutex
	lock bool
	left int // downloads that still fail; < 0 means all
}

// FaultsOf gives the faults of a machine.
func FaultsOf(k *kernel.Kernel) *Faults { return kernel.Local[Faults](k) }

// Reset disarms all.
func (x *Faults) Reset() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lock, x.left = false, 0
}

// Lock holds dpkg's lock as unattended-upgrades does after boot.
func (x *Faults) Lock(on bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lock = on
}

// FailFetch makes the next n downloads fail, of lists or packages and repetitions included; -1 means all.
func (x *Faults) FailFetch(n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.left = n
}

func (x *Faults) locked() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.lock
}

func (x *Faults) failsFetch() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.left > 0 {
		x.left--
		return true
	}
	return x.left < 0
}
