package vaultprov

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab"
	"golang.org/x/sync/errgroup"
)

// list reads the objects that are wanted and there, and notes those that are ours. It costs a list a mount, a
// list of our records, a read for each object that is wanted and there, and one for each record of a secret.
func (p *planner) list(ctx context.Context, k kind) (map[string]seen, error) {
	var records map[string]bool
	var err error
	if p.asksRecords(k) {
		if records, err = p.records(ctx, k.name); err != nil {
			return nil, err
		}
	}
	found := map[string]seen{}
	if k.prunes {
		for key := range records { // what is not there any more is forgotten
			found[key] = seen{owned: true}
		}
	}
	if k.all != nil {
		all, err := k.all(ctx)
		for key, has := range all {
			found[key] = seen{has: has, owned: records[key]}
		}
		return p.missing(found, k), err
	}
	there := map[string]bool{}
	if k.place == nil {
		for key := range k.want {
			there[key] = true // the read tells
		}
	} else if there, err = p.listMounts(ctx, k, records); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.client.server.parallel())
	for key, w := range k.want {
		if !there[key] {
			continue
		}
		g.Go(func() error {
			s, err := p.look(ctx, k, key, w, records[key])
			mu.Lock()
			defer mu.Unlock()
			found[key] = s
			return err
		})
	}
	err = g.Wait()
	return p.missing(found, k), err
}

// asksRecords reports whether it matters which objects of a kind are ours: for what may be removed, and for secrets
// that may be sent.
func (p *planner) asksRecords(k kind) bool {
	if k.prunes && (p.spec.Prune || p.spec.Adopt) {
		return true
	}
	for _, w := range k.want {
		if len(w.secrets) > 0 {
			return true
		}
	}
	return false
}

// missing takes out what is wanted and was not found: only what is not wanted is there by its record alone.
func (p *planner) missing(found map[string]seen, k kind) map[string]seen {
	for key := range k.want {
		if found[key].has == nil {
			delete(found, key)
		}
	}
	return found
}

// listMounts lists the mounts of the objects that are wanted or ours. A mount that is not there has none.
func (p *planner) listMounts(ctx context.Context, k kind, records map[string]bool) (map[string]bool, error) {
	mounts := map[string]bool{}
	for key := range k.want {
		mount, _ := split(key)
		mounts[mount] = true
	}
	for key := range records {
		mount, _ := split(key)
		mounts[mount] = true
	}
	if k.unscoped {
		mounts = map[string]bool{"": true}
	}
	there := map[string]bool{}
	for _, mount := range slices.Sorted(maps.Keys(mounts)) {
		names, err := p.client.list(ctx, k.place(mount))
		if err != nil && !errors.Is(err, lab.ErrNotFound) {
			return nil, err
		}
		for _, name := range names {
			there[join(mount, name)] = true
		}
	}
	return there, nil
}

func join(mount, name string) string {
	if mount == "" {
		return name
	}
	return mount + "/" + name
}

// look reads one object that is wanted.
func (p *planner) look(ctx context.Context, k kind, key string, w object, recorded bool) (s seen, err error) {
	if err := p.client.read(ctx, k.path(key), &s.has); err != nil {
		if errors.Is(err, lab.ErrNotFound) {
			return seen{}, nil
		}
		return seen{}, err
	}
	if k.flat != nil {
		s.has = k.flat(s.has)
	}
	if s.owned = recorded; recorded && len(w.secrets) > 0 {
		s.print, err = p.fingerprint(ctx, k.name, key)
	}
	return s, err
}
