package ledger

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// lockFile is the object that is the lock.
type lockFile struct {
	Holder  string    `json:"holder"`
	Nonce   string    `json:"nonce"` // of the run that has it
	Taken   time.Time `json:"taken"`
	Expires time.Time `json:"expires"` // by the holder's clock
}

// lock is a lock that is held.
type lock struct {
	s          *store
	generation int64
	file       lockFile
	stop       context.CancelFunc
	ended      chan struct{} // closed when it is renewed no more
}

// expired reports whether a lock has ended: a minute after its time, since clocks differ.
func (f lockFile) expired(now time.Time) bool { return now.After(f.Expires.Add(time.Minute)) }

// take takes the lock, or waits for it as long as the ledger's patience. One that has expired is taken over. The context that it
// returns ends when the lock is lost.
func (s *store) take(ctx context.Context, wait func(string)) (context.Context, *lock, error) {
	k := &lock{s: s, file: lockFile{Holder: s.l.Holder, Nonce: rand.Text()}, ended: make(chan struct{})}
	var other error
	try := func(ctx context.Context) (taken bool, err error) {
		taken, has, err := k.try(ctx)
		if has != nil {
			other = has // of the last try that was answered
		}
		return taken, err
	}
	taken, err := try(ctx)
	if err == nil && !taken && s.l.Patience > 0 {
		err = lab.Wait(ctx, lab.Poll{What: "the lock of " + s.l.object(""), First: time.Second, Timeout: s.l.Patience, Report: wait}, try)
		taken = err == nil
		if errors.Is(err, lab.ErrTimeout) {
			err = nil
		}
	}
	switch {
	case err != nil:
		return nil, nil, err
	case !taken:
		return nil, nil, other
	}
	held, cancel := context.WithCancelCause(ctx)
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	k.stop = stop
	go k.renew(renewing, cancel)
	return held, k, nil
}

// try takes the lock if it is free. other says who has it.
func (k *lock) try(ctx context.Context) (taken bool, other, err error) {
	for range 3 { // those who race for an expired one
		o, err := k.s.read(ctx, lockName)
		if err != nil {
			return false, nil, err
		}
		var f lockFile
		if o.generation != 0 {
			if json.Unmarshal(o.text, &f) != nil || f.Nonce == "" {
				return false, nil, k.s.fail("take lock", lockName, "see what it is, and remove it", lab.ErrConflict, "it is no lock of ours")
			}
			if f.Nonce != k.file.Nonce && !f.expired(time.Now()) {
				return false, k.s.fail("take lock", lockName, "wait for it, or see that it has ended", lab.ErrBlocked,
					fmt.Sprintf("%s has it since %s, until %s", lab.Printable(f.Holder), stamp(f.Taken), stamp(f.Expires))), nil
			}
		}
		if f.Nonce == k.file.Nonce { // the answer was lost
			k.generation, k.file = o.generation, f
			return true, nil, nil
		}
		k.file.Taken = time.Now().UTC()
		k.file.Expires = k.file.Taken.Add(k.s.l.lease())
		switch k.generation, err = k.put(ctx, o.generation); {
		case err == nil:
			return true, nil, nil
		case !errors.Is(err, errChanged) && !errors.Is(err, lab.ErrUnreachable):
			return false, nil, err
		}
	}
	return false, k.s.fail("take lock", lockName, "run it again", lab.ErrBlocked, "others take it at the same time"), nil
}

func (k *lock) put(ctx context.Context, generation int64) (int64, error) {
	text, _ := json.Marshal(k.file) // texts and times
	return k.s.write(ctx, lockName, generation, text)
}

// renew renews the lock after each third of its lease. When somebody else has it, or it cannot be renewed before it ends, what is
// done under it ends.
func (k *lock) renew(ctx context.Context, lost context.CancelCauseFunc) {
	defer close(k.ended)
	every := time.NewTicker(k.s.l.lease() / 3)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		before := k.file
		k.file.Expires = time.Now().UTC().Add(k.s.l.lease())
		g, err := k.put(ctx, k.generation)
		if errors.Is(err, lab.ErrUnreachable) && ctx.Err() == nil { // it may have been written
			var f lockFile
			if o, again := k.s.read(ctx, lockName); again == nil && json.Unmarshal(o.text, &f) == nil && f.Nonce == k.file.Nonce {
				g, err = o.generation, nil
				k.file = f
			}
		}
		switch {
		case err == nil:
			k.generation = g
		case ctx.Err() != nil:
			return
		case errors.Is(err, errChanged), time.Now().After(before.Expires):
			lost(k.s.fail("hold lock", lockName, "plan again", lab.ErrDrift, "it was lost"))
			return
		default:
			k.file = before // try again
		}
	}
}

// release ends the lock, if it is still ours: whether the last renewal was written may not be known.
func (k *lock) release(ctx context.Context) error {
	k.stop()
	<-k.ended
	o, err := k.s.read(ctx, lockName)
	if err != nil {
		return err
	}
	var f lockFile
	if json.Unmarshal(o.text, &f) != nil || f.Nonce != k.file.Nonce {
		return nil // somebody has taken it over
	}
	return k.s.remove(ctx, lockName, o.generation)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// tofu returns an error if OpenTofu holds its lock of the app's state.
func (s *store) tofu(ctx context.Context) error {
	o, err := s.read(ctx, tofuName)
	if err != nil || o.generation == 0 {
		return err
	}
	var f struct{ Who, Created string } // of statemgr.LockInfo
	who := "somebody"
	if json.Unmarshal(o.text, &f) == nil && f.Who != "" {
		who = lab.Printable(f.Who)
	}
	return s.fail("take lock", tofuName, "wait for it; if it was cut off: tofu force-unlock "+fmt.Sprint(o.generation), lab.ErrBlocked,
		who+" runs OpenTofu on this state")
}
