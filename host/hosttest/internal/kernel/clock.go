package kernel

import (
	"sync"
	"time"
)

// After runs f on the machine's clock; the result stops it.
func (k *Kernel) After(d time.Duration, f func()) func() {
	if k.Config.Sleep == nil {
		t := time.AfterFunc(d, f)
		return func() { t.Stop() }
	}
	if !k.begin() {
		return func() {}
	}
	done := make(chan struct{})
	stop := sync.OnceFunc(func() {
		k.sleepers.Delete(done)
		close(done)
	})
	k.sleepers.Store(done, stop)
	if k.Off() {
		stop() // halt may not have seen it
	}
	go func() {
		defer k.running.Done()
		k.Config.Sleep(done, d)
		select {
		case <-done:
		default:
			k.sleepers.Delete(done)
			f()
		}
	}()
	return stop
}

// stopSleepers ends what waits for the machine's clock.
func (k *Kernel) stopSleepers() {
	k.sleepers.Range(func(_, stop any) bool {
		stop.(func())()
		return true
	})
}
