// Package replica measures the replica merge against cp, side by side in the same run.
//
//	go test -bench . -benchtime 5x ./bench/replica             # a volume of 256 MiB
//	go test -bench . -benchtime 5x ./bench/replica -full       # the volume of the stated figures: 4 GiB, 950 MiB of data
//	go test -bench . ./bench/replica -full -dir /mnt/somewhere # on another disk
//
// Each iteration copies the merged image with `cp --sparse=always` and fsync, then merges the
// replica again, to the same disk, fsync included. The times are the least of all iterations;
// "ratio" is a merge without a hash divided by cp, "hashed-ratio" one with the tree hash, at most 1.2
// wanted for contiguous layers and under 1.0 for fragmented ones. In the runs called cold, the files
// are evicted from the page cache before they are read (posix_fadvise); in the warm ones they are in it.
//
// NearlyEmpty measures merges of a volume with little data: "ratio" is one with the tree hash divided
// by one without a hash, at most 1.5 wanted. The plain SHA-256 is measured beside it, once.
package replica
