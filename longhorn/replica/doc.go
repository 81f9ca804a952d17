// Package replica reads, ranks and merges Longhorn replica directories (v1 data engine) without
// Longhorn: no cluster, no container, no iSCSI, no cgo. It runs on the machine that owns the disk,
// and recovers a volume's content as a raw image, exactly as an engine would return it after
// opening the replica again.
//
//	dirs, err := replica.ReadAll(paths)                                            // metadata, leniently
//	ranking, err := replica.Rank(ctx, dirs, replica.Want{}, replica.RankOptions{}) // which is best, and why
//	image, err := ranking.Best().Chain.Open(ctx)                                   // layers and their extents
//	result, err := image.Save(ctx, replica.Output{Path: "volume.img"})             // sparse, hashed, resumable
//
// Package fsimage checks the file system in the image, and copies the files out of it.
//
// # What a replica is
//
// A directory of sparse files: a head, which was written to, and snapshots below it, each naming
// its parent. Of every sector of 4096 bytes the newest layer that has any extent there has the
// content; without one it reads as zeros. So a hole is not a zero: copying the directory with cp,
// rsync, dd, or tar without -S turns the one into the other and corrupts the volume silently.
// [Pack] and [Unpack] move it intact. Extents come from FIEMAP, which needs Linux; without it,
// metadata can still be read and ranked.
//
// # What it never does
//
// It never writes to a replica directory, and changes not even an access time where the system lets
// it be spared (root and the owner may). It never merges a directory that a process has open for
// writing, never replaces an existing file, and gives the output its name only when it is complete,
// on disk, and the sources are proved unchanged. It is never wrong in silence: a state that leaves
// a doubt is refused, with the way out, or comes with a named [Warning].
//
// # The tree hash
//
// What Save computes unless another [Hash] is asked for: the image is cut into pieces of 4 MiB, and a
// piece into sectors of 4096 bytes; the last piece may be shorter. The digest of a sector is its SHA-256;
// that of a piece is the SHA-256 of its sectors' digests, of 32 bytes each, in their order; the tree hash
// is the SHA-256 of the pieces' digests, in their order, in hexadecimal. The digests of a sector and of a
// piece of zeros are known beforehand, so that holes cost nothing, and pieces are hashed in parallel.
// testdata/treehash.py checks an image with ten lines of Python.
//
// # Errors
//
// Every error is a [lab.Error] with the file and the next step. [lab.ErrRefused]: a guard said no,
// nothing was written. [lab.ErrDrift]: a source changed meanwhile. [lab.ErrNotFound]: no such
// directory or snapshot. [errors.ErrUnsupported]: not on this system. [lab.ErrInvalid]: a stream
// that is not what [Pack] wrote.
//
// # Testing with it
//
// Package replicatest writes replica directories of any shape, including those that a power cut
// leaves, and reads them by a slow and independent path to compare with.
//
// The facts are those of longhorn-engine v1.13 (pkg/replica: replica.go, diff_disk.go, extents.go,
// hash.go, revision_counter.go).
package replica
