// Package replica measures the replica merge against cp, side by side in the same run.
//
//	go test -bench . -benchtime 5x ./bench/replica             # a volume of 256 MiB
//	go test -bench . -benchtime 5x ./bench/replica -full       # the volume of the stated figures: 4 GiB, 950 MiB of data
//	go test -bench . ./bench/replica -full -dir /mnt/somewhere # on another disk
//
// Each iteration copies the merged image with `cp --sparse=always` and fsync, then merges the
// replica again, to the same disk, fsync included. The times are the least of all iterations;
// "ratio" is merge divided by cp, at most 1.1 wanted for contiguous layers and under 1.0 for
// fragmented ones. In the runs called cold, the files are evicted from the page cache before they
// are read (posix_fadvise); in the warm ones they are in it. The merge with its SHA-256 also hashes
// the holes, at the speed of one core: "hashed-ratio" has it, cp has no hash.
package replica
