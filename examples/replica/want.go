package main

import (
	"errors"
	"strings"

	"github.com/spf13/pflag"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica"
)

// wantFlags defines the flags that say which state is wanted and which doubts are accepted.
func wantFlags(f *pflag.FlagSet, w *replica.Want) {
	f.StringVar(&w.Snapshot, "snapshot", "", "recovery point: a `NAME` that inspect lists, instead of the live state")
	f.StringVar(&w.Backing, "backing", "", "raw backing `FILE`, instead of the one that volume.meta names")
	f.BoolVar(&w.NoBacking, "no-backing", false, "the volume has no backing file, where volume.meta is lost")
	f.Int64Var(&w.Size, "size", 0, "the volume's size in `BYTES`, where volume.meta is lost")
	f.BoolVar(&w.Borrow, "borrow", false, "read lost metadata from the other replicas given")
	f.Func("parent", "where the metadata of the layer FILE is lost: its parent is the snapshot PARENT, "+
		"nothing for the oldest layer; may be given several times, as `FILE=PARENT`", func(s string) error {
		file, parent, ok := strings.Cut(s, "=")
		if !ok || file == "" {
			return errors.New("want FILE=PARENT")
		}
		if w.Parents == nil {
			w.Parents = map[string]string{}
		}
		w.Parents[layerFile(file)] = layerFile(parent)
		return nil
	})
	f.BoolVar(&w.ForceRebuilding, "force-rebuilding", false,
		"accept a replica that was being rebuilt, and is half copied")
	f.BoolVar(&w.DropMissing, "drop-missing", false,
		"leave out a layer that a purge, cut off, had merged into its parent")
	f.BoolVar(&w.Encrypted, "encrypted", false, "accept an encrypted volume: the image is its LUKS container")
}

// layerFile returns a layer's file name where it, or a snapshot's name, was given.
func layerFile(name string) string {
	if name == "" || strings.HasPrefix(name, "volume-") && strings.HasSuffix(name, ".img") {
		return name
	}
	return "volume-snap-" + name + ".img"
}
