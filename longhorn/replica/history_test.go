package replica_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica/replicatest"
)

var histories = flag.Int("histories", 1500, "random histories of a model of the engine, two replicas each")

// TestHistories runs a model of the engine's operations, cuts it off anywhere and loses metadata:
// what is not refused is right, by each replica alone, with the other as a peer, and borrowing from
// it. With the lost parents given, nothing is refused for them.
func TestHistories(t *testing.T) {
	const shards = 8
	for shard := range shards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			refusals, merged := 0, 0
			for i := shard; i < *histories; i += shards {
				r, m := checkHistory(t, t.TempDir(), *seed+uint64(i))
				refusals, merged = refusals+r, merged+m
			}
			t.Logf("%d refused, %d merged", refusals, merged)
		})
	}
}

// checkHistory checks one history, and counts what was refused and merged.
func checkHistory(t *testing.T, base string, seed uint64) (refusals, merged int) {
	t.Helper()
	engines := replicatest.History(rand.New(rand.NewPCG(seed, 24)), 24)
	var dirs []*replica.Directory
	for i, e := range engines {
		path := filepath.Join(base, fmt.Sprintf("vol-0123abc%d", i))
		if err := e.Write(path); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		d, err := replica.Read(path)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		dirs = append(dirs, d)
	}
	for i, e := range engines {
		want, whole := e.Image()
		if !whole {
			continue
		}
		for how, w := range map[string]replica.Want{
			"alone":           {},
			"with a peer":     {Peers: dirs},
			"borrowing":       {Peers: dirs, Borrow: true},
			"purge accepted":  {DropMissing: true},
			"rebuild allowed": {ForceRebuilding: true},
			"parents given":   {Parents: e.Parents(), ForceRebuilding: true, DropMissing: true},
		} {
			c, err := dirs[i].Chain(w)
			if errors.Is(err, lab.ErrRefused) {
				refusals++
				if how == "parents given" && strings.Contains(err.Error(), "the parent may be") {
					t.Errorf("seed %d, replica %d, %s: %v", seed, i, how, err)
				}
				if len(lab.Hints(err)) == 0 {
					t.Errorf("seed %d, replica %d, %s: no hint: %v", seed, i, how, err)
				}
				followHints(t, dirs[i], w, err)
				continue
			}
			if err != nil {
				t.Errorf("seed %d, replica %d, %s: %v", seed, i, how, err)
				continue
			}
			merged++
			var files []string
			for _, l := range c.Layers {
				files = append(files, l.File)
			}
			if got := e.Overlay(files); !bytes.Equal(got, want) || c.Size != int64(len(want)) {
				t.Errorf("seed %d, replica %d, %s: a wrong image of %v (%d bytes, want %d): %v",
					seed, i, how, files, c.Size, len(want), c.Warnings)
			}
		}
	}
	return refusals, merged
}
