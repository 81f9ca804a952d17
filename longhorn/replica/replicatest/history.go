package replicatest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// loss is what a power cut made of a metadata file.
type loss int

// The kinds of loss.
const (
	kept loss = iota
	emptied
	nuls
	gone
	cutOff
	losses
)

// History returns two replicas of one volume after up to so many random operations, the same for
// both but for these: each may be cut off by a power cut of its own, purge less, or have missed the
// last operations. Both may have lost metadata.
func History(r *rand.Rand, operations int) [2]*Engine {
	const sectors = 16
	var engines [2]*Engine
	var missed [2]int
	n := 1 + r.IntN(operations)
	for i := range engines {
		steps := -1
		if r.IntN(2) == 0 {
			steps = r.IntN(5 * n)
		}
		if r.IntN(3) == 0 {
			missed[i] = r.IntN(n)
		}
		engines[i] = newEngine(sectors, steps)
	}
	lead := newEngine(sectors, -1) // has all operations, so that they are the same for both
	for op := range n {
		operation := randomOperation(r, lead, op)
		operation(lead, true)
		for i, e := range engines {
			if op < n-missed[i] {
				operation(e, r.IntN(4) > 0)
			}
		}
	}
	for _, e := range engines {
		e.lose(r)
	}
	return engines
}

// randomOperation chooses the next one. It takes the engine and whether it purges now.
func randomOperation(r *rand.Rand, lead *Engine, number int) func(e *Engine, purges bool) {
	name := ""
	if names := lead.snapshots(); len(names) > 0 {
		name = names[r.IntN(len(names))]
	}
	switch k := r.IntN(12); {
	case k < 4:
		sector, seed := r.Int64N(lead.sectors), uint64(r.IntN(4))*r.Uint64()
		return func(e *Engine, _ bool) { e.writeSector(sector, seed) }
	case k < 7 || name == "":
		fresh := fmt.Sprintf("s%d", number)
		if r.IntN(8) == 0 {
			fresh = fmt.Sprintf("s%d", r.IntN(number+1)) // the name of one that may have been removed
		}
		return func(e *Engine, _ bool) { e.snapshot(fresh, nil) }
	case k < 9:
		return func(e *Engine, _ bool) { e.revert(name) }
	case k < 11:
		return func(e *Engine, purges bool) {
			e.remove(name)
			if purges {
				e.purge(name)
			}
		}
	}
	return func(e *Engine, _ bool) { e.expand(4) }
}

// lose loses some of the metadata, mostly one file.
func (e *Engine) lose(r *rand.Rand) {
	names := []string{"volume.meta"}
	for _, file := range slices.Sorted(maps.Keys(e.metas)) {
		names = append(names, file+".meta")
	}
	for range 1 + r.IntN(3)*r.IntN(2) {
		e.lost[names[r.IntN(len(names))]] = loss(r.IntN(int(losses)))
	}
}

// Write creates the directory dir, which must not exist, with what was left.
func (e *Engine) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	w := &writer{dir: dir}
	names := map[*inode]string{}
	for _, file := range slices.Sorted(maps.Keys(e.files)) {
		f := e.files[file]
		if other, ok := names[f]; ok {
			w.do(func() error { return os.Link(w.path(other), w.path(file)) })
			continue
		}
		names[f] = file
		var ops []Op
		for _, s := range slices.Sorted(maps.Keys(f.data)) {
			op := Op{Kind: Data, Off: s, Len: 1, Seed: f.data[s]}
			if op.Seed == 0 {
				op.Kind = Zeros
			}
			ops = append(ops, op)
		}
		w.do(func() error { return writeLayer(w.path(file), f.sectors*Sector, ops) })
		w.do(func() error { return os.Chtimes(w.path(file), f.written, f.written) })
	}
	for _, file := range slices.Sorted(maps.Keys(e.metas)) {
		w.json(file+".meta", e.metas[file])
	}
	w.json("volume.meta", e.meta)
	for _, name := range slices.Sorted(maps.Keys(e.lost)) {
		w.lose(name, e.lost[name])
	}
	return w.err
}

// lose damages a metadata file.
func (w *writer) lose(name string, how loss) {
	switch how {
	case emptied:
		w.write(name, nil)
	case nuls:
		w.zero(name)
	case gone:
		w.do(func() error {
			if err := os.Remove(filepath.Join(w.dir, name)); !errors.Is(err, os.ErrNotExist) {
				return err
			}
			return nil
		})
	case cutOff:
		w.change(name, func(data []byte) []byte { return data[:len(data)/4] })
	}
}
