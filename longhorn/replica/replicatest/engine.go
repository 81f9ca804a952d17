package replicatest

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Engine is a model of what an engine does to one replica directory, step by step as
// longhorn-engine's pkg/replica does it, so that it can be cut off between any two steps. It keeps
// the files in memory: [Engine.Write] writes what was left of them.
type Engine struct {
	sectors int64

	files map[string]*inode // layers; two names of one file share the inode
	metas map[string]layerMeta
	meta  volumeMeta
	lost  map[string]loss
	head  int // the number of the last head
	clock time.Time
	left  int // steps until the power cut; negative for none
	dead  bool
}

// inode is the content of a layer: the seed of each sector that was written, 0 for zeros.
type inode struct {
	sectors int64
	data    map[int64]uint64
	written time.Time
}

// newEngine returns the engine of a new volume of so many sectors, which is cut off after so many
// steps, never when that is negative.
func newEngine(sectors int64, steps int) *Engine {
	e := &Engine{sectors: sectors, left: steps, files: map[string]*inode{}, metas: map[string]layerMeta{},
		lost: map[string]loss{}, clock: time.Date(2026, 4, 13, 3, 14, 15, 926535897, time.UTC)}
	head := e.headFile()
	e.files[head] = e.inode()
	e.metas[head] = layerMeta{Name: head, Created: e.now()}
	e.meta = volumeMeta{Size: sectors * Sector, Head: head, SectorSize: 512}
	return e
}

func (e *Engine) headFile() string { return fmt.Sprintf("volume-head-%03d.img", e.head) }

func (e *Engine) inode() *inode {
	return &inode{sectors: e.sectors, data: map[int64]uint64{}, written: e.clock}
}

func (e *Engine) now() string { return e.clock.Format(time.RFC3339) }

// step does one thing that a power cut leaves done or not done.
func (e *Engine) step(do func()) {
	if e.left == 0 {
		e.dead = true
	}
	if e.dead {
		return
	}
	e.left--
	e.clock = e.clock.Add(time.Second)
	do()
}

// nextHead has the engine's own wrapping: 010 is followed by 001.
func (e *Engine) nextHead() { e.head = e.head%10 + 1 }

// writeSector writes one sector of the volume: a seed, or 0 for zeros.
func (e *Engine) writeSector(sector int64, seed uint64) {
	e.step(func() {
		f := e.files[e.meta.Head]
		f.data[sector%e.sectors], f.written = seed, e.clock
	})
}

// snapshots returns the names of the snapshots that are there, sorted.
func (e *Engine) snapshots() (names []string) {
	for _, file := range slices.Sorted(maps.Keys(e.files)) {
		if name, ok := snapshotName(file); ok {
			names = append(names, name)
		}
	}
	return names
}

func snapshotFile(name string) string { return "volume-snap-" + name + ".img" }

func snapshotName(file string) (string, bool) {
	const prefix, suffix = "volume-snap-", ".img"
	if len(file) <= len(prefix)+len(suffix) || file[:len(prefix)] != prefix {
		return "", false
	}
	return file[len(prefix) : len(file)-len(suffix)], true
}

// snapshot makes the head a snapshot, under a new head (createDisk).
func (e *Engine) snapshot(name string, labels map[string]string) {
	snap := snapshotFile(name)
	if e.dead || e.files[snap] != nil {
		return
	}
	old, user := e.meta.Head, len(labels) == 0
	e.nextHead()
	head := e.headFile()
	e.step(func() { e.files[head] = e.inode() })
	e.step(func() { e.metas[head] = layerMeta{Name: head, Parent: snap, Created: e.now()} })
	e.step(func() { e.files[snap] = e.files[old] })
	e.step(func() { e.metas[snap] = e.metas[old] })
	e.step(func() { e.meta.Head, e.meta.Parent, e.meta.Dirty = head, snap, true })
	e.step(func() {
		m := e.metas[snap]
		m.UserCreated, m.Created, m.Labels = user, e.now(), labels
		e.metas[snap] = m
	})
	e.step(func() { delete(e.files, old) })
	e.step(func() { delete(e.metas, old) })
}

// revert makes a new, empty head over a snapshot (revertDisk); what was above it becomes a side
// branch.
func (e *Engine) revert(name string) {
	snap := snapshotFile(name)
	if e.dead || e.files[snap] == nil || e.files[snap].sectors != e.sectors || e.metas[snap].Removed {
		return
	}
	old := e.meta.Head
	e.nextHead()
	head := e.headFile()
	e.step(func() { e.files[head] = e.inode() })
	e.step(func() { e.metas[head] = layerMeta{Name: head, Parent: snap, Created: e.now()} })
	e.step(func() { e.meta.Head, e.meta.Parent, e.meta.Dirty = head, snap, true })
	e.step(func() { delete(e.files, old) })
	e.step(func() { delete(e.metas, old) })
}

// expand enlarges the volume: a snapshot of the engine's own, then a larger head.
func (e *Engine) expand(sectors int64) {
	size := fmt.Sprint((e.sectors + sectors) * Sector)
	e.snapshot("expand-"+size, map[string]string{"replica-expansion": size})
	e.step(func() {
		e.sectors += sectors
		e.files[e.meta.Head].sectors = e.sectors
		e.meta.Size = e.sectors * Sector
	})
}

// remove marks a snapshot as removed.
func (e *Engine) remove(name string) {
	snap := snapshotFile(name)
	m, ok := e.metas[snap]
	if !ok {
		return
	}
	e.step(func() {
		m.Removed = true
		e.metas[snap] = m
	})
}

// purge merges a removed snapshot with its child, if it has one only: a snapshot's content is
// folded into it and it takes the child's name; under the head, what the head hides is punched.
func (e *Engine) purge(name string) {
	snap := snapshotFile(name)
	m := e.metas[snap]
	children := e.children(snap)
	if e.dead || !m.Removed || e.files[snap] == nil || len(children) > 1 {
		return
	}
	if len(children) == 0 { // the end of a side branch
		e.step(func() { delete(e.files, snap) })
		e.step(func() { delete(e.metas, snap) })
		return
	}
	child := children[0]
	f, c := e.files[snap], e.files[child]
	for _, s := range slices.Sorted(maps.Keys(c.data)) {
		e.step(func() {
			f.written, f.sectors = e.clock, c.sectors
			if _, isSnapshot := snapshotName(child); isSnapshot {
				f.data[s] = c.data[s]
			} else {
				delete(f.data, s)
			}
		})
	}
	if _, isSnapshot := snapshotName(child); !isSnapshot {
		return
	}
	e.step(func() { f.sectors = c.sectors })
	e.step(func() { delete(e.files, child) })
	e.step(func() { e.files[child] = f })
	e.step(func() {
		cm := e.metas[child]
		cm.Parent = m.Parent
		e.metas[child] = cm
	})
	e.step(func() { delete(e.files, snap) })
	e.step(func() { delete(e.metas, snap) })
}

// children returns the layers right above the file, sorted.
func (e *Engine) children(file string) (files []string) {
	for _, name := range slices.Sorted(maps.Keys(e.files)) {
		if e.metas[name].Parent == file {
			files = append(files, name)
		}
	}
	return files
}

// Parents returns the parent of each layer whose .meta was lost, "" for the oldest one.
func (e *Engine) Parents() map[string]string {
	parents := map[string]string{}
	for file, f := range e.files {
		m, ok := e.metas[file]
		switch {
		case ok && e.lost[file+".meta"] != kept:
			parents[file] = m.Parent
		case !ok: // a snapshot that was cut off before its .meta was linked is the old head yet
			for other, same := range e.files {
				if m, ok := e.metas[other]; ok && same == f {
					parents[file] = m.Parent
				}
			}
		}
	}
	return parents
}

// Image returns the live state as volume.meta has it, before any metadata was lost. It reports
// false where a purge was cut off so that a file of the chain is missing.
func (e *Engine) Image() ([]byte, bool) {
	var files []string
	for file := e.meta.Head; file != ""; file = e.metas[file].Parent {
		if e.files[file] == nil {
			file = e.metas[file].Parent // it has the data of its child, which was unlinked
			if e.files[file] == nil {
				return nil, false
			}
		}
		files = append(files, file)
	}
	return e.Overlay(files), true
}

// Overlay returns the content of the volume that the files, the newest first, make up.
func (e *Engine) Overlay(files []string) []byte {
	image := make([]byte, e.sectors*Sector)
	for _, file := range slices.Backward(files) {
		for s, seed := range e.files[file].data {
			p := image[s*Sector : (s+1)*Sector]
			clear(p)
			if seed != 0 {
				fill(p, seed, s)
			}
		}
	}
	return image
}
