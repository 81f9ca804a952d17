package fsimage_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/fsimage"
)

// imageOf makes a file system with files of all kinds, and returns an image of it: after it was
// unmounted, or as a power cut leaves it, with a journal that holds what is not in place yet.
func imageOf(t *testing.T, cut bool, mkfs ...string) string {
	t.Helper()
	tool := mkfsTool(t, mkfs[0])
	base := t.TempDir()
	image, mnt := filepath.Join(base, "disk"), filepath.Join(base, "mnt")
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v: %s", name, args, err, out)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if mkfs[0] == "mkfs.ext4" { // otherwise the kernel still writes the file system while it is copied
		mkfs = append(mkfs, "-E", "lazy_itable_init=0,lazy_journal_init=0")
	}
	must(os.WriteFile(image, nil, 0o600))
	must(os.Truncate(image, 400<<20))
	must(os.Mkdir(mnt, 0o700))
	run(tool, append(mkfs[1:], image)...)
	if out, err := exec.Command("mount", "-o", "loop", image, mnt).CombinedOutput(); err != nil {
		real.Missing(t, "a loop mount: "+string(out))
	}
	mounted := true
	defer func() {
		if mounted {
			unmount(mnt)
		}
	}()
	at := func(name string) string { return filepath.Join(mnt, name) }
	must(os.MkdirAll(at("dir/deep"), 0o755))
	must(os.WriteFile(at("dir/file"), []byte("content\n"), 0o640))
	must(os.Chown(at("dir/file"), 1234, 56789))
	must(unix.Setxattr(at("dir/file"), "user.note", []byte("a\x00b"), 0))
	must(unix.Setxattr(at("dir/file"), "user.long", bytes.Repeat([]byte("x"), 200), 0))
	must(os.Link(at("dir/file"), at("dir/deep/same")))
	must(os.Symlink("../../../../etc/passwd", at("dir/link")))
	must(os.Symlink(strings.Repeat("long/", 40), at("longlink")))
	must(unix.Mkfifo(at("fifo"), 0o600))
	must(unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(os.Chmod(at("null"), 0o666))
	must(os.WriteFile(at("setuid"), nil, 0o755))
	must(os.Chmod(at("setuid"), 0o755|os.ModeSetuid))
	must(os.WriteFile(at("a name\twith \\ 'all' \"of\" it: ü\xff"), []byte("x"), 0o600))
	must(os.WriteFile(at("sparse"), []byte("begin"), 0o600))
	must(os.Truncate(at("sparse"), 10<<20))
	must(os.Chmod(at("dir"), 0o701))
	if cut {
		f, err := os.Open(mnt)
		must(err)
		must(unix.Syncfs(int(f.Fd()))) // the journal is written; what it says is not all in place
		f.Close()
		must(os.WriteFile(at("late"), []byte("late\n"), 0o600))
		f, err = os.Open(at("late"))
		must(err)
		must(f.Sync())
		f.Close()
		run("cp", "--sparse=always", image, image+".cut")
	}
	must(unmount(mnt))
	mounted = false
	if cut {
		return image + ".cut"
	}
	return image
}

// TestExtract copies files of all kinds out of images, by each way.
func TestExtract(t *testing.T) {
	for _, c := range []struct {
		mkfs    []string
		noMount bool
		cut     bool
	}{
		{mkfs: []string{"mkfs.ext4", "-q", "-F"}},
		{mkfs: []string{"mkfs.ext4", "-q", "-F"}, noMount: true},
		{mkfs: []string{"mkfs.ext4", "-q", "-F"}, cut: true},
		{mkfs: []string{"mkfs.ext4", "-q", "-F"}, cut: true, noMount: true},
		{mkfs: []string{"mkfs.ext2", "-q", "-F"}},
		{mkfs: []string{"mkfs.xfs", "-q"}},
		{mkfs: []string{"mkfs.xfs", "-q"}, cut: true},
		{mkfs: []string{"mkfs.btrfs", "-q"}},
	} {
		t.Run(fmt.Sprintf("%s/nomount=%v/cut=%v", c.mkfs[0], c.noMount, c.cut), func(t *testing.T) {
			image := imageOf(t, c.cut, c.mkfs...)
			before := fileSum(t, image)
			check, err := fsimage.Check(t.Context(), image)
			if err != nil {
				t.Fatal(err)
			}
			if check.Tool != "" && (!check.Clean || check.Replayed != c.cut) {
				t.Errorf("check: clean %v, replayed %v:\n%s", check.Clean, check.Replayed, check.Output)
			}
			out := filepath.Join(t.TempDir(), "out")
			found := map[string]fsimage.File{}
			x, err := fsimage.Extract(t.Context(), image, out,
				fsimage.Extraction{NoMount: c.noMount, Found: func(f fsimage.File) { found[f.Path] = f }})
			if err != nil {
				t.Fatal(err)
			}
			if x.Replayed != c.cut || (x.Method == "debugfs") != c.noMount || len(x.Warnings) != 0 {
				t.Errorf("%+v", x)
			}
			if after := fileSum(t, image); after != before {
				t.Error("the image changed")
			}
			if left, _ := filepath.Glob(image + ".*"); len(left) != 0 {
				t.Errorf("left %v", left)
			}
			checkTree(t, out, found)
			if c.cut {
				if data, err := os.ReadFile(filepath.Join(out, "late")); err != nil || string(data) != "late\n" {
					t.Errorf("what the journal held: %q %v", data, err)
				}
			}
		})
	}
}

// TestCheckBesideOriginal replays the log of an XFS image while the file system that it is a copy
// of, of the same UUID, is mounted.
func TestCheckBesideOriginal(t *testing.T) {
	image := imageOf(t, true, "mkfs.xfs", "-q")
	mnt := t.TempDir()
	original := strings.TrimSuffix(image, ".cut")
	if out, err := exec.Command("mount", "-o", "loop", original, mnt).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	defer unmount(mnt)
	c, err := fsimage.Check(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	if c.Tool == "" {
		real.Missing(t, "xfs_repair")
	}
	if !c.Clean || !c.Replayed {
		t.Errorf("clean %v, replayed %v:\n%s", c.Clean, c.Replayed, c.Output)
	}
}

func checkTree(t *testing.T, out string, found map[string]fsimage.File) {
	t.Helper()
	stat := func(name string) (st unix.Stat_t) {
		t.Helper()
		if err := unix.Lstat(filepath.Join(out, name), &st); err != nil {
			t.Fatal(name, err)
		}
		return st
	}
	file := stat("dir/file")
	if file.Uid != 1234 || file.Gid != 56789 || file.Mode&0o7777 != 0o640 || file.Nlink != 2 ||
		file.Ino != stat("dir/deep/same").Ino {
		t.Errorf("dir/file: %+v", file)
	}
	for name, want := range map[string]string{"user.note": "a\x00b", "user.long": strings.Repeat("x", 200)} {
		value := make([]byte, 1000)
		n, err := unix.Getxattr(filepath.Join(out, "dir/file"), name, value)
		if err != nil || string(value[:n]) != want {
			t.Errorf("%s is %q %v", name, value[:max(n, 0)], err)
		}
	}
	names := 0
	for path := range found {
		f := found[path]
		if f.Type == "file" && f.SHA256 == "" {
			t.Errorf("%q has no hash", path)
		}
		if strings.HasPrefix(path, "a name\twith") {
			names++
			if data, err := os.ReadFile(filepath.Join(out, path)); err != nil || string(data) != "x" {
				t.Errorf("%q: %q %v", path, data, err)
			}
		}
	}
	if names != 1 {
		t.Errorf("the odd name came %d times", names)
	}
	if target, err := os.Readlink(filepath.Join(out, "dir/link")); err != nil || target != "../../../../etc/passwd" {
		t.Errorf("dir/link: %q %v", target, err)
	}
	if target, err := os.Readlink(filepath.Join(out, "longlink")); err != nil || target != strings.Repeat("long/", 40) {
		t.Errorf("longlink: %q %v", target, err)
	}
	if st := stat("fifo"); st.Mode&unix.S_IFMT != unix.S_IFIFO {
		t.Errorf("fifo: %o", st.Mode)
	}
	if st := stat("null"); st.Mode != unix.S_IFCHR|0o666 || st.Rdev != unix.Mkdev(1, 3) {
		t.Errorf("null: %o %d", st.Mode, st.Rdev)
	}
	if st := stat("setuid"); st.Mode&0o7777 != 0o4755 {
		t.Errorf("setuid: %o", st.Mode)
	}
	if st := stat("dir"); st.Mode&0o7777 != 0o701 {
		t.Errorf("dir: %o", st.Mode)
	}
	if st := stat("sparse"); st.Size != 10<<20 || st.Blocks > 64 {
		t.Errorf("sparse: %d bytes in %d blocks", st.Size, st.Blocks)
	}
	if want := hexSum(append([]byte("begin"), make([]byte, 10<<20-5)...)); found["sparse"].SHA256 != want {
		t.Errorf("sparse: %s, want %s", found["sparse"].SHA256, want)
	}
	names = 0
	for _, path := range []string{"dir/file", "dir/deep/same"} { // one of them is listed as a link to the other
		f := found[path]
		if f.Type == "file" {
			names++
		}
		if f.UID != 1234 || string(f.Xattrs["user.note"]) != "a\x00b" || !f.Mtime.Equal(timeOf(file)) {
			t.Errorf("%s is listed as %+v", path, f)
		}
	}
	if names != 1 {
		t.Errorf("a file with two names is listed as %d files", names)
	}
}

// TestExtractRefuses images that hold no files, and places where they may not be written.
func TestExtractRefuses(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "luks", "LUKS\xba\xbe"+strings.Repeat("x", 5000))
	put(t, dir, "empty", strings.Repeat("\x00", 5000))
	put(t, dir, "noise", strings.Repeat("noise", 1000))
	put(t, dir, "gpt", strings.Repeat("\x00", 512)+"EFI PART"+strings.Repeat("\x00", 5000))
	extract := func(image, out string) error {
		_, err := fsimage.Extract(t.Context(), filepath.Join(dir, image), filepath.Join(dir, out), fsimage.Extraction{})
		return err
	}
	for name, want := range map[string]string{
		"luks": "an encrypted container", "empty": "zeros", "noise": "nothing that is known", "gpt": "a partitioned disk",
	} {
		err := extract(name, "out")
		if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	refused(t, extract("noise", "luks"), "exists")
	if err := extract("never", "out"); !errors.Is(err, lab.ErrNotFound) {
		t.Errorf("no image: %v", err)
	}
	c, err := fsimage.Check(t.Context(), filepath.Join(dir, "noise"))
	if err != nil || !has(c.Warnings("noise"), fsimage.WarnNotChecked) {
		t.Errorf("check of noise: %+v %v", c, err)
	}
}

// TestCheckFindsErrors in a file system that is damaged.
func TestCheckFindsErrors(t *testing.T) {
	image := imageOf(t, false, "mkfs.ext4", "-q", "-F")
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	// The block of the first group's inodes: the root directory among them.
	for off := int64(1 << 12); off < 1<<20; off += 1 << 12 {
		p := make([]byte, 1<<12)
		if _, err := f.ReadAt(p, off); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if bytes.Contains(p, []byte("\xed\x41\x00\x00")) { // drwxr-xr-x of root
			if _, err := f.WriteAt(make([]byte, 1<<12), off); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.Close()
	c, err := fsimage.Check(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	if c.Tool == "" {
		real.Missing(t, "e2fsck")
	}
	if c.Clean || !has(c.Warnings(image), fsimage.WarnNotClean) {
		t.Errorf("clean %v:\n%s", c.Clean, c.Output)
	}
}

// TestExtractSubvolumes has files with several names in two subvolumes of btrfs, which number their
// inodes alike.
func TestExtractSubvolumes(t *testing.T) {
	mkfs, tool := mkfsTool(t, "mkfs.btrfs"), mkfsTool(t, "btrfs")
	base := t.TempDir()
	image, mnt, out := filepath.Join(base, "disk"), filepath.Join(base, "mnt"), filepath.Join(base, "out")
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v: %s", name, args, err, out)
		}
	}
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 200<<20),
		os.Mkdir(mnt, 0o700)); err != nil {
		t.Fatal(err)
	}
	run(mkfs, "-q", image)
	if out, err := exec.Command("mount", "-o", "loop", image, mnt).CombinedOutput(); err != nil {
		real.Missing(t, "a loop mount of btrfs: "+string(out))
	}
	for _, name := range []string{"a", "b"} {
		sub := filepath.Join(mnt, name)
		if text, err := exec.Command(tool, "subvolume", "create", sub).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, text)
			continue
		}
		file, same := filepath.Join(sub, "file"), filepath.Join(sub, "same")
		if err := errors.Join(os.WriteFile(file, []byte(name), 0o600), os.Link(file, same)); err != nil {
			t.Error(err)
		}
	}
	if err := unmount(mnt); err != nil {
		t.Fatal(err)
	}
	if _, err := fsimage.Extract(t.Context(), image, out, fsimage.Extraction{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		for _, file := range []string{"file", "same"} {
			if got, err := os.ReadFile(filepath.Join(out, name, file)); err != nil || string(got) != name {
				t.Errorf("%s/%s holds %q, %v", name, file, got, err)
			}
		}
	}
}

// TestExtractOddLinks extracts symbolic links whose targets look like what debugfs prints.
func TestExtractOddLinks(t *testing.T) {
	mkfs := mkfsTool(t, "mkfs.ext4")
	base := t.TempDir()
	image, src := filepath.Join(base, "disk"), filepath.Join(base, "src")
	if err := errors.Join(os.Mkdir(src, 0o700), os.WriteFile(image, nil, 0o600),
		os.Truncate(image, 16<<20)); err != nil {
		t.Fatal(err)
	}
	targets := map[string]string{
		"lines": "new\nline", "quoted": `"quoted"`, "quote": `"`, "long": strings.Repeat("l", 200),
		"attribute": "a\nExtended attributes:\n  user.z (3)\nLinks: 9", "again": "\nFast link dest: \"x\"\n",
	}
	for name, target := range targets {
		if err := os.Symlink(target, filepath.Join(src, name)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(mkfs, "-q", "-F", "-d", src, image).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, noMount := range []bool{false, true} {
		out := filepath.Join(base, fmt.Sprint("out-", noMount))
		x, err := fsimage.Extract(t.Context(), image, out, fsimage.Extraction{NoMount: noMount})
		if err != nil {
			t.Fatal(err)
		}
		if len(x.Warnings) > 0 {
			t.Errorf("warnings: %v", x.Warnings)
		}
		for name, want := range targets {
			if got, err := os.Readlink(filepath.Join(out, name)); err != nil || got != want {
				t.Errorf("without a mount %v: %s leads to %q, %v; want %q", noMount, name, got, err, want)
			}
		}
	}
}

// TestImageNames has images whose names are not those of plain files, or look like options.
func TestImageNames(t *testing.T) {
	mkfs := mkfsTool(t, "mkfs.ext4")
	t.Chdir(t.TempDir())
	const image = "-x image"
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 16<<20),
		unix.Mkfifo("pipe", 0o600)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(mkfs, "-q", "-F", "./"+image).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if c, err := fsimage.Check(t.Context(), image); err != nil || c.Tool == "" || !c.Clean {
		t.Errorf("%+v, %v", c, err)
	}
	for _, noMount := range []bool{false, true} {
		out := fmt.Sprint("out-", noMount)
		if _, err := fsimage.Extract(t.Context(), image, out, fsimage.Extraction{NoMount: noMount}); err != nil {
			t.Error(err)
		}
	}
	if _, err := fsimage.Check(t.Context(), "pipe"); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("a pipe: %v", err)
	}
}
