package replicatest

import (
	"fmt"
	"time"
)

// Sector is the size in bytes at which layers are looked up.
const Sector = 4096

// Kind is what an [Op] does to a layer.
type Kind int

// The kinds of operations.
const (
	Data    Kind = iota // write bytes that depend on Seed and the place, none of them zero
	Zeros               // write zeros, which are data: they hide the layers below
	Reserve             // preallocate (fallocate) without writing: reads as zeros, whatever was there, and is data too
	Punch               // turn it into a hole again: the layers below show through
)

// Op is one operation on whole sectors of a layer.
type Op struct {
	Kind     Kind
	Off, Len int64 // sectors
	Seed     uint64
}

// Layer is one layer of a chain.
type Layer struct {
	Name    string // snapshot name; ignored for the head
	Sectors int64  // size; 0 means the volume's
	Ops     []Op
	Removed bool
	User    bool
	Labels  map[string]string
}

// Replica describes a replica directory. Its zero value is no volume: Sectors and at least one
// layer are needed.
type Replica struct {
	Sectors int64   // size of the volume
	Layers  []Layer // the oldest first, the last is the head
	Head    int     // number of the head
	// Counter is revision.counter; 0 means that there is none.
	Counter    int64
	Dirty      bool
	Rebuilding bool
	// Backing is the content of a raw backing file, written to DIR/../backing/backing; nil means
	// none.
	Backing []byte
	// Branches are snapshots that are not below the head, by the name of their parent, "" for none.
	Branches map[string]Layer
	// Time is when the head was written; the layers below are a second older each. The zero value
	// means a fixed day.
	Time time.Time
	// Crash is the state that a power cut left.
	Crash Crash
}

func (r Replica) file(i int) string {
	if i == len(r.Layers)-1 {
		return fmt.Sprintf("volume-head-%03d.img", r.Head)
	}
	return "volume-snap-" + r.Layers[i].Name + ".img"
}

func (r Replica) parent(i int) string {
	if i == 0 {
		return ""
	}
	return r.file(i - 1)
}

func (r Replica) layerSectors(l Layer) int64 {
	if l.Sectors == 0 {
		return r.Sectors
	}
	return l.Sectors
}

// Parents returns the parent of each layer by file name, "" for the oldest one.
func (r Replica) Parents() map[string]string {
	parents := map[string]string{"volume-snap-cut.img": r.parent(len(r.Layers) - 1)}
	for i := range r.Layers {
		parents[r.file(i)] = r.parent(i)
	}
	return parents
}
