package replica_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica/replicatest"
)

// TestFileSystems runs the random chains on other file systems, with the output beside the replica,
// so that blocks are shared where they can be.
func TestFileSystems(t *testing.T) {
	for _, mkfs := range [][]string{
		{"mkfs.ext4", "-q", "-F"},
		{"mkfs.ext4", "-q", "-F", "-b", "1024"},
		{"mkfs.xfs", "-q"},
		{"mkfs.btrfs", "-q"},
	} {
		t.Run(strings.Join(mkfs, " "), func(t *testing.T) {
			dir := loopMount(t, 600<<20, mkfs...)
			t.Run("chains", func(t *testing.T) {
				checkChains(t, func() string { return dir }, *seed, *chains)
			})
			t.Run("method", func(t *testing.T) {
				d := filepath.Join(dir, "method", "vol-0123abcd")
				rep := replicatest.Replica{Sectors: 600, Layers: []replicatest.Layer{
					{Name: "s0", Ops: []replicatest.Op{{Off: 0, Len: 500, Seed: 1}}},
					{Ops: []replicatest.Op{{Off: 3, Len: 7, Seed: 2}}},
				}}
				if err := rep.Write(d); err != nil {
					t.Fatal(err)
				}
				res, err := open(t, d, replica.Want{}).Save(t.Context(),
					replica.Output{Path: filepath.Join(dir, "image")})
				if err != nil {
					t.Fatal(err)
				}
				want := replica.ReadWrite
				if mkfs[0] != "mkfs.ext4" {
					want = replica.Clone
				}
				if res.Method != want || res.Tree != replica.TreeSum(rep.Image()) {
					t.Errorf("method %q, want %q; hash %s", res.Method, want, res.Tree)
				}
			})
			t.Run("pack", func(t *testing.T) { packs(t, dir) })
		})
	}
}

// packs packs replicas with all features on the file system that holds dir, and unpacks them there.
func packs(t *testing.T, dir string) {
	t.Helper()
	rep := replicatest.Replica{Sectors: 300, Head: 3, Counter: 7, Crash: replicatest.SnapshotLinked,
		Layers: []replicatest.Layer{
			{Name: "s0", Ops: []replicatest.Op{{Off: 0, Len: 200, Seed: 1}}},
			{Name: "s1", Removed: true, Ops: []replicatest.Op{{Kind: replicatest.Zeros, Off: 10, Len: 5},
				{Kind: replicatest.Reserve, Off: 50, Len: 9}}},
			{Ops: []replicatest.Op{{Off: 100, Len: 3, Seed: 2}, {Kind: replicatest.Reserve, Off: 290, Len: 4}}},
		}}
	src, dst := filepath.Join(dir, "pack", "vol-0123abcd"), filepath.Join(dir, "unpacked", "vol-0123abcd")
	if err := errors.Join(rep.Write(src), os.Mkdir(filepath.Dir(dst), 0o700),
		os.Chmod(filepath.Join(src, "volume.meta"), 0o640)); err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	packed, err := replica.Pack(t.Context(), &stream, src, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole := bytes.Clone(stream.Bytes())
	unpacked, err := replica.Unpack(t.Context(), &stream, dst)
	if err != nil {
		t.Fatal(err)
	}
	if packed.Files != unpacked.Files || packed.Bytes != unpacked.Bytes || packed.Stream != unpacked.Stream {
		t.Errorf("packed %+v, unpacked %+v", packed, unpacked)
	}
	// Extents with their kind, times, modes, owners, links: all of it is in the stream.
	if !bytes.Equal(repack(t, dst).Bytes(), whole) {
		t.Error("what was unpacked packs to another stream")
	}
	got := make([]byte, 300*replicatest.Sector)
	im := open(t, dst, replica.Want{})
	if _, err := im.ReadAt(got, 0); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, rep.Image()) {
		t.Error("the unpacked replica has another image")
	}
}

func repack(t *testing.T, dir string) *bytes.Buffer {
	t.Helper()
	var stream bytes.Buffer
	if _, err := replica.Pack(t.Context(), &stream, dir, nil); err != nil {
		t.Fatal(err)
	}
	return &stream
}

// TestPack packs and unpacks on the temporary directory's file system.
func TestPack(t *testing.T) {
	needExtents(t, t.TempDir())
	packs(t, t.TempDir())
}

// TestUnpackDamaged cuts the stream off at many places and flips bits in it: it is refused, and
// nothing is left.
func TestUnpackDamaged(t *testing.T) {
	needExtents(t, t.TempDir())
	src := write(t, replicatest.Replica{Sectors: 20, Counter: 1, Layers: []replicatest.Layer{
		{Name: "s0", Ops: []replicatest.Op{{Off: 1, Len: 2, Seed: 1}}},
		{Ops: []replicatest.Op{{Kind: replicatest.Reserve, Off: 5, Len: 1}}},
	}})
	whole := repack(t, src).Bytes()
	dir := t.TempDir()
	try := func(what string, stream []byte) {
		t.Helper()
		_, err := replica.Unpack(t.Context(), bytes.NewReader(stream), filepath.Join(dir, "out"))
		if !errors.Is(err, lab.ErrInvalid) || len(lab.Hints(err)) == 0 {
			t.Errorf("%s: %v", what, err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Fatalf("%s: left %v", what, left)
		}
	}
	step := 1 + len(whole)/150
	for n := 0; n < len(whole); n += step {
		try(fmt.Sprintf("cut off at %d", n), whole[:n])
	}
	try("cut off before the last byte", whole[:len(whole)-1])
	for n := 0; n < len(whole); n += step {
		flipped := slices.Clone(whole)
		flipped[n] ^= 1 << (n % 8)
		try(fmt.Sprintf("bit flipped in byte %d of %d", n, len(whole)), flipped)
	}
	try("something follows", append(slices.Clone(whole), 'x'))
	if _, err := replica.Unpack(t.Context(), bytes.NewReader(whole), filepath.Join(dir, "out")); err != nil {
		t.Errorf("the whole stream: %v", err)
	}
	_, err := replica.Unpack(t.Context(), bytes.NewReader(whole), filepath.Join(dir, "out"))
	if !errors.Is(err, lab.ErrRefused) {
		t.Errorf("over what exists: %v", err)
	}
	_, err = replica.Unpack(t.Context(), bytes.NewReader(whole), filepath.Join(src, "out"))
	if !errors.Is(err, lab.ErrRefused) {
		t.Errorf("inside a replica: %v", err)
	}
}

// TestPackRefuses what a stream cannot hold.
func TestPackRefuses(t *testing.T) {
	needExtents(t, t.TempDir())
	dir := write(t, replicatest.Replica{Sectors: 4, Layers: []replicatest.Layer{{}}})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	_, err := replica.Pack(t.Context(), io.Discard, dir, nil)
	refused(t, err, "not a regular file")
}

// TestFullDisk writes to a file system that is too small, which a guard refuses, and to one that
// becomes full.
func TestFullDisk(t *testing.T) {
	needExtents(t, t.TempDir())
	small := loopMount(t, 8<<20, "mkfs.ext4", "-q", "-F", "-O", "^has_journal")
	dir := write(t, replicatest.Replica{Sectors: 8192, Layers: []replicatest.Layer{
		{Ops: []replicatest.Op{{Len: 8192, Seed: 1}}},
	}})
	im := open(t, dir, replica.Want{})
	_, err := im.Save(t.Context(), replica.Output{Path: filepath.Join(small, "image")})
	refused(t, err, "are needed")
	if left, _ := filepath.Glob(filepath.Join(small, "image*")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	stream := repack(t, dir)
	_, err = replica.Unpack(t.Context(), stream, filepath.Join(small, "vol"))
	if !errors.Is(err, syscall.ENOSPC) || len(lab.Hints(err)) == 0 {
		t.Errorf("unpack: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(small, "vol*")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// TestTmpfs: without FIEMAP, what SEEK_DATA says is used only where it is proved complete.
func TestTmpfs(t *testing.T) {
	if os.Geteuid() != 0 {
		real.Missing(t, "root, to mount tmpfs")
	}
	mount := func(options string) string {
		dir := filepath.Join(t.TempDir(), "tmp")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
			real.Missing(t, "a tmpfs mount: "+err.Error())
		}
		t.Cleanup(func() { syscall.Unmount(dir, 0) })
		return dir
	}
	rep := replicatest.Replica{Sectors: 40, Layers: []replicatest.Layer{
		{Name: "s0", Ops: []replicatest.Op{{Off: 0, Len: 30, Seed: 1}}},
		{Ops: []replicatest.Op{{Off: 7, Len: 3, Seed: 2}, {Kind: replicatest.Zeros, Off: 20, Len: 2},
			{Kind: replicatest.Punch, Off: 8, Len: 1}}},
	}}
	opened := func(dir string) (*replica.Image, error) {
		d, err := replica.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		c, err := d.Chain(replica.Want{})
		if err != nil {
			t.Fatal(err)
		}
		return c.Open(t.Context())
	}
	dir := filepath.Join(mount("size=64m"), "vol")
	if err := rep.Write(dir); err != nil {
		real.Missing(t, "a tmpfs that holds a replica: "+err.Error())
	}
	im, err := opened(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	got := make([]byte, im.Size())
	if _, err := im.ReadAt(got, 0); err != nil || !bytes.Equal(got, rep.Image()) {
		t.Errorf("the image is wrong (%v)", err)
	}
	if !has(im.Warnings, replica.WarnExtentsBySeek) {
		t.Errorf("no warning: %v", im.Warnings)
	}
	t.Run("preallocated", func(t *testing.T) {
		dir := filepath.Join(mount("size=64m"), "vol")
		bare := replicatest.Replica{Sectors: 40, Layers: []replicatest.Layer{{Name: "s0", Ops: rep.Layers[0].Ops}, {}}}
		if err := bare.Write(dir); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(filepath.Join(dir, "volume-head-000.img"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		err = syscall.Fallocate(int(f.Fd()), 0, 5*replicatest.Sector, replicatest.Sector)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		_, err = opened(dir)
		refused(t, err, "SEEK_DATA sees")
	})
	t.Run("huge pages", func(t *testing.T) {
		dir := filepath.Join(mount("size=64m,huge=always"), "vol")
		if err := rep.Write(dir); err != nil {
			t.Fatal(err)
		}
		_, err := opened(dir)
		refused(t, err, "huge pages")
	})
}

// TestDevice writes onto a block device, which is guarded, and in which holes are zeroed.
func TestDevice(t *testing.T) {
	needExtents(t, t.TempDir())
	if os.Geteuid() != 0 {
		real.Missing(t, "root, for a loop device")
	}
	loop := func(size int64) string {
		disk := filepath.Join(t.TempDir(), "disk")
		if err := os.WriteFile(disk, bytes.Repeat([]byte{0xff}, int(size)), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("losetup", "--find", "--show", disk).Output()
		if err != nil {
			real.Missing(t, "a loop device")
		}
		device := strings.TrimSpace(string(out))
		t.Cleanup(func() { exec.Command("losetup", "-d", device).Run() })
		return device
	}
	rep := replicatest.Replica{Sectors: 1024, Layers: []replicatest.Layer{
		{Name: "s0", Ops: []replicatest.Op{{Off: 0, Len: 30, Seed: 1}, {Off: 600, Len: 300, Seed: 4}}},
		{Ops: []replicatest.Op{{Off: 7, Len: 3, Seed: 2}, {Kind: replicatest.Zeros, Off: 20, Len: 2}}},
	}}
	im := open(t, write(t, rep), replica.Want{})
	device := loop(5 << 20)
	_, err := im.Save(t.Context(), replica.Output{Path: device})
	refused(t, err, "block device")
	_, err = im.Save(t.Context(), replica.Output{Path: loop(1 << 20), Device: true})
	refused(t, err, "the device has 1048576 bytes")
	link := filepath.Join(t.TempDir(), "by-id")
	if err := os.Symlink(device, link); err != nil {
		t.Fatal(err)
	}
	res, err := im.Save(t.Context(), replica.Output{Path: link, Device: true,
		State: filepath.Join(t.TempDir(), "state")})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(device)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := make([]byte, 5<<20)
	if _, err := io.ReadFull(f, got); err != nil {
		t.Fatal(err)
	}
	want := rep.Image()
	if !bytes.Equal(got[:len(want)], want) || res.Tree != replica.TreeSum(want) {
		t.Error("the device's content is wrong")
	}
	if got[len(want)] != 0xff {
		t.Error("what is behind the volume was changed")
	}
	mounted := loop(16 << 20)
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", mounted).CombinedOutput(); err != nil {
		real.Missing(t, "mkfs.ext4: "+string(out))
	}
	mnt := t.TempDir()
	if out, err := exec.Command("mount", mounted, mnt).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	defer unmount(mnt)
	_, err = im.Save(t.Context(), replica.Output{Path: mounted, Device: true})
	refused(t, err, "in use: mounted on "+mnt)
}

// TestOverlay: overlayfs passes FIEMAP on to the file system below.
func TestOverlay(t *testing.T) {
	needExtents(t, t.TempDir())
	if os.Geteuid() != 0 {
		real.Missing(t, "root, to mount overlayfs")
	}
	base := t.TempDir()
	for _, d := range []string{"lower", "upper", "work", "mnt"} {
		if err := os.Mkdir(filepath.Join(base, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mnt := filepath.Join(base, "mnt")
	options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", base)
	if err := syscall.Mount("overlay", mnt, "overlay", 0, options); err != nil {
		real.Missing(t, "an overlay mount: "+err.Error())
	}
	t.Cleanup(func() { syscall.Unmount(mnt, 0) })
	checkChains(t, func() string { return mnt }, *seed, 64)
}
