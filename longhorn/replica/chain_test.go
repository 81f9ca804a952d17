package replica_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica/replicatest"
)

// three is a chain of a head over two snapshots, a sector of its own in each.
func three() replicatest.Replica {
	return replicatest.Replica{Sectors: 16, Head: 2, Layers: []replicatest.Layer{
		{Name: "one", User: true, Ops: []replicatest.Op{{Off: 0, Len: 8, Seed: 1}}},
		{Name: "two", Ops: []replicatest.Op{{Off: 4, Len: 2, Seed: 2}}},
		{Ops: []replicatest.Op{{Off: 5, Len: 1, Seed: 3}}},
	}}
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

const (
	headFile = "volume-head-002.img"
	oneFile  = "volume-snap-one.img"
	twoFile  = "volume-snap-two.img"
)

// TestChain says of each state of a directory which layers are found, what is warned of, or why it
// is refused.
func TestChain(t *testing.T) {
	live := []string{headFile, twoFile, oneFile}
	crash := func(c replicatest.Crash) func(*replicatest.Replica) {
		return func(r *replicatest.Replica) { r.Crash = c }
	}
	for _, c := range []struct {
		name    string
		rep     func(*replicatest.Replica)
		damage  func(t *testing.T, dir string)
		want    replica.Want
		layers  []string       // newest first
		codes   []replica.Code // exactly these, in any order, each once
		refused string
	}{
		{name: "whole", layers: live},
		{name: "dirty is no defect", rep: func(r *replicatest.Replica) { r.Dirty = true }, layers: live},
		{name: "snapshot", want: replica.Want{Snapshot: "two"}, layers: live[1:]},
		{name: "snapshot by file", want: replica.Want{Snapshot: oneFile}, layers: live[2:]},
		{name: "removed layers stay", rep: func(r *replicatest.Replica) {
			r.Layers[0].Removed, r.Layers[1].Removed = true, true
		}, layers: live},
		{name: "unknown and old fields", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume.meta",
				`{"Size":65536,"Head":"volume-head-002.img","Parent":"volume-snap-two.img",`+
					`"BackingFileName":"","Shiny":{"a":[1]}}`)
			put(t, dir, oneFile+".meta", `{"Parent":"","Novel":1}`)
		}, layers: live},
		{name: "trailing bytes", damage: func(t *testing.T, dir string) {
			put(t, dir, oneFile+".meta", `{"Parent":""}`+"\x00\x00")
		}, layers: live, codes: []replica.Code{replica.WarnTrailingBytes}},
		{name: "rebuilding", rep: func(r *replicatest.Replica) { r.Rebuilding = true }, refused: "being rebuilt"},
		{name: "rebuilding, forced", rep: func(r *replicatest.Replica) { r.Rebuilding = true },
			want:   replica.Want{ForceRebuilding: true},
			layers: live, codes: []replica.Code{replica.WarnRebuilding, replica.WarnRebuilding}},
		{name: "volume.meta lost with counter 0", rep: crash(replicatest.VolumeMetaEmpty),
			damage: func(t *testing.T, dir string) {
				put(t, dir, "revision.counter", "0"+strings.Repeat("\x00", 4095))
			}, refused: "may have been being rebuilt"},
		{name: "volume.meta lost with a layer that has no .meta", rep: crash(replicatest.VolumeMetaMissing),
			damage: func(t *testing.T, dir string) {
				put(t, dir, "volume-snap-half.img", "x")
			}, refused: "may have been being rebuilt"},
		{name: "volume.meta lost with a layer in the chain that has no .meta",
			rep: crash(replicatest.VolumeMetaMissing), damage: func(t *testing.T, dir string) {
				remove(t, dir, oneFile+".meta")
			}, refused: "may have been being rebuilt"},
		{name: "volume.meta empty", rep: crash(replicatest.VolumeMetaEmpty), layers: live,
			codes: []replica.Code{replica.WarnVolumeMetaLost, replica.WarnHeadInferred, replica.WarnSizeInferred,
				replica.WarnBackingUnknown}},
		{name: "volume.meta broken", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume.meta", `{"Size":"big"`)
		}, layers: live,
			codes: []replica.Code{replica.WarnVolumeMetaLost, replica.WarnHeadInferred, replica.WarnSizeInferred,
				replica.WarnBackingUnknown}},
		{name: "volume.meta with a size that cannot be", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume.meta", `{"Size":4097,"Head":"volume-head-002.img"}`)
		}, layers: live, codes: []replica.Code{replica.WarnVolumeMetaLost, replica.WarnHeadInferred,
			replica.WarnSizeInferred, replica.WarnBackingUnknown}},
		{name: "no size is a multiple of a sector", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume.meta", `{"Size":66048,"Head":"volume-head-002.img","Parent":"volume-snap-two.img"}`)
			if err := os.Truncate(filepath.Join(dir, headFile), 66048); err != nil {
				t.Fatal(err)
			}
		}, refused: "66048 bytes cannot be a volume's size"},
		{name: "no size is a multiple of a sector, the next one given", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume.meta", `{"Size":66048,"Head":"volume-head-002.img","Parent":"volume-snap-two.img"}`)
			if err := os.Truncate(filepath.Join(dir, headFile), 66048); err != nil {
				t.Fatal(err)
			}
		}, want: replica.Want{Size: 69632}, layers: live, codes: []replica.Code{replica.WarnVolumeMetaLost,
			replica.WarnHeadInferred, replica.WarnBackingUnknown,
			replica.WarnLayerShort, replica.WarnLayerShort}},
		{name: "volume.meta lost, size given", rep: crash(replicatest.VolumeMetaZeroed),
			want: replica.Want{Size: 65536}, layers: live,
			codes: []replica.Code{replica.WarnVolumeMetaLost, replica.WarnHeadInferred, replica.WarnBackingUnknown}},
		{name: "size given and known", want: replica.Want{Size: 4096}, refused: "is known"},
		{name: "volume.meta lost, two heads", rep: crash(replicatest.SnapshotNewHead),
			damage: func(t *testing.T, dir string) {
				remove(t, dir, "volume.meta")
				put(t, dir, "volume-head-003.img.meta", `{"Parent":"volume-snap-two.img"}`)
			}, refused: "which of volume-head-002.img, volume-head-003.img is the head"},
		{name: "volume.meta lost after a snapshot that was cut off", rep: crash(replicatest.SnapshotLinked),
			damage: func(t *testing.T, dir string) {
				remove(t, dir, "volume.meta")
			}, layers: []string{"volume-head-003.img", "volume-snap-cut.img", twoFile, oneFile},
			codes: []replica.Code{replica.WarnVolumeMetaLost, replica.WarnHeadInferred, replica.WarnSizeInferred,
				replica.WarnBackingUnknown, replica.WarnHardLink, replica.WarnHardLink, replica.WarnExtraHead}},
		{name: "the same, copied so that the links are lost", rep: crash(replicatest.SnapshotLinkLost),
			damage: func(t *testing.T, dir string) {
				remove(t, dir, "volume.meta")
			}, layers: []string{"volume-head-003.img", "volume-snap-cut.img", twoFile, oneFile},
			codes: []replica.Code{replica.WarnVolumeMetaLost, replica.WarnHeadInferred, replica.WarnSizeInferred,
				replica.WarnBackingUnknown, replica.WarnTemporary, replica.WarnExtraHead}},
		{name: "volume.meta lost, no head", rep: crash(replicatest.VolumeMetaEmpty),
			damage: func(t *testing.T, dir string) {
				remove(t, dir, headFile)
			}, refused: "there is no head"},
		{name: "head lost", damage: func(t *testing.T, dir string) {
			remove(t, dir, headFile)
		}, refused: "names it as head, but it is missing"},
		{name: "head's .meta lost", rep: crash(replicatest.HeadMetaZeroed), layers: live,
			codes: []replica.Code{replica.WarnMetaLost, replica.WarnParentInferred}},
		{name: "head's .meta and volume.meta lost", rep: crash(replicatest.HeadMetaEmpty),
			damage: func(t *testing.T, dir string) {
				remove(t, dir, "volume.meta")
			}, refused: "the parent may be any of volume-snap-one.img, volume-snap-two.img"},
		{name: "head's .meta and volume.meta lost, the parent given", rep: crash(replicatest.HeadMetaEmpty),
			damage: func(t *testing.T, dir string) {
				remove(t, dir, "volume.meta")
			}, want: replica.Want{Parents: map[string]string{headFile: twoFile}}, layers: live,
			codes: []replica.Code{replica.WarnVolumeMetaLost, replica.WarnHeadInferred, replica.WarnMetaLost,
				replica.WarnParentGiven, replica.WarnSizeInferred, replica.WarnBackingUnknown}},
		{name: "parent given against the .meta", want: replica.Want{Parents: map[string]string{twoFile: ""}},
			refused: "the parent can be read, volume-snap-one.img"},
		{name: "parent given as the .meta has it", want: replica.Want{Parents: map[string]string{twoFile: oneFile}},
			layers: live},
		{name: "parent given that is not there", rep: crash(replicatest.MiddleMetaEmpty),
			want: replica.Want{Parents: map[string]string{twoFile: "volume-snap-x.img"}}, refused: "is not a snapshot"},
		{name: "parent given so that a circle results", rep: crash(replicatest.BaseMetaZeroed),
			want: replica.Want{Parents: map[string]string{oneFile: twoFile}}, refused: "circle"},
		{name: "parent given of no layer", want: replica.Want{Parents: map[string]string{"volume-snap-x.img": ""}},
			refused: "there is no such layer"},
		{name: "middle .meta lost after a revert", rep: func(r *replicatest.Replica) {
			// one <- two <- aside was left by a revert to one; three was made after it.
			r.Layers[1].Name = "three"
			r.Branches = map[string]replicatest.Layer{"one": {Name: "two"}, "two": {Name: "aside"}}
		}, damage: func(t *testing.T, dir string) {
			put(t, dir, "volume-snap-three.img.meta", "")
		}, refused: "the parent may be any of volume-snap-aside.img, volume-snap-one.img, volume-snap-two.img"},
		{name: "oldest .meta lost", rep: crash(replicatest.BaseMetaZeroed), layers: live,
			codes: []replica.Code{replica.WarnMetaLost, replica.WarnParentInferred}},
		{name: "middle .meta lost", rep: crash(replicatest.MiddleMetaEmpty), layers: live,
			codes: []replica.Code{replica.WarnMetaLost, replica.WarnParentInferred}},
		{name: "middle .meta lost, the parent newer", rep: crash(replicatest.MiddleMetaEmpty),
			damage: func(t *testing.T, dir string) {
				now := time.Now()
				if err := os.Chtimes(filepath.Join(dir, oneFile), now, now); err != nil {
					t.Fatal(err)
				}
			}, refused: "it may be the end of a side branch"},
		{name: "middle .meta lost, two candidates", rep: crash(replicatest.MiddleMetaEmpty),
			damage: func(t *testing.T, dir string) {
				put(t, dir, "volume-snap-other.img", "")
				put(t, dir, "volume-snap-other.img.meta", `{"Parent":""}`)
			}, refused: "the parent may be any of volume-snap-one.img, volume-snap-other.img"},
		{name: "two .metas lost", rep: crash(replicatest.MiddleMetaEmpty), damage: func(t *testing.T, dir string) {
			put(t, dir, oneFile+".meta", "")
		}, refused: "which of them is the older one is not known"},
		{name: "two .metas lost, one parent given", rep: crash(replicatest.MiddleMetaEmpty),
			damage: func(t *testing.T, dir string) {
				put(t, dir, oneFile+".meta", "")
			}, want: replica.Want{Parents: map[string]string{twoFile: oneFile}}, layers: live,
			codes: []replica.Code{replica.WarnMetaLost, replica.WarnMetaLost, replica.WarnParentGiven,
				replica.WarnParentInferred}},
		{name: ".meta without a parent field", damage: func(t *testing.T, dir string) {
			put(t, dir, oneFile+".meta", "{}")
		}, layers: live,
			codes: []replica.Code{replica.WarnMetaLost, replica.WarnParentInferred}},
		{name: "parent outside of the directory", damage: func(t *testing.T, dir string) {
			put(t, dir, oneFile+".meta", `{"Parent":"../../../etc/passwd"}`)
		}, layers: live, codes: []replica.Code{replica.WarnMetaLost, replica.WarnParentInferred}},
		{name: "parent missing", damage: func(t *testing.T, dir string) {
			put(t, dir, oneFile+".meta", `{"Parent":"volume-snap-gone.img"}`)
		}, refused: "missing, and volume-snap-one.img needs it"},
		{name: "circle", damage: func(t *testing.T, dir string) {
			put(t, dir, oneFile+".meta", `{"Parent":"volume-snap-two.img"}`)
		}, refused: "circle"},
		{name: "layer is a symbolic link", damage: func(t *testing.T, dir string) {
			remove(t, dir, oneFile)
			if err := os.Symlink("/etc/passwd", filepath.Join(dir, oneFile)); err != nil {
				t.Fatal(err)
			}
		}, refused: "missing, and volume-snap-two.img needs it"},
		{name: "layer larger than the one above", damage: func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, oneFile), 1<<20); err != nil {
				t.Fatal(err)
			}
		}, refused: "larger than volume-snap-two.img"},
		{name: "layer cut short", damage: func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, twoFile), 0); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(filepath.Join(dir, oneFile), 0); err != nil {
				t.Fatal(err)
			}
		}, layers: live, codes: []replica.Code{replica.WarnLayerShort}},
		{name: "expanded", rep: func(r *replicatest.Replica) {
			r.Layers[0].Sectors, r.Layers[1].Sectors = 8, 8
			r.Layers[1].Labels = map[string]string{"replica-expansion": "65536"}
		}, layers: live},
		{name: "purge cut off", damage: func(t *testing.T, dir string) {
			remove(t, dir, twoFile)
			put(t, dir, oneFile+".meta", `{"Parent":"","Removed":true}`)
		}, refused: "a purge may have been cut off"},
		{name: "purge cut off, accepted", damage: func(t *testing.T, dir string) {
			remove(t, dir, twoFile)
			put(t, dir, oneFile+".meta", `{"Parent":"","Removed":true}`)
		}, want: replica.Want{DropMissing: true}, layers: []string{headFile, oneFile},
			codes: []replica.Code{replica.WarnMissingDropped}},
		{name: "missing, no purge", damage: func(t *testing.T, dir string) {
			remove(t, dir, twoFile)
		}, want: replica.Want{DropMissing: true}, refused: "needs it"},
		{name: "side branch", rep: func(r *replicatest.Replica) {
			r.Branches = map[string]replicatest.Layer{"one": {Name: "aside", Ops: []replicatest.Op{{Len: 1, Seed: 9}}}}
		}, layers: live, codes: []replica.Code{replica.WarnSideBranch}},
		{name: "side branch as recovery point", rep: func(r *replicatest.Replica) {
			r.Branches = map[string]replicatest.Layer{"one": {Name: "aside", Ops: []replicatest.Op{{Len: 1, Seed: 9}}}}
		}, want: replica.Want{Snapshot: "aside"}, layers: []string{"volume-snap-aside.img", oneFile}},
		{name: "empty head beside a full snapshot", rep: func(r *replicatest.Replica) {
			r.Layers = r.Layers[2:]
			r.Layers[0].Ops = nil
			r.Branches = map[string]replicatest.Layer{"": {Name: "full", Ops: []replicatest.Op{{Len: 1, Seed: 9}}}}
		}, refused: "the live state is empty, although volume-snap-full.img"},
		{name: "empty head beside a full snapshot, taken", rep: func(r *replicatest.Replica) {
			r.Layers = r.Layers[2:]
			r.Layers[0].Ops = nil
			r.Branches = map[string]replicatest.Layer{"": {Name: "full", Ops: []replicatest.Op{{Len: 1, Seed: 9}}}}
		}, want: replica.Want{Snapshot: headFile}, layers: live[:1]},
		{name: "empty volume", rep: func(r *replicatest.Replica) {
			r.Layers = r.Layers[2:]
			r.Layers[0].Ops = nil
		}, layers: live[:1]},
		{name: "restore in flight", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume-delta-x.img", "")
			put(t, dir, twoFile+".snap_tmp", "")
		}, layers: live, codes: []replica.Code{replica.WarnRestoring, replica.WarnRestoring}},
		{name: "engine's error", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume.meta",
				`{"Size":65536,"Head":"volume-head-002.img","Parent":"volume-snap-two.img","Error":"no space"}`)
		}, layers: live, codes: []replica.Code{replica.WarnEngineError}},
		{name: "counter unreadable", damage: func(t *testing.T, dir string) {
			put(t, dir, "revision.counter", "4x")
		}, layers: live, codes: []replica.Code{replica.WarnCounter}},
		{name: "volume.meta cut off, while rebuilding", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume.meta", `{"Size":65536,"Head":"volume-head-002.img","Dirty":true,"Rebuilding":true,"Err`)
		}, refused: "it was being rebuilt"},
		{name: "volume.meta with a size that cannot be, while rebuilding", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume.meta", `{"Size":65537,"Head":"volume-head-002.img","Rebuilding":true}`)
		}, refused: "it was being rebuilt"},
		{name: "volume.meta ends in NUL bytes, encrypted", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume.meta", `{"Size":65536,"Head":"volume-head-002.img","Encrypted":true,"Mo`+"\x00\x00\x00")
		}, refused: "encrypted"},
		{name: "volume.meta cut off, with a backing file", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume.meta",
				`{"Size":65536,"Head":"volume-head-002.img",`+
					`"BackingFilePath":"/host/var/lib/longhorn/backing-images/gone/backing","Encr`)
		}, refused: "the backing file is not there"},
		{name: "volume.meta cut off, of two heads", rep: crash(replicatest.SnapshotNewHead),
			damage: func(t *testing.T, dir string) {
				put(t, dir, "volume.meta", `{"Size":65536,"Head":"volume-head-002.img","Dirty":true,"Rebu`)
				put(t, dir, "volume-head-003.img.meta", `{"Parent":"volume-snap-two.img"}`)
			}, layers: live, codes: []replica.Code{replica.WarnVolumeMetaLost, replica.WarnHeadInferred,
				replica.WarnSizeInferred, replica.WarnBackingUnknown, replica.WarnExtraHead}},
		{name: "volume.meta cut off in a number", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume.meta", `{"Size":655`)
		}, layers: live,
			codes: []replica.Code{replica.WarnVolumeMetaLost, replica.WarnHeadInferred, replica.WarnSizeInferred,
				replica.WarnBackingUnknown}},
		{name: "volume.meta names another parent of the head", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume.meta", `{"Size":65536,"Head":"volume-head-002.img","Parent":"volume-snap-one.img"}`)
		}, layers: live, codes: []replica.Code{replica.WarnParentDisagrees}},
		{name: ".meta cut off behind the parent, beside a side branch", rep: func(r *replicatest.Replica) {
			r.Branches = map[string]replicatest.Layer{"one": {Name: "aside", Ops: []replicatest.Op{{Len: 1, Seed: 9}}}}
		}, damage: func(t *testing.T, dir string) {
			put(t, dir, twoFile+".meta", `{"Name":"volume-head-001.img","Parent":"volume-snap-one.img","Rem`)
		}, layers: live, codes: []replica.Code{replica.WarnMetaLost, replica.WarnParentInferred,
			replica.WarnSideBranch}},
		{name: ".meta with a parent of another type", damage: func(t *testing.T, dir string) {
			put(t, dir, twoFile+".meta", `{"Parent":5}`)
		}, layers: live,
			codes: []replica.Code{replica.WarnMetaLost, replica.WarnParentInferred}},
		{name: "a snapshot was just made, its .meta lost, the old head still there",
			rep: crash(replicatest.SnapshotRenamed), damage: func(t *testing.T, dir string) {
				remove(t, dir, "volume-snap-cut.img.meta")
				put(t, dir, "volume-snap-cut.img.meta", "\x00\x00")
			}, layers: []string{"volume-head-003.img", "volume-snap-cut.img", twoFile, oneFile},
			codes: []replica.Code{replica.WarnMetaLost, replica.WarnParentInferred, replica.WarnHardLink,
				replica.WarnHardLink, replica.WarnExtraHead}},
		{name: "a snapshot was just made, its .meta lost, of the old head the .meta is left",
			rep: crash(replicatest.SnapshotRenamed), damage: func(t *testing.T, dir string) {
				remove(t, dir, "volume-snap-cut.img.meta")
				put(t, dir, "volume-snap-cut.img.meta", "")
				remove(t, dir, headFile)
			}, refused: "the parent may be any of volume-snap-one.img, volume-snap-two.img"},
		{name: "the same beside a side branch", rep: func(r *replicatest.Replica) {
			r.Crash = replicatest.SnapshotHeadLeft
			r.Branches = map[string]replicatest.Layer{"two": {Name: "aside"}}
		}, refused: "the parent may be any of volume-snap-aside.img, volume-snap-one.img, volume-snap-two.img"},
		{name: "a snapshot cut off between its two links, volume.meta lost", rep: crash(replicatest.SnapshotLinked),
			damage: func(t *testing.T, dir string) {
				remove(t, dir, "volume.meta")
				remove(t, dir, "volume-snap-cut.img.meta")
			}, layers: []string{"volume-head-003.img", "volume-snap-cut.img", twoFile, oneFile},
			codes: []replica.Code{replica.WarnVolumeMetaLost, replica.WarnMetaLost, replica.WarnHeadInferred,
				replica.WarnParentInferred, replica.WarnSizeInferred,
				replica.WarnBackingUnknown, replica.WarnHardLink, replica.WarnHardLink, replica.WarnExtraHead}},
		{name: "a snapshot cut off between its two links, as recovery point", rep: crash(replicatest.SnapshotLinked),
			damage: func(t *testing.T, dir string) {
				remove(t, dir, "volume-snap-cut.img.meta")
			}, want: replica.Want{Snapshot: "cut"}, layers: []string{"volume-snap-cut.img", twoFile, oneFile},
			codes: []replica.Code{replica.WarnMetaLost, replica.WarnParentInferred, replica.WarnHardLink,
				replica.WarnHardLink}},
		{name: "a purge just done, the child's .meta lost, of the purged one the .meta is left",
			rep: func(r *replicatest.Replica) {
				r.Layers = []replicatest.Layer{r.Layers[0], {Name: "gone", Removed: true}, r.Layers[1], r.Layers[2]}
			}, damage: func(t *testing.T, dir string) {
				remove(t, dir, "volume-snap-gone.img")
				put(t, dir, twoFile+".meta", "")
			}, layers: live, codes: []replica.Code{replica.WarnMetaLost, replica.WarnParentInferred}},
		{name: ".meta lost, and another layer's file", rep: func(r *replicatest.Replica) {
			r.Layers = []replicatest.Layer{r.Layers[0], {Name: "gone"}, r.Layers[1], r.Layers[2]}
		}, damage: func(t *testing.T, dir string) {
			remove(t, dir, "volume-snap-gone.img")
			put(t, dir, twoFile+".meta", "")
		}, refused: "the parent may be any of volume-snap-one.img"},
		{name: "removed snapshot as recovery point", rep: func(r *replicatest.Replica) { r.Layers[1].Removed = true },
			want: replica.Want{Snapshot: "two"}, layers: live[1:],
			codes: []replica.Code{replica.WarnRemovedPoint}},
		{name: "snapshot called as another one's file",
			rep: func(r *replicatest.Replica) { r.Layers[0].Name = "zed" }, damage: func(t *testing.T, dir string) {
				put(t, dir, "volume-snap-volume-snap-zed.img.img", "")
				put(t, dir, "volume-snap-volume-snap-zed.img.img.meta", `{"Parent":""}`)
			}, want: replica.Want{Snapshot: "volume-snap-zed.img"}, layers: []string{"volume-snap-zed.img"}},
		{name: "encrypted", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume.meta",
				`{"Size":65536,"Head":"volume-head-002.img","Parent":"volume-snap-two.img","Encrypted":true}`)
		}, refused: "encrypted"},
		{name: "encrypted, accepted", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume.meta",
				`{"Size":65536,"Head":"volume-head-002.img","Parent":"volume-snap-two.img","Encrypted":true}`)
		}, want: replica.Want{Encrypted: true}, layers: live, codes: []replica.Code{replica.WarnEncrypted}},
		{name: "v2", damage: func(t *testing.T, dir string) {
			put(t, dir, "volume.meta", `{"Size":65536,"Head":"volume-head-002.img","DataEngine":"v2"}`)
		}, refused: "v2 data engine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rep := three()
			if c.rep != nil {
				c.rep(&rep)
			}
			dir := write(t, rep)
			if c.damage != nil {
				c.damage(t, dir)
			}
			d, err := replica.Read(dir)
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
			var files []string
			for _, l := range chain.Layers {
				files = append(files, l.File)
			}
			if fmt.Sprint(files) != fmt.Sprint(c.layers) {
				t.Errorf("layers %v, want %v", files, c.layers)
			}
			count := map[replica.Code]int{}
			for _, w := range chain.Warnings {
				count[w.Code]++
			}
			for _, code := range c.codes {
				count[code]--
			}
			for code, n := range count {
				// Layers that are not live are said to be so; that is another case's matter.
				// All are copies, since their times were set: TestCopied has that.
				if n != 0 && !(c.want.Snapshot != "" && code == replica.WarnSideBranch) &&
					code != replica.WarnTimesCopied {
					t.Errorf("warning %s: %+d of what is wanted: %v", code, n, chain.Warnings)
				}
			}
		})
	}
}

// TestBorrow reads lost metadata from peers, only when asked, and not when they disagree.
func TestBorrow(t *testing.T) {
	sick, well, other := write(t, three()), write(t, three()), write(t, three())
	put(t, sick, twoFile+".meta", "")
	for _, dir := range []string{sick, well, other} {
		put(t, dir, "volume-snap-zzz.img", "")
		put(t, dir, "volume-snap-zzz.img.meta", `{"Parent":""}`)
	}
	remove(t, sick, "volume.meta")
	read := func(dir string) *replica.Directory {
		d, err := replica.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	w := replica.Want{Peers: []*replica.Directory{read(sick), read(well), read(other)}}
	if _, err := read(sick).Chain(w); !errors.Is(err, lab.ErrRefused) {
		t.Fatalf("not asked to borrow: %v", err)
	}
	w.Borrow = true
	c, err := read(sick).Chain(w)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Layers) != 3 || c.Layers[2].File != oneFile || !has(c.Warnings, replica.WarnMetaBorrowed) || !c.Inferred {
		t.Errorf("%+v", c)
	}
	// A snapshot that the peer does not have may have been purged there, and be the parent here.
	put(t, sick, "volume-snap-two-a.img", "")
	put(t, sick, "volume-snap-two-a.img.meta", `{"Parent":"volume-snap-one.img"}`)
	_, err = read(sick).Chain(w)
	refused(t, err, "does not have volume-snap-two-a.img")
	// What could be inferred, but a peer contradicts, is refused without being asked to borrow.
	alone := write(t, three())
	put(t, alone, twoFile+".meta", "")
	put(t, other, twoFile+".meta", `{"Parent":""}`)
	_, err = read(alone).Chain(replica.Want{Peers: []*replica.Directory{read(alone), read(other)}})
	refused(t, err, "says none, it is the oldest layer")
	w.Peers[2] = read(other)
	_, err = read(sick).Chain(w)
	refused(t, err, "disagree on the parent")
}

// TestCopied warns of a directory whose head was last written long before its inode was last changed.
func TestCopied(t *testing.T) {
	dir := write(t, three())
	fresh := three()
	fresh.Time = time.Now().Add(time.Hour) // however long the writing takes
	for dir, want := range map[string]bool{dir: true, write(t, fresh): false} {
		d, err := replica.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		c, err := d.Chain(replica.Want{})
		if err != nil || has(c.Warnings, replica.WarnTimesCopied) != want {
			t.Errorf("want a warning: %v, got %v %v", want, c.Warnings, err)
		}
	}
}

// TestBacking finds the backing file where it is clear which one it is.
func TestBacking(t *testing.T) {
	rep := three()
	rep.Backing = bytes.Repeat([]byte("0123456789abcdef"), 32*5)
	disk := t.TempDir()
	dir := filepath.Join(disk, "replicas", "vol-0123abcd")
	if err := rep.Write(dir); err != nil {
		t.Fatal(err)
	}
	chain := func(w replica.Want) (*replica.Chain, error) {
		d, err := replica.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		return d.Chain(w)
	}
	beside := filepath.Join(disk, "replicas", "backing", "backing")
	c, err := chain(replica.Want{})
	if err != nil || c.Backing != beside || !has(c.Warnings, replica.WarnBackingRemapped) {
		t.Fatalf("beside the replica: %v %v", c, err)
	}
	onDisk := filepath.Join(disk, "backing-images", "backing", "backing")
	if err := os.MkdirAll(filepath.Dir(onDisk), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Dir(onDisk), "backing", string(rep.Backing))
	_, err = chain(replica.Want{})
	refused(t, err, "several files")
	remove(t, filepath.Dir(beside), "backing")
	if c, err := chain(replica.Want{}); err != nil || c.Backing != onDisk {
		t.Fatalf("on the disk: %v %v", c, err)
	}
	if err := os.Rename(filepath.Join(dir, "volume.meta"), filepath.Join(disk, "kept")); err != nil {
		t.Fatal(err)
	}
	_, err = chain(replica.Want{})
	refused(t, err, "whether the volume has a backing file")
	if c, err := chain(replica.Want{Backing: onDisk}); err != nil || c.Backing != onDisk {
		t.Fatalf("given: %v %v", c, err)
	}
	if c, err := chain(replica.Want{NoBacking: true}); err != nil || c.Backing != "" {
		t.Fatalf("denied: %v %v", c, err)
	}
	if err := os.Rename(filepath.Join(disk, "kept"), filepath.Join(dir, "volume.meta")); err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{
		"QFI\xfb" + strings.Repeat("x", 508): "qcow2",
		"odd":                                "not a positive multiple of 512",
		"":                                   "not a positive multiple of 512",
		strings.Repeat("x", 128<<10):         "larger than the volume",
	} {
		put(t, filepath.Dir(onDisk), "backing", content)
		_, err := chain(replica.Want{})
		if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.8q: %v, want %q", content, err, want)
		}
	}
	remove(t, filepath.Dir(onDisk), "backing")
	_, err = chain(replica.Want{})
	refused(t, err, "not there")
}

// TestRead says what cannot be a replica directory.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "spdk", "SPDKBLOB"+strings.Repeat("\x00", 100))
	put(t, dir, "file", "x")
	for path, want := range map[string]string{
		dir:                         "no layer",
		filepath.Join(dir, "spdk"):  "v2 data engine",
		filepath.Join(dir, "file"):  "not a directory",
		filepath.Join(dir, "never"): "not found",
	} {
		_, err := replica.Read(path)
		if err == nil || !strings.Contains(err.Error(), want) || len(lab.Hints(err)) == 0 {
			t.Errorf("%s: %v, want %q and a hint", path, err, want)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "replicas"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := replica.Read(dir)
	if hints := fmt.Sprint(lab.Hints(err)); !strings.Contains(hints, filepath.Join(dir, "replicas")) {
		t.Errorf("a disk: hints %s", hints)
	}
	d, err := replica.Read(write(t, three()))
	if err != nil || d.Volume != "vol" {
		t.Errorf("volume %q, %v", d.Volume, err)
	}
}

// TestPoints lists every state that can be merged, and why another cannot.
func TestPoints(t *testing.T) {
	rep := three()
	rep.Branches = map[string]replicatest.Layer{"one": {Name: "aside"}}
	dir := write(t, rep)
	put(t, dir, "volume-snap-broken.img", "")
	put(t, dir, "volume-snap-broken.img.meta", `{"Parent":"volume-snap-gone.img"}`)
	d, err := replica.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range d.Points(replica.Want{}) {
		got = append(got, fmt.Sprintf("%q live=%v user=%v layers=%d ok=%v",
			p.Name, p.Live, p.User, p.Layers, p.Err == nil))
	}
	want := []string{
		`"" live=true user=false layers=3 ok=true`,
		`"aside" live=false user=false layers=2 ok=true`,
		`"broken" live=false user=false layers=0 ok=false`,
		`"one" live=true user=true layers=1 ok=true`,
		`"two" live=true user=false layers=2 ok=true`,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestLUKS: volumes before 1.13 do not say that they are encrypted, but their first bytes do.
func TestLUKS(t *testing.T) {
	needExtents(t, t.TempDir())
	dir := write(t, three())
	f, err := os.OpenFile(filepath.Join(dir, oneFile), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("LUKS\xba\xbe\x00\x02"), 0); err != nil {
		t.Fatal(err)
	}
	f.Close()
	d, err := replica.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, accept := range []bool{false, true} {
		c, err := d.Chain(replica.Want{Encrypted: accept})
		if err != nil {
			t.Fatal(err)
		}
		im, err := c.Open(t.Context())
		if !accept {
			refused(t, err, "LUKS header")
			continue
		}
		if err != nil || !has(im.Warnings, replica.WarnEncrypted) {
			t.Errorf("accepted: %v", err)
		}
		im.Close()
	}
}

// TestFullLayer warns of the trace that cp and rsync leave.
func TestFullLayer(t *testing.T) {
	needExtents(t, t.TempDir())
	rep := three()
	rep.Layers[1].Ops = []replicatest.Op{{Off: 0, Len: 16, Seed: 2}}
	if im := open(t, write(t, rep), replica.Want{}); !has(im.Warnings, replica.WarnFullLayer) {
		t.Errorf("no warning: %v", im.Warnings)
	}
	rep.Layers[1].Ops[0].Kind = replicatest.Reserve
	if im := open(t, write(t, rep), replica.Want{}); !has(im.Warnings, replica.WarnUnwritten) {
		t.Errorf("no warning: %v", im.Warnings)
	}
}
