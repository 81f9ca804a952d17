package replica

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica/replicatest"
)

// sparseVolumes are volumes whose data are at the edges of pieces, or nowhere near.
func sparseVolumes() map[string]replicatest.Replica {
	const piece = pieceSize / sectorSize
	volume := func(sectors int64, ops ...replicatest.Op) replicatest.Replica {
		return replicatest.Replica{Sectors: sectors, Layers: []replicatest.Layer{{Name: "s", Ops: ops}, {}}}
	}
	data := func(off, n int64) replicatest.Op { return replicatest.Op{Off: off, Len: n, Seed: uint64(off + 1)} }
	return map[string]replicatest.Replica{
		"one sector":          volume(1, data(0, 1)),
		"empty":               volume(3*piece + 7),
		"empty, whole pieces": volume(2 * piece),
		"one piece":           volume(piece, data(5, 3)),
		"first":               volume(5*piece, data(0, 1)),
		"last":                volume(5*piece, data(5*piece-1, 1)),
		"last, short":         volume(4*piece+9, data(4*piece+8, 1)),
		"across a border":     volume(4*piece, data(2*piece-1, 2)),
		"islands":             volume(40*piece+1, data(3*piece, 2), data(20*piece+17, 5), data(20*piece+40, 1), data(33*piece-1, 1)),
		"zeros": volume(3*piece, replicatest.Op{Kind: replicatest.Zeros, Off: piece, Len: piece},
			data(2*piece, piece)),
	}
}

// TestTreeHash compares the hash of a merge with its definition, and with what the script says that
// anyone may check an image with.
func TestTreeHash(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		real.Missing(t, "python3")
	}
	for name, rep := range sparseVolumes() {
		t.Run(name, func(t *testing.T) {
			_, dir := writeTest(t, rep)
			out := filepath.Join(t.TempDir(), "image")
			r, err := openTest(t, dir).Save(t.Context(), Output{Path: out})
			if err != nil {
				t.Fatal(err)
			}
			checkFile(t, out, rep.Image(), r)
			script, err := exec.Command("python3", "testdata/treehash.py", out).CombinedOutput()
			if err != nil || strings.TrimSpace(string(script)) != r.Tree {
				t.Errorf("the script says %s, %v; the merge %s", script, err, r.Tree)
			}
		})
	}
}

// TestSaveChangesHash interrupts a run with one hash at each piece and continues it with another: what
// was copied is hashed again, not copied.
func TestSaveChangesHash(t *testing.T) {
	rep, dir := writeTest(t, fourPieces())
	im := openTest(t, dir)
	hashes := []Hash{TreeHash, SHA256, NoHash}
	for _, first := range hashes {
		for _, second := range hashes {
			for k := int64(1); k < 4; k++ {
				out := filepath.Join(t.TempDir(), "image")
				ctx, cancel := context.WithCancel(t.Context())
				_, err := im.Save(ctx, Output{Path: out, Workers: 1, Hash: first, fault: func(off int64) error {
					if off < k*pieceSize {
						return nil
					}
					cancel()
					return ctx.Err()
				}})
				cancel()
				if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				r, err := im.Save(t.Context(), Output{Path: out, Hash: second})
				if err != nil {
					t.Fatal(err)
				}
				if r.Resumed == 0 || (r.Tree != "") != (second == TreeHash) || (r.SHA256 != "") != (second == SHA256) {
					t.Errorf("%q, then %q: %+v", first, second, r)
				}
				checkFile(t, out, rep.Image(), r)
				os.Remove(out)
			}
		}
	}
}

// TestSaveRefusesHash refuses a hash that is not known.
func TestSaveRefusesHash(t *testing.T) {
	_, dir := writeTest(t, fourPieces())
	out := filepath.Join(t.TempDir(), "image")
	if _, err := openTest(t, dir).Save(t.Context(), Output{Path: out, Hash: "md5"}); err == nil ||
		!strings.Contains(err.Error(), `"md5" is not known`) {
		t.Error(err)
	}
}
