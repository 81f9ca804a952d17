package replica_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/fsimage"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

// TestFixtures merges every set that the real engine wrote, and compares the result with what the
// engine returned.
func TestFixtures(t *testing.T) {
	needExtents(t, t.TempDir())
	for name, sum := range expected(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			paths := fixture(t, name, dir)
			all := pathsUnder(t, dir)
			before := snapshot(t, all)
			dirs, err := replica.ReadAll(paths)
			if err != nil {
				t.Fatal(err)
			}
			ranking, err := replica.Rank(t.Context(), dirs, replica.Want{}, replica.RankOptions{})
			if err != nil {
				t.Fatal(err)
			}
			best := ranking.Best()
			if best == nil {
				t.Fatal(ranking.Err())
			}
			if best.Name() != "r1" {
				t.Errorf("chose %s, not r1", best.Name())
			}
			for _, m := range []replica.Method{replica.Auto, replica.ReadWrite} {
				im, err := best.Chain.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				out := filepath.Join(t.TempDir(), "image")
				res, err := im.Save(t.Context(), replica.Output{Path: out, Method: m, Hash: replica.SHA256})
				im.Close()
				if err != nil {
					t.Fatal(err)
				}
				data, err := os.ReadFile(out)
				if err != nil {
					t.Fatal(err)
				}
				if res.SHA256 != sum || hexSum(data) != sum {
					t.Errorf("method %q: said %s, is %s, want %s", m, res.SHA256, hexSum(data), sum)
				}
			}
			if after := snapshot(t, all); after != before {
				t.Errorf("the replica directories changed:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// TestFixtureStates says what becomes of each replica that is not the best of its set.
func TestFixtureStates(t *testing.T) {
	needExtents(t, t.TempDir())
	for _, c := range []struct {
		set, dir string
		want     replica.Want
		refused  string         // empty: it merges to the set's expected image
		codes    []replica.Code // and warns of these
	}{
		{set: "diverged", dir: "r2"},
		{set: "meta-empty", dir: "r2", codes: []replica.Code{replica.WarnVolumeMetaLost, replica.WarnSizeInferred}},
		{set: "meta-empty", dir: "r3", codes: []replica.Code{replica.WarnMetaLost, replica.WarnParentInferred}},
		{set: "rebuild-half", dir: "r2", refused: "being rebuilt"},
		{set: "crash-snap-rename2", dir: "r1", codes: []replica.Code{replica.WarnExtraHead, replica.WarnTemporary}},
		{set: "crash-snap-rename2", dir: "r1", want: replica.Want{Snapshot: "s2"}},
		{set: "crash-snap-rename2", dir: "r1", want: replica.Want{Snapshot: "volume-head-002.img"}},
		{set: "backing-raw", dir: "r1", codes: []replica.Code{replica.WarnBackingRemapped}},
		{set: "backing-raw", dir: "r1", want: replica.Want{NoBacking: true}, refused: "has a backing file"},
		{set: "unmap", dir: "r1", want: replica.Want{Backing: "x"}, refused: "no backing file"},
	} {
		t.Run(c.set+"/"+c.dir+"/"+c.want.Snapshot, func(t *testing.T) {
			dir := t.TempDir()
			fixture(t, c.set, dir)
			d, err := replica.Read(filepath.Join(dir, c.dir))
			if err != nil {
				t.Fatal(err)
			}
			chain, err := d.Chain(c.want)
			if c.refused != "" {
				refused(t, err, c.refused)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, code := range c.codes {
				if !has(chain.Warnings, code) {
					t.Errorf("no warning %s in %v", code, chain.Warnings)
				}
			}
			im, err := chain.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer im.Close()
			data := make([]byte, im.Size())
			if _, err := im.ReadAt(data, 0); err != nil {
				t.Fatal(err)
			}
			if got, want := hexSum(data), expected(t)[c.set]; got != want {
				t.Errorf("image %s, want %s", got, want)
			}
		})
	}
}

// TestFixtureFiles copies the files out of the merged ext4-chain, by a mount and by debugfs, and
// compares their hashes.
func TestFixtureFiles(t *testing.T) {
	needExtents(t, t.TempDir())
	dir := t.TempDir()
	im := open(t, fixture(t, "ext4-chain", dir)[0], replica.Want{})
	image := filepath.Join(dir, "image")
	if _, err := im.Save(t.Context(), replica.Output{Path: image}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	f, err := os.Open(filepath.Join("testdata", "fixtures", "ext4-chain.files.sha256"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		sum, name, _ := strings.Cut(s.Text(), "  ")
		want[strings.TrimPrefix(name, "./")] = sum
	}
	for _, method := range []string{"mount", "debugfs"} {
		t.Run(method, func(t *testing.T) {
			if method == "mount" && os.Geteuid() != 0 {
				real.Missing(t, "root, to mount an image")
			}
			if _, err := exec.LookPath("/usr/sbin/debugfs"); err != nil && method == "debugfs" {
				real.Missing(t, "debugfs (e2fsprogs)")
			}
			got := map[string]string{}
			out := filepath.Join(t.TempDir(), "files")
			x, err := fsimage.Extract(t.Context(), image, out,
				fsimage.Extraction{NoMount: method == "debugfs", Found: func(f fsimage.File) {
					if f.Type == "file" {
						got[f.Path] = f.SHA256
					}
				}})
			if err != nil {
				t.Fatal(err)
			}
			if x.Method != method {
				t.Errorf("by %s, want %s", x.Method, method)
			}
			for name, sum := range want {
				data, err := os.ReadFile(filepath.Join(out, name))
				if err != nil {
					t.Error(err)
				} else if got[name] != sum || hexSum(data) != sum {
					t.Errorf("%s: said %s, is %s, want %s", name, got[name], hexSum(data), sum)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d files, want %d", len(got), len(want))
			}
		})
	}
}

// pathsUnder lists everything under dir, and resets the directories' access times, so that the next
// listing would show.
func pathsUnder(t testing.TB, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if fi, err := os.Stat(path); err == nil && fi.IsDir() {
			if err := os.Chtimes(path, fi.ModTime().Add(-time.Hour), fi.ModTime()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return paths
}

// snapshot says of each path what must not change: modes, owners, sizes, blocks, all times, content.
func snapshot(t testing.TB, paths []string) string {
	t.Helper()
	var b strings.Builder
	for _, path := range paths {
		fmt.Fprintf(&b, "%s %s", path, statLine(t, path))
		if fi, err := os.Lstat(path); err == nil && fi.Mode().IsRegular() {
			b.WriteString(" " + contentSum(t, path))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
