package replica

import (
	"encoding"
	"time"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// checkpoints records the progress now and then until stop.
func (cp *copier) checkpoints(stop <-chan struct{}) {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			cp.checkpoint()
		}
	}
}

// checkpoint records the progress. That it cannot be recorded is no reason to stop: the last record
// stays good.
func (cp *copier) checkpoint() {
	if cp.t.state == "" {
		return
	}
	j := journal{Version: journalVersion, Work: cp.t.work, Output: cp.t.id, Hash: cp.o.Hash}
	cp.mu.Lock()
	j.Copied = cp.copied.Load()
	if cp.hashed <= j.Copied {
		if sum, err := cp.hash.(encoding.BinaryMarshaler).MarshalBinary(); err == nil {
			j.Hashed, j.Sum = cp.hashed, sum
		}
	}
	cp.mu.Unlock()
	if unix.Fdatasync(int(cp.t.file.Fd())) != nil {
		return
	}
	cp.t.writeState(j)
}

// reports sends events of the progress until stop.
func (cp *copier) reports(stop <-chan struct{}) {
	if cp.o.Events == nil {
		return
	}
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			cp.report()
			return
		case <-tick.C:
			cp.report()
		}
	}
}

// report sends one event: of copying, or, when all is copied and the hash is behind, of hashing.
func (cp *copier) report() {
	cp.mu.Lock()
	done, hashed := cp.copied.Load(), cp.hashed
	cp.mu.Unlock()
	text := "copy"
	if cp.o.Hash == SHA256 {
		if done >= cp.im.Size() {
			text = "hash"
		}
		done = min(done, hashed)
	}
	cp.o.Events(lab.Event{Time: time.Now(), Kind: lab.EventDoing, Target: cp.t.path, Text: text,
		Done: done, Total: cp.im.Size(), Unit: "bytes"})
}
