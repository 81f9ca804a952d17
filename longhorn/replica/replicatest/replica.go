package replicatest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
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
	Reserve             // preallocate (fallocate) without writing: data to the engine too, reading as zeros, whatever was there
	Punch               // make a hole again: the layers below show through
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

// Replica describes a replica directory. Its zero value is no volume: Sectors and at least one layer are needed.
type Replica struct {
	Sectors int64   // size of the volume
	Layers  []Layer // the oldest first, the last is the head
	Head    int     // number of the head
	// Counter is revision.counter; 0 means that there is none.
	Counter    int64
	Dirty      bool
	Rebuilding bool
	// Backing is the content of a raw backing file, written to DIR/../backing/backing; nil means none.
	Backing []byte
	// Branches are snapshots that are not below the head, by the name of their parent, "" for none.
	Branches map[string]Layer
	// Time is when the head was written; the layers below are a second older each. The zero value means a fixed day.
	Time time.Time
	// Crash is the state that a power cut left.
	Crash Crash
}

// Crash is what a power cut did to a directory after all else was written.
type Crash int

// The states of a power cut that leave the live image whole.
const (
	NoCrash             Crash = iota
	VolumeMetaEmpty           // volume.meta has no bytes
	VolumeMetaZeroed          // volume.meta is NUL bytes
	VolumeMetaMissing         //
	HeadMetaEmpty             // the head's .meta has no bytes
	HeadMetaZeroed            //
	BaseMetaZeroed            // the oldest layer's .meta is NUL bytes
	MiddleMetaEmpty           // the .meta of the oldest layer but one has no bytes
	SnapshotNewHead           // a snapshot was cut off when the new head was there, empty
	SnapshotLinked            // and the old head and its .meta had the snapshot's name too
	SnapshotRenamed           // and volume.meta named the new head
	SnapshotLinkLost          // as SnapshotLinked, with volume.meta.tmp, copied so that the two names are two files
	Temporaries               // *.tmp files lie around
	SnapshotHalfLinked        // as SnapshotLinked, without the .meta's second name
	SnapshotMetaZeroed        // as SnapshotRenamed, the snapshot's new .meta being NUL bytes
	SnapshotHeadLeft          // as SnapshotMetaZeroed, of the old head only the .meta being left
	VolumeMetaTruncated       // volume.meta ends somewhere
	MiddleMetaTruncated       // the .meta of the oldest layer but one ends somewhere
	crashes
)

// Crashes returns every state.
func Crashes() []Crash {
	all := make([]Crash, crashes)
	for i := range all {
		all[i] = Crash(i)
	}
	return all
}

// Doubtful reports whether the state takes away metadata, so that a reader may refuse what it cannot conclude.
func (c Crash) Doubtful() bool {
	return c >= VolumeMetaEmpty && c <= MiddleMetaEmpty || c >= SnapshotMetaZeroed && c <= MiddleMetaTruncated
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

type layerMeta struct {
	Name        string
	Parent      string
	Removed     bool
	UserCreated bool
	Created     string
	Labels      map[string]string
}

type volumeMeta struct {
	Size            int64
	Head            string
	Dirty           bool
	Rebuilding      bool
	Error           string
	Parent          string
	SectorSize      int64
	BackingFilePath string
	Encrypted       bool
}

// Write makes the directory dir, which must not exist.
func (r Replica) Write(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	w := &writer{r: r, dir: dir, at: r.Time}
	if w.at.IsZero() {
		w.at = time.Date(2026, 4, 13, 3, 14, 15, 926535897, time.UTC)
	}
	for i, l := range r.Layers {
		older := time.Duration(len(r.Layers)-1-i) * time.Second
		w.layer(r.file(i), r.parent(i), l, older, i == len(r.Layers)-1)
	}
	for parent, l := range r.Branches {
		if parent != "" {
			parent = "volume-snap-" + parent + ".img"
		}
		w.layer("volume-snap-"+l.Name+".img", parent, l, time.Hour, false)
	}
	head := len(r.Layers) - 1
	meta := volumeMeta{Size: r.Sectors * Sector, Head: r.file(head), Dirty: r.Dirty, Rebuilding: r.Rebuilding, Parent: r.parent(head), SectorSize: 512}
	if r.Backing != nil {
		meta.BackingFilePath = "/host/var/lib/longhorn/backing-images/backing/backing"
		backing := filepath.Join(filepath.Dir(dir), "backing")
		if w.err == nil {
			w.err = os.MkdirAll(backing, 0o755)
		}
		w.write(filepath.Join("..", "backing", "backing"), r.Backing)
	}
	w.json("volume.meta", meta)
	if r.Counter > 0 {
		w.write("revision.counter", append([]byte(strconv.FormatInt(r.Counter, 10)), make([]byte, 4096-len(strconv.FormatInt(r.Counter, 10)))...))
	}
	w.crash(meta)
	return w.err
}

// writer writes a directory until the first error.
type writer struct {
	r   Replica
	dir string
	at  time.Time
	err error
}

func (w *writer) path(name string) string { return filepath.Join(w.dir, name) }

func (w *writer) write(name string, data []byte) {
	if w.err == nil {
		w.err = writeFile(w.path(name), data, 0o600)
	}
}

func (w *writer) json(name string, v any) {
	data, err := json.Marshal(v)
	if w.err == nil {
		w.err = err
	}
	w.write(name, append(data, '\n'))
}

// do runs a step unless there was an error.
func (w *writer) do(step func() error) {
	if w.err == nil {
		w.err = step()
	}
}

func (w *writer) layer(file, parent string, l Layer, older time.Duration, head bool) {
	name := file
	if !head {
		name = fmt.Sprintf("volume-head-%03d.img", w.r.Head) // a snapshot keeps the name of the head that it was
	}
	w.do(func() error { return writeLayer(w.path(file), w.r.layerSectors(l)*Sector, l.Ops) })
	w.json(file+".meta", layerMeta{Name: name, Parent: parent, Removed: l.Removed, UserCreated: l.User, Created: w.at.Add(-older).Format(time.RFC3339), Labels: l.Labels})
	w.do(func() error { return os.Chtimes(w.path(file), w.at.Add(-older), w.at.Add(-older)) })
}

func (w *writer) crash(meta volumeMeta) {
	r := w.r
	head := r.file(len(r.Layers) - 1)
	empty := func(name string) { w.write(name, nil) }
	zeroed := func(name string) {
		fi, err := os.Stat(w.path(name))
		if err != nil {
			w.do(func() error { return err })
			return
		}
		w.write(name, make([]byte, fi.Size()))
	}
	newHead := fmt.Sprintf("volume-head-%03d.img", r.Head%10+1) // the engine's own wrapping
	snap := "volume-snap-cut.img"
	begin := func() {
		w.do(func() error { return writeLayer(w.path(newHead), r.Sectors*Sector, nil) })
		w.json(newHead+".meta", layerMeta{Name: newHead, Parent: snap, Created: w.at.Format(time.RFC3339)})
	}
	cutOff := func(name string) {
		data, err := os.ReadFile(w.path(name))
		if err != nil {
			w.do(func() error { return err })
			return
		}
		w.write(name, data[:1+(len(data)-1)*(r.Head%8)/8]) // anywhere, but the same each time
	}
	link := func() {
		w.do(func() error { return os.Link(w.path(head), w.path(snap)) })
		w.do(func() error { return os.Link(w.path(head+".meta"), w.path(snap+".meta")) })
	}
	switch r.Crash {
	case VolumeMetaEmpty:
		empty("volume.meta")
	case VolumeMetaZeroed:
		zeroed("volume.meta")
	case VolumeMetaMissing:
		w.do(func() error { return os.Remove(w.path("volume.meta")) })
	case HeadMetaEmpty:
		empty(head + ".meta")
	case HeadMetaZeroed:
		zeroed(head + ".meta")
	case BaseMetaZeroed:
		zeroed(r.file(0) + ".meta")
	case MiddleMetaEmpty:
		empty(r.file(min(1, len(r.Layers)-1)) + ".meta")
	case SnapshotNewHead:
		begin()
	case SnapshotLinked:
		begin()
		link()
	case SnapshotHalfLinked:
		begin()
		link()
		w.do(func() error { return os.Remove(w.path(snap + ".meta")) })
	case SnapshotRenamed, SnapshotMetaZeroed, SnapshotHeadLeft:
		begin()
		link()
		meta.Head, meta.Parent = newHead, snap
		w.json("volume.meta", meta)
		if r.Crash != SnapshotRenamed { // it was renamed into place, so that the old head's keeps its content
			w.do(func() error { return os.Remove(w.path(snap + ".meta")) })
			w.write(snap+".meta", make([]byte, 120))
		}
		if r.Crash == SnapshotHeadLeft {
			w.do(func() error { return os.Remove(w.path(head)) })
		}
	case VolumeMetaTruncated:
		cutOff("volume.meta")
	case MiddleMetaTruncated:
		cutOff(r.file(min(1, len(r.Layers)-1)) + ".meta")
	case SnapshotLinkLost:
		begin()
		w.do(func() error {
			return writeLayer(w.path(snap), r.layerSectors(r.Layers[len(r.Layers)-1])*Sector, r.Layers[len(r.Layers)-1].Ops)
		})
		w.do(func() error { return os.Chtimes(w.path(snap), w.at, w.at) })
		w.do(func() error {
			data, err := os.ReadFile(w.path(head + ".meta"))
			return errors.Join(err, writeFile(w.path(snap+".meta"), data, 0o600))
		})
		meta.Head, meta.Parent = newHead, snap
		w.json("volume.meta.tmp", meta)
	case Temporaries:
		w.write("volume.meta.tmp", []byte(`{"Size":1,"Head":"volume-head-999.img"`))
		w.write(head+".meta.tmp", nil)
	}
}

// Image returns what an engine returns of the live state after opening the directory anew, from the description alone.
func (r Replica) Image() []byte {
	image := make([]byte, r.Sectors*Sector)
	copy(image, r.Backing)
	for i, l := range r.Layers {
		n := r.layerSectors(l)
		content, allocated := make([]byte, n*Sector), make([]bool, n)
		for _, op := range l.Ops {
			for s := op.Off; s < min(op.Off+op.Len, n); s++ {
				p := content[s*Sector : (s+1)*Sector]
				allocated[s] = op.Kind != Punch
				switch op.Kind {
				case Data:
					fill(p, op.Seed, s)
				case Zeros, Punch, Reserve:
					clear(p)
				}
			}
		}
		for s := range n {
			if allocated[s] || i == 0 && r.Backing == nil {
				copy(image[s*Sector:], content[s*Sector:(s+1)*Sector])
			}
		}
	}
	return image
}

// fill writes bytes that no other sector or seed has, none of them zero.
func fill(p []byte, seed uint64, sector int64) {
	x := seed*0x9e3779b97f4a7c15 ^ uint64(sector+1)*0xbf58476d1ce4e5b9
	for i := range p {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		p[i] = byte(x) | 1
	}
}

// writeFile is os.WriteFile, except that no program is started meanwhile: it would hold a copy of the descriptor for a moment, and the file
// would look in use.
func writeFile(name string, data []byte, mode os.FileMode) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(name, data, mode)
}

func writeLayer(path string, size int64, ops []Op) error {
	syscall.ForkLock.RLock() // as in writeFile
	defer syscall.ForkLock.RUnlock()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	for _, op := range ops {
		off, end := op.Off*Sector, min((op.Off+op.Len)*Sector, size)
		if off >= end {
			continue
		}
		switch op.Kind {
		case Reserve:
			err = reserve(f, off, end-off)
		case Punch:
			err = punch(f, off, end-off)
		default:
			p := make([]byte, end-off)
			for s := int64(0); op.Kind == Data && s < int64(len(p)); s += Sector {
				fill(p[s:s+Sector], op.Seed, (off+s)/Sector)
			}
			_, err = f.WriteAt(p, off)
		}
		if err != nil {
			return err
		}
	}
	return f.Close()
}

// Remove removes a directory that Write made, and its backing file.
func Remove(dir string) error {
	err := os.RemoveAll(dir)
	if e := os.RemoveAll(filepath.Join(filepath.Dir(dir), "backing")); err == nil && !errors.Is(e, fs.ErrNotExist) {
		err = e
	}
	return err
}
