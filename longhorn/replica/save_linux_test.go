package replica

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica/replicatest"
)

// fourPieces is a volume of four pieces with data and zeros, the last one shorter.
func fourPieces() replicatest.Replica {
	return replicatest.Replica{Sectors: 3500, Layers: []replicatest.Layer{
		{Name: "s0", Ops: []replicatest.Op{{Off: 0, Len: 3500, Seed: 1}}},
		{Name: "s1", Ops: []replicatest.Op{{Off: 300, Len: 1700, Seed: 2},
			{Kind: replicatest.Zeros, Off: 2100, Len: 300}}},
		{Ops: []replicatest.Op{{Off: 1999, Len: 20, Seed: 3}}},
	}}
}

// writeTest writes the replica and returns it with its directory.
func writeTest(t *testing.T, rep replicatest.Replica) (replicatest.Replica, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "vol-0123abcd")
	if err := rep.Write(dir); err != nil {
		t.Fatal(err)
	}
	return rep, dir
}

func openTest(t *testing.T, dir string) *Image {
	t.Helper()
	d, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Chain(Want{})
	if err != nil {
		t.Fatal(err)
	}
	im, err := c.Open(t.Context())
	if err != nil {
		if errors.Is(err, diskfile.ErrNoExtents) {
			real.Missing(t, "extents (FIEMAP) of the temporary directory")
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { im.Close() })
	return im
}

func checkFile(t *testing.T, path string, want []byte, r *Result) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(want)
	if !bytes.Equal(got, want) || r.SHA256 != "" && r.SHA256 != hex.EncodeToString(sum[:]) ||
		r.Tree != "" && r.Tree != treeSum(want) {
		t.Fatalf("the image is wrong, or its hash %s%s", r.SHA256, r.Tree)
	}
	for _, left := range []string{diskfile.PartName(path), stateName(path), stateName(path) + ".tmp"} {
		if _, err := os.Lstat(left); err == nil {
			t.Errorf("%s was left", left)
		}
	}
}

// TestSaveCutOffAnywhere fails the copying at each chunk, by a full disk and by an interruption,
// and continues it: the result is right, and what was recorded as copied is not copied again.
func TestSaveCutOffAnywhere(t *testing.T) {
	rep, dir := writeTest(t, fourPieces())
	im := openTest(t, dir)
	want := rep.Image()
	for k := int64(0); k < 4; k++ {
		for _, how := range []string{"full", "interrupted", "one of many"} {
			t.Run(fmt.Sprintf("%s at %d", how, k), func(t *testing.T) {
				out := filepath.Join(t.TempDir(), "image")
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				o := Output{Path: out, Workers: 1, Method: ReadWrite, fault: func(off int64) error {
					if off < k*pieceSize || how == "one of many" && off > k*pieceSize {
						return nil
					}
					if how != "interrupted" {
						return syscall.ENOSPC
					}
					cancel()
					return ctx.Err()
				}}
				if how == "one of many" { // those behind it are copied all the same
					o.Workers = 8
				}
				_, err := im.Save(ctx, o)
				if how != "interrupted" && !errors.Is(err, syscall.ENOSPC) || how == "interrupted" &&
					!errors.Is(err, context.Canceled) {
					t.Fatalf("got %v", err)
				}
				if how == "full" && !strings.Contains(strings.Join(lab.Hints(err), " "), "run the same command again") {
					t.Errorf("hints: %q", lab.Hints(err))
				}
				if _, err := os.Stat(out); err == nil {
					t.Fatal("the output has its name although it is not complete")
				}
				var first atomic.Int64
				first.Store(-1)
				o.fault = func(off int64) error {
					first.CompareAndSwap(-1, off)
					return nil
				}
				r, err := im.Save(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if first.Load() < r.Resumed || how == "full" && r.Resumed != k*pieceSize {
					t.Errorf("continued at %d, but copied %d again; it had stopped at %d", r.Resumed, first.Load(),
						k*pieceSize)
				}
				if r.Copied > im.DataBytes()-r.Resumed {
					t.Errorf("copied %d bytes behind %d of %d", r.Copied, r.Resumed, im.DataBytes())
				}
				checkFile(t, out, want, r)
			})
		}
	}
}

// TestSaveContinuesHash interrupts while the hash is behind the copying: neither is started again.
func TestSaveContinuesHash(t *testing.T) {
	rep, dir := writeTest(t, fourPieces())
	im := openTest(t, dir)
	out := filepath.Join(t.TempDir(), "image")
	const hashed, copied = 3 * chunkSize, 3 * pieceSize
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ahead := make(chan struct{})
	o := Output{Path: out, Workers: 1, Method: ReadWrite, Hash: SHA256}
	o.fault = func(off int64) error {
		if off == copied { // all before it is copied, since there is one worker
			close(ahead)
		}
		return nil
	}
	o.hashFault = func(off int64) error {
		if off < hashed {
			return nil
		}
		<-ahead
		cancel()
		return ctx.Err()
	}
	if _, err := im.Save(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	o.fault = func(off int64) error {
		if off < copied {
			return fmt.Errorf("copied again at %d", off)
		}
		return nil
	}
	first := int64(-1)
	o.hashFault = func(off int64) error {
		if first < 0 {
			first = off
		}
		return nil
	}
	r, err := im.Save(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if first != hashed || r.Resumed < copied {
		t.Errorf("hashed on at %d, want %d; copied on at %d, want %d at least", first, hashed, r.Resumed, copied)
	}
	checkFile(t, out, rep.Image(), r)
}

// TestSaveSourceChanges changes a layer while it is copied, and before a run is continued.
func TestSaveSourceChanges(t *testing.T) {
	rep, dir := writeTest(t, fourPieces())
	out := filepath.Join(t.TempDir(), "image")
	head := filepath.Join(dir, "volume-head-000.img")
	touch := func() {
		now := time.Now()
		if err := os.Chtimes(head, now, now); err != nil {
			t.Fatal(err)
		}
	}
	_, err := openTest(t, dir).Save(t.Context(), Output{Path: out, Workers: 1, fault: func(off int64) error {
		if off == 2*pieceSize {
			touch()
		}
		return nil
	}})
	if !errors.Is(err, lab.ErrDrift) {
		t.Fatalf("a change while copying: %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Fatal("the output has its name although the source changed")
	}
	touch()
	im := openTest(t, dir)
	_, err = im.Save(t.Context(), Output{Path: out})
	if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), "volume-head-000.img") {
		t.Fatalf("a change before continuing: %v", err)
	}
	r, err := im.Save(t.Context(), Output{Path: out, Restart: true})
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, out, rep.Image(), r)
}

// TestSaveGuards: where an image may not be written.
func TestSaveGuards(t *testing.T) {
	rep := fourPieces()
	base := t.TempDir()
	dir := filepath.Join(base, "replicas", "vol-0123abcd")
	other := filepath.Join(base, "replicas", "other-0123abcd")
	for _, d := range []string{dir, other} {
		if err := rep.Write(d); err != nil {
			t.Fatal(err)
		}
	}
	im := openTest(t, dir)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	must(os.WriteFile(filepath.Join(base, "exists"), []byte("precious"), 0o600))
	must(os.Symlink(filepath.Join(base, "nowhere"), filepath.Join(base, "dangling")))
	must(os.Symlink(dir, filepath.Join(base, "alias")))
	must(os.Symlink("/dev/null", filepath.Join(base, "l.part")))
	must(os.Mkdir(filepath.Join(base, "dir.part"), 0o700))
	must(syscall.Mkfifo(filepath.Join(base, "fifo.part"), 0o600))
	must(os.WriteFile(filepath.Join(base, "stale.part"), []byte("precious"), 0o600))
	must(os.WriteFile(filepath.Join(base, "torn.part"), nil, 0o600))
	must(os.WriteFile(filepath.Join(base, "torn.part.state"), []byte(`{"version":1,"copied":99`), 0o600))
	must(os.Link(filepath.Join(base, "exists"), filepath.Join(base, "linked.part")))
	for path, want := range map[string]string{
		"":                             "no output",
		dir + "/image":                 "inside the replica directory",
		dir + "/sub/image":             "inside the replica directory",
		other + "/image":               "inside a replica directory",
		base + "/alias/image":          "inside the replica directory",
		base + "/exists":               "exists",
		base + "/dangling":             "symbolic link",
		base + "/l":                    "symbolic link",
		base + "/dir":                  "not a plain file",
		base + "/fifo":                 "not a plain file",
		base + "/stale":                "its progress is not known",
		base + "/torn":                 "its progress is not known",
		base + "/linked":               "not a plain file",
		dir + "/volume-head-000.img":   "exists",
		base + "/replicas/../exists/.": "exists",
	} {
		_, err := im.Save(t.Context(), Output{Path: path})
		if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a refusal that says %q", path, err, want)
		}
	}
	for _, name := range []string{"exists", "stale.part"} {
		if data, err := os.ReadFile(filepath.Join(base, name)); err != nil || string(data) != "precious" {
			t.Errorf("%s was touched: %q %v", name, data, err)
		}
	}
	// No file is created where a device is expected; and progress is kept in no replica, nor in a
	// file that holds something else.
	guard := func(what string, err error, want string) {
		t.Helper()
		if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), want) || len(lab.Hints(err)) == 0 {
			t.Errorf("%s: %v, want a refusal that says %q", what, err, want)
		}
	}
	for path, want := range map[string]string{base + "/sdx": "no such block device", base + "/exists": "exists"} {
		_, err := im.Save(t.Context(), Output{Path: path, Device: true})
		guard(path, err, want)
	}
	for path, want := range map[string]string{
		dir + "/state":       "inside the replica directory",
		other + "/state":     "inside a replica directory",
		dir + "/volume.meta": "inside the replica directory",
		base + "/alias/s":    "inside the replica directory",
		base + "/exists":     "not the progress of a run",
		base + "/l.part":     "symbolic link",
	} {
		_, err := statePath(path, []string{dir})
		guard("progress in "+path, err, want)
	}
	must(os.WriteFile(filepath.Join(base, "journal"), []byte(`{"version":2,"copied":4194304}`), 0o600))
	for _, path := range []string{base + "/journal", base + "/new"} {
		if got, err := statePath(path, []string{dir}); got != path || err != nil {
			t.Errorf("progress in %s: %s %v", path, got, err)
		}
	}
	for _, name := range []string{"exists", "exists.tmp", "stale.part", "sdx"} {
		if data, err := os.ReadFile(filepath.Join(base, name)); err == nil && string(data) != "precious" {
			t.Errorf("%s was touched: %q", name, data)
		}
	}
	_, err := im.Save(t.Context(), Output{Path: filepath.Join(base, "no", "such", "dir")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	if err := im.unchanged(); err != nil {
		t.Error(err)
	}
}

// TestSavePartChanged refuses to continue a file that has become shorter than what was copied.
func TestSavePartChanged(t *testing.T) {
	rep, dir := writeTest(t, fourPieces())
	im := openTest(t, dir)
	out := filepath.Join(t.TempDir(), "image")
	full := errors.New("full")
	if _, err := im.Save(t.Context(), Output{Path: out, Workers: 1, fault: func(off int64) error {
		if off >= 2*pieceSize {
			return full
		}
		return nil
	}}); !errors.Is(err, full) {
		t.Fatal(err)
	}
	if err := os.Truncate(diskfile.PartName(out), pieceSize); err != nil {
		t.Fatal(err)
	}
	if _, err := im.Save(t.Context(), Output{Path: out}); !errors.Is(err, lab.ErrRefused) ||
		!strings.Contains(err.Error(), "although") {
		t.Errorf("continued: %v", err)
	}
	r, err := im.Save(t.Context(), Output{Path: out, Restart: true})
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, out, rep.Image(), r)
}

// TestSaveInUse refuses layers that somebody may write to.
func TestSaveInUse(t *testing.T) {
	_, dir := writeTest(t, fourPieces())
	openTest(t, dir) // a reader, this very process, does no harm
	f, err := os.OpenFile(filepath.Join(dir, "volume-snap-s0.img"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Chain(Want{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Open(t.Context())
	if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("open for writing: %v", err)
	}
	who := fmt.Sprintf("process %d", os.Getpid())
	if ws, err := d.InUse(t.Context()); err != nil || len(ws) == 0 || ws[0].Code != WarnInUse ||
		ws[0].Path != "volume-snap-s0.img" || !strings.Contains(ws[0].Text, who) {
		t.Errorf("in use: %v %v", ws, err)
	}
	if _, err := Pack(t.Context(), &bytes.Buffer{}, dir, nil); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("pack: %v", err)
	}
	m, err := syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := c.Open(t.Context()); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("mapped for writing: %v", err)
	}
	if err := syscall.Munmap(m); err != nil {
		t.Fatal(err)
	}
	if im, err := c.Open(t.Context()); err != nil {
		t.Errorf("free again: %v", err)
	} else {
		im.Close()
	}
	if ws, err := d.InUse(t.Context()); err != nil || len(ws) > 0 {
		t.Errorf("free again: %v %v", ws, err)
	}
}

// TestTwoRuns: a second run does not touch what the first is writing.
func TestTwoRuns(t *testing.T) {
	rep, dir := writeTest(t, fourPieces())
	im := openTest(t, dir)
	out := filepath.Join(t.TempDir(), "image")
	var second error
	r, err := im.Save(t.Context(), Output{Path: out, Workers: 1, fault: func(off int64) error {
		if off == pieceSize {
			_, second = im.Save(t.Context(), Output{Path: out})
			if errors.Is(second, lab.ErrRefused) {
				_, second = im.Save(t.Context(), Output{Path: out, Restart: true})
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(second, lab.ErrRefused) {
		t.Errorf("the second run: %v", second)
	}
	checkFile(t, out, rep.Image(), r)
}

// TestMemory holds what a volume of a terabyte with few extents takes.
func TestMemory(t *testing.T) {
	const tera = 1 << 40
	rep := replicatest.Replica{Sectors: tera / sectorSize, Layers: []replicatest.Layer{
		{Name: "s0", Ops: []replicatest.Op{{Off: 0, Len: 10, Seed: 1}, {Off: tera/sectorSize - 5, Len: 5, Seed: 2}}},
		{Ops: []replicatest.Op{{Off: 1 << 27, Len: 100, Seed: 3}}},
	}}
	dir := filepath.Join(t.TempDir(), "vol-0123abcd")
	if err := rep.Write(dir); err != nil {
		t.Fatal(err)
	}
	im := openTest(t, dir)
	if im.Segments() != 3 {
		t.Errorf("%d segments, want 3", im.Segments())
	}
	out := filepath.Join(t.TempDir(), "image")
	before := totalAlloc() // of all that was ever allocated, which the peak cannot exceed
	if _, err := im.Save(t.Context(), Output{Path: out}); err != nil {
		t.Fatal(err)
	}
	if n := totalAlloc() - before; n > 64<<20 {
		t.Errorf("%d bytes were allocated, want at most 64 MiB", n)
	}
	fi, err := os.Stat(out)
	if err != nil || fi.Size() != tera {
		t.Errorf("%v %v", fi, err)
	}
}

func totalAlloc() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
