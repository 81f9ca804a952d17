package kernel

import "time"

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
	go func() {
		defer k.running.Done()
		k.Config.Sleep(done, d)
		select {
		case <-done:
		default:
			f()
		}
	}()
	stopped := false
	return func() {
		if !stopped {
			stopped = true
			close(done)
		}
	}
}
