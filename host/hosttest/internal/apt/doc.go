// Package apt is dpkg and APT of a fake machine, and the archive that they install from: what Debian has
// ([SetArchive]), and what a test adds to it ([Add]). Downloads and locks fail as [Faults] says.
package apt
