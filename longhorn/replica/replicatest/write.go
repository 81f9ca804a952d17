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

// layerMeta is a .meta.
type layerMeta struct {
	Name        string
	Parent      string
	Removed     bool
	UserCreated bool
	Created     string
	Labels      map[string]string
}

// volumeMeta is volume.meta.
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

// Write creates the directory dir, which must not exist.
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
	meta := volumeMeta{Size: r.Sectors * Sector, Head: r.file(head), Dirty: r.Dirty, Rebuilding: r.Rebuilding,
		Parent: r.parent(head), SectorSize: 512}
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
		counter := make([]byte, 4096)
		copy(counter, strconv.FormatInt(r.Counter, 10))
		w.write("revision.counter", counter)
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

// remove removes a file.
func (w *writer) remove(name string) {
	w.do(func() error { return os.Remove(w.path(name)) })
}

// layer writes a layer and its .meta, older than the head by so much.
func (w *writer) layer(file, parent string, l Layer, older time.Duration, head bool) {
	name := file
	if !head {
		name = fmt.Sprintf("volume-head-%03d.img", w.r.Head) // a snapshot keeps the name of the head that it was
	}
	w.do(func() error { return writeLayer(w.path(file), w.r.layerSectors(l)*Sector, l.Ops) })
	w.json(file+".meta", layerMeta{Name: name, Parent: parent, Removed: l.Removed, UserCreated: l.User,
		Created: w.at.Add(-older).Format(time.RFC3339), Labels: l.Labels})
	w.do(func() error { return os.Chtimes(w.path(file), w.at.Add(-older), w.at.Add(-older)) })
}

// writeFile is os.WriteFile, except that no program is started meanwhile: it would hold a copy of
// the descriptor for a moment, and the file would look in use.
func writeFile(name string, data []byte, mode os.FileMode) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(name, data, mode)
}

// writeLayer writes a layer of size bytes.
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

// Remove removes a directory that Write created, and its backing file.
func Remove(dir string) error {
	err := os.RemoveAll(dir)
	if e := os.RemoveAll(filepath.Join(filepath.Dir(dir), "backing")); err == nil && !errors.Is(e, fs.ErrNotExist) {
		err = e
	}
	return err
}
