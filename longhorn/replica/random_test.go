package replica_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica/replicatest"
)

var (
	chains = flag.Int("chains", 500, "random chains on the temporary directory's file system, and on each loop mount")
	seed   = flag.Uint64("seed", 1, "first seed of the random chains")
)

// TestRandomChains compares the merge with the reference, on random chains with all crash states.
func TestRandomChains(t *testing.T) {
	needExtents(t, t.TempDir())
	checkChains(t, t.TempDir, *seed, *chains)
}

// checkChains checks n random chains in directories of which tempDir makes new ones.
func checkChains(t *testing.T, tempDir func() string, first uint64, n int) {
	t.Helper()
	const shards = 16
	var refusals atomic.Int64
	t.Cleanup(func() { // when all shards have ended
		if r := refusals.Load(); r > int64(n)/50 {
			t.Errorf("%d of %d chains were refused", r, n)
		}
		t.Logf("%d of %d chains were refused", refusals.Load(), n)
	})
	for shard := range shards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(tempDir(), fmt.Sprint(shard))
			for i := shard; i < n; i += shards {
				if !checkChain(t, dir, first+uint64(i)) {
					refusals.Add(1)
				}
			}
		})
	}
}

// checkChain checks one chain. It reports false when the chain was refused, which may be where
// metadata is lost.
func checkChain(t *testing.T, base string, seed uint64) (merged bool) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	rep := replicatest.Random(r, 64)
	dir := filepath.Join(base, "replicas", "vol-0123abcd")
	defer replicatest.Remove(dir)
	if err := rep.Write(dir); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	want := rep.Image()
	d, err := replica.Read(dir)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	var w replica.Want
	c, err := d.Chain(w)
	if errors.Is(err, lab.ErrRefused) && rep.Crash.Doubtful() {
		// What cannot be inferred may be said.
		w.NoBacking = rep.Backing == nil
		if rep.Backing != nil {
			w.Backing = filepath.Join(base, "replicas", "backing", "backing")
		}
		w.Parents = rep.Parents()
		maps.DeleteFunc(w.Parents, func(file, _ string) bool {
			return !slices.ContainsFunc(d.Layers, func(l replica.Layer) bool { return l.File == file })
		})
		c, err = d.Chain(w)
		if errors.Is(err, lab.ErrRefused) {
			return false
		}
	}
	if err != nil {
		t.Fatalf("seed %d (crash %d): %v", seed, rep.Crash, err)
	}
	if rep.Crash.Doubtful() && len(c.Warnings) == 0 {
		t.Fatalf("seed %d (crash %d): no warning", seed, rep.Crash)
	}
	im, err := c.Open(t.Context())
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	defer im.Close()
	got := make([]byte, im.Size())
	if _, err := im.ReadAt(got, 0); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	compareImages(t, seed, rep, "ReadAt", got, want)
	if !rep.Crash.Doubtful() && seed%4 == 0 {
		backing := ""
		if rep.Backing != nil {
			backing = filepath.Join(base, "replicas", "backing", "backing")
		}
		ref, err := replicatest.Read(dir, backing)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		compareImages(t, seed, rep, "the reference reader", ref, want)
	}
	if seed%16 != 0 {
		return true
	}
	for _, m := range []replica.Method{replica.Auto, replica.ReadWrite, replica.CopyRange} {
		out := filepath.Join(base, "image")
		res, err := im.Save(t.Context(), replica.Output{Path: out, Method: m, Workers: 1 + r.IntN(4)})
		if err != nil {
			// Not every file system can, and it says so.
			if m == replica.CopyRange && strings.Contains(fmt.Sprint(lab.Hints(err)), "leave the method out") {
				os.Remove(out + ".part")
				os.Remove(out + ".part.state")
				continue
			}
			t.Fatalf("seed %d, method %q: %v", seed, m, err)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(out)
		compareImages(t, seed, rep, "Save by "+string(res.Method), data, want)
		if sum := replica.TreeSum(data); sum != res.Tree {
			t.Fatalf("seed %d: tree hash %s, the image's is %s", seed, res.Tree, sum)
		}
	}
	return true
}

func compareImages(t *testing.T, seed uint64, rep replicatest.Replica, how string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	for s := 0; s < len(want) && s < len(got); s += replicatest.Sector {
		if !bytes.Equal(got[s:s+replicatest.Sector], want[s:s+replicatest.Sector]) {
			t.Fatalf("seed %d (crash %d, %d layers): sector %d by %s is not what the description says", seed,
				rep.Crash, len(rep.Layers), s/replicatest.Sector, how)
		}
	}
	t.Fatalf("seed %d: %d bytes by %s, want %d", seed, len(got), how, len(want))
}
