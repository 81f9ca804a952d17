package vaultprov

import (
	"context"
	"errors"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// put writes an object. That it is ours is recorded before it is made, and the fingerprint of its secrets after they
// were sent: a run that is cut off between leaves a record too many, or a secret to send again, and never an object
// of ours that nobody knows of.
func (p *planner) put(ctx context.Context, k kind, key string, w object, h *seen) error {
	ctx, done := p.finishing(ctx, k.alone)
	defer done()
	send := payload(w.want)
	ours := h == nil || p.adopts(k, key, w, *h) // from now on
	sends := len(w.secrets) > 0 && (ours || k.whole || p.resends(key, w, *h))
	if sends {
		for name, secret := range w.secrets {
			send[name] = secret
		}
	}
	if ours && k.recorded(key, w) {
		if err := p.record(ctx, k.name, key, ""); err != nil {
			return err
		}
	}
	for _, field := range k.readOnly {
		delete(send, field)
	}
	write := k.write
	if write == nil {
		write = func(ctx context.Context, key string, send fields, _ bool) error {
			return p.client.write(ctx, k.path(key), send, nil)
		}
	}
	if h == nil || sends || len(w.differ(h.has)) > 0 { // or it is only recorded
		err := write(ctx, key, send, h != nil)
		if h == nil && errors.Is(err, lab.ErrConflict) && p.isThere(ctx, k, key, w) {
			err = nil
		}
		if err != nil {
			return err
		}
	}
	if sends && (ours || h.owned) && !p.spec.FingerprintKey.IsZero() {
		return p.record(ctx, k.name, key, p.print(key, w))
	}
	return nil
}

// isThere reports whether an object is there as it is wanted: another run has made it meanwhile.
func (p *planner) isThere(ctx context.Context, k kind, key string, w object) bool {
	k.want = map[string]object{key: w}
	found, err := p.list(ctx, k)
	s := found[key]
	return err == nil && s.has != nil && len(w.differ(s.has)) == 0
}

// finishing returns a context in which a change that has begun is finished although the run is stopped: an audit device
// whose client goes away meanwhile is left half made, and Vault then neither lists it nor makes it again. While one
// is made that wants to be alone, no other change is under way.
func (p *planner) finishing(ctx context.Context, alone bool) (context.Context, func()) {
	unlock := p.changing.RUnlock
	if alone {
		p.changing.Lock()
		unlock = p.changing.Unlock
	} else {
		p.changing.RLock()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	return ctx, func() { cancel(); unlock() }
}

// remove removes an object of ours, then what stands on it, then the record.
func (p *planner) remove(ctx context.Context, k kind, key string) error {
	ctx, done := p.finishing(ctx, k.alone)
	defer done()
	if k.keeps != nil {
		if err := k.keeps(key); err != nil {
			return err
		}
	}
	if err := p.client.delete(ctx, k.path(key)); err != nil {
		return err
	}
	if k.gone != nil {
		if err := k.gone(ctx, key); err != nil {
			return err
		}
	}
	return p.forget(ctx, k.name, key)
}
