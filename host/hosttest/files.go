package hosttest

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

// An FS is the file system of a machine, as its root user sees it. What is written through it is on the disk
// at once, is not counted in Counters, and asks no fault.
type FS = kernel.FS

// A Stat is what stat(2) tells of a file.
type Stat = kernel.Stat

// A Snapshot describes files by path, to find out what has changed meanwhile: see FS.Snapshot and Snapshot.Diff.
type Snapshot = kernel.Snapshot

// A Mount is a line of /proc/mounts.
type Mount = kernel.Mount
