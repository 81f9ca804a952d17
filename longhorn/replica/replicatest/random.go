package replicatest

import (
	"fmt"
	"math/rand/v2"
)

// Random returns a replica of up to the given number of sectors, with 1 to 13 layers, and every
// feature now and then: expansions, removed layers, written zeros, preallocated space, holes
// punched again, a backing file, wrapped head numbers, side branches, all crash states.
func Random(r *rand.Rand, sectors int64) Replica {
	n := 1 + r.IntN(13)
	rep := Replica{Sectors: 1 + r.Int64N(sectors), Head: r.IntN(11), Dirty: r.IntN(2) == 0,
		Crash: Crash(r.IntN(int(crashes)))}
	if r.IntN(2) == 0 {
		rep.Counter = 1 + r.Int64N(1e6)
	}
	size := rep.Sectors
	if r.IntN(3) == 0 {
		size = 1 + r.Int64N(rep.Sectors) // the volume was expanded since
	}
	if r.IntN(4) == 0 {
		rep.Backing = make([]byte, 512*(1+r.Int64N(size*Sector/512)))
		for i := range rep.Backing {
			rep.Backing[i] = byte(r.Uint32())
		}
	}
	expandAt := r.IntN(n)
	for i := range n {
		l := Layer{Name: fmt.Sprintf("s%d", i), User: r.IntN(2) == 0, Removed: i < n-1 && r.IntN(5) == 0, Sectors: size}
		for range r.IntN(6) {
			off := r.Int64N(size)
			l.Ops = append(l.Ops, Op{Kind: Kind(r.IntN(4)), Off: off, Len: 1 + r.Int64N(1+size/4), Seed: r.Uint64()})
		}
		if i == expandAt && size < rep.Sectors {
			if i == n-1 {
				l.Sectors = rep.Sectors
			} else {
				l.Name = fmt.Sprintf("expand-%d", rep.Sectors*Sector)
				l.Labels = map[string]string{"replica-expansion": fmt.Sprint(rep.Sectors * Sector)}
			}
			size = rep.Sectors
		}
		rep.Layers = append(rep.Layers, l)
	}
	// Where metadata is lost as well, a side branch looks like a layer of the chain: that is a test
	// of its own.
	if n > 1 && !rep.Crash.Doubtful() && r.IntN(6) == 0 {
		parent := rep.Layers[r.IntN(n-1)].Name
		ops := []Op{{Kind: Data, Len: 1, Seed: r.Uint64()}}
		rep.Branches = map[string]Layer{parent: {Name: "branch", Sectors: rep.Layers[0].Sectors, Ops: ops}}
	}
	return rep
}
