// Package diskfile reads and writes the files of a Longhorn disk, for the packages under longhorn:
// opened without changing their access times, with the extents that the file system reports, and
// with output that is never in a replica directory, never replaces a file, and has its name only
// when it is complete.
//
// Extents need Linux ([errors.ErrUnsupported] elsewhere); files can be read on any system.
package diskfile
