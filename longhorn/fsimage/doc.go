// Package fsimage looks into a disk image or a block device: what file system it holds, whether
// that is sound, and the files in it. The image may come from anywhere; package replica merges
// replicas into one.
//
//	check, err := fsimage.Check(ctx, "volume.img")                              // e2fsck -n, xfs_repair -n
//	x, err := fsimage.Extract(ctx, "volume.img", "files", fsimage.Extraction{}) // content, owners, links
//
// [Identify] reads superblocks and works on any system. [Check] and [Extract] need Linux and run
// its own tools: e2fsprogs, xfsprogs, mount. Which of them are missing is reported.
//
// # What it never does
//
// It never changes a bit of the image. Where a journal is to be replayed, that is done on a copy
// beside it. It never writes through a symbolic link of the image, never replaces an existing file,
// never writes to a replica directory, and gives the output its name only when it is complete.
//
// # Errors
//
// Every error is a [lab.Error] with the file and, where there is one, the next step.
// [lab.ErrRefused]: a guard said no, nothing was written. [lab.ErrNotFound]: no such image.
// [errors.ErrUnsupported]: not on this system.
package fsimage
