package replica

// Want says which state of the volume is wanted, and which doubts are accepted. The zero value is the
// live state, and no doubts.
type Want struct {
	// Snapshot is the recovery point: a snapshot's name or a layer's file name, on the live chain
	// or on a side branch. Empty means the head.
	Snapshot string
	// Backing is a raw backing file to use instead of the one that the metadata names. Empty means
	// that one, which is looked for beside the replica too.
	Backing string
	// NoBacking says that the volume has no backing file, where that is not known because
	// volume.meta is lost.
	NoBacking bool
	// Size is the volume's size in bytes, used where volume.meta is lost. 0 means that of the
	// newest layer.
	Size int64
	// Borrow lets lost metadata be read from Peers.
	Borrow bool
	// Peers are other replicas of the same volume; the replica itself may be among them. [Rank]
	// fills them in.
	Peers []*Directory
	// Parents says what the parent of a layer is whose .meta is lost: by the layer's file name the
	// parent's file name, or "" for the oldest layer. What a .meta says is not overruled.
	Parents map[string]string
	// ForceRebuilding accepts a replica that was, or may have been, being rebuilt.
	ForceRebuilding bool
	// DropMissing leaves a missing layer out where a purge was cut off at the one point where its
	// parent holds all of its data.
	DropMissing bool
	// Encrypted accepts an encrypted volume: what is merged is then its LUKS container.
	Encrypted bool
}
