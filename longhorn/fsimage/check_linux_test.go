package fsimage_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/fsimage"
)

// TestCheckExitCodes tells errors in a file system from a failure of its checker.
func TestCheckExitCodes(t *testing.T) {
	image := imageOf(t, false, "mkfs.ext4", "-q", "-F")
	bin := t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for _, c := range []struct {
		ends          string
		clean, failed bool
	}{
		{"exit 0", true, false},
		{"exit 1", false, false},
		{"exit 4", false, false},
		{"exit 12", false, false},
		{"exit 8", false, true},
		{"exit 16", false, true},
		{"exit 32", false, true},
		{"exit 128", false, true},
		{"kill -9 $$", false, true},
	} {
		script := "#!/bin/sh\necho it said so\n" + c.ends + "\n"
		if err := os.WriteFile(filepath.Join(bin, "e2fsck"), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		got, err := fsimage.Check(t.Context(), image)
		if err != nil {
			t.Errorf("%s: %v", c.ends, err)
			continue
		}
		warned := has(got.Warnings(image), fsimage.WarnNotClean)
		if got.Clean != c.clean || got.Failed != c.failed || warned != (!c.clean && !c.failed) ||
			!strings.Contains(got.Output, "it said so") {
			t.Errorf("%s: %+v", c.ends, got)
		}
	}
}

// TestCheckReplayFails judges a file system whose journal cannot be replayed by what its checker says
// then, and extracts its files without the journal.
func TestCheckReplayFails(t *testing.T) {
	image := imageOf(t, true, "mkfs.ext4", "-q", "-F")
	bin := t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for code, failed := range map[int]bool{12: false, 8: true} {
		script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *journal_only*) echo cannot; exit %d;; esac\n", code)
		if err := os.WriteFile(filepath.Join(bin, "e2fsck"), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		c, err := fsimage.Check(t.Context(), image)
		if err != nil || c.Clean || c.Failed != failed || !strings.Contains(c.Output, "could not be replayed") {
			t.Errorf("%d: %+v %v", code, c, err)
		}
		x, err := fsimage.Extract(t.Context(), image, filepath.Join(t.TempDir(), "out"), fsimage.Extraction{})
		if err != nil || x.Replayed || !has(x.Warnings, fsimage.WarnNotReplayed) {
			t.Errorf("%d: %+v %v", code, x, err)
		}
		if left, _ := filepath.Glob(image + ".replay"); len(left) != 0 {
			t.Errorf("left %v", left)
		}
	}
}

// TestCheckOrphanFile finds no fault in a file system that was cut off while a file was open that has
// no name any more, whichever way it keeps such files.
func TestCheckOrphanFile(t *testing.T) {
	tool := mkfsTool(t, "mkfs.ext4")
	for _, feature := range []string{"orphan_file", "^orphan_file"} {
		dir := t.TempDir()
		script := `set -e
truncate -s 64M disk; mkdir mnt
"$0" -q -F -O "$1" -E lazy_itable_init=0,lazy_journal_init=0 disk
mount -o loop disk mnt
trap 'exec 5>&-; umount mnt' EXIT
exec 5>mnt/gone; echo x >&5; rm mnt/gone; echo kept >mnt/kept; sync mnt/kept; sync -f mnt
cp --sparse=always disk cut`
		cmd := exec.Command("sh", "-c", script, tool, feature)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			real.Missing(t, fmt.Sprintf("ext4 with %s: %v: %s", feature, err, out))
		}
		c, err := fsimage.Check(t.Context(), filepath.Join(dir, "cut"))
		if err != nil || !c.Clean || !c.Replayed {
			t.Errorf("%s: %+v %v", feature, c, err)
		}
	}
}

// TestIdentifyEmpty calls a volume empty whose every byte is zero, not only the first ones.
func TestIdentifyEmpty(t *testing.T) {
	for name, c := range map[string]struct {
		size, data int64 // data: where a byte is; -1 for none
		want       string
	}{
		"short":        {1 << 10, -1, "empty"},
		"zeros":        {300 << 20, -1, "empty"},
		"at the end":   {300 << 20, 300<<20 - 1, ""},
		"in between":   {300 << 20, 68<<10 + 1, ""},
		"second chunk": {3 << 20, 2 << 20, ""},
	} {
		f, err := os.Create(filepath.Join(t.TempDir(), "image"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := f.Truncate(c.size); err != nil {
			t.Fatal(err)
		}
		if c.data >= 0 {
			if _, err := f.WriteAt([]byte{1}, c.data); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := fsimage.Identify(f); err != nil || got.Type != c.want {
			t.Errorf("%s: %q %v, want %q", name, got.Type, err, c.want)
		}
	}
}
