// Package disk gives machines their data disks: a file system on a disk of its own, mounted where it
// belongs, and services that do not start without it.
//
//	c := disk.Config{Disks: []disk.Disk{{
//		Device:     "/dev/disk/by-id/usb-Samsung_SSD_870_S5Y2NF0R",
//		Label:      "longhorn",
//		Path:       "/var/lib/longhorn",
//		Initialise: host.InitialiseIfBlank,
//		Writers:    []string{"k3s.service", "k3s-agent.service"},
//	}}}
//	plan, err := m.Plan(ctx, c.State())
//
// # What it makes
//
// A disk that has a file system with the label is used as it is. One that has not is refused, unless
// it may be initialised, is proved blank, and a person has confirmed it; [host.Disk] says how. What
// is proved is not only that no tool knows a signature: the disk is read, since a disk full of raw
// data has none.
//
// The confirmation is the ID of the change, which contains the serial number that the disk is named
// by. A plan shows it, and a run without it fails and repeats it. The programs take it on the
// command line, and no document can hold it:
//
//	lab apply --confirm host/pi1/disk:/dev/disk/by-id/usb-Samsung_SSD_870_S5Y2NF0R
//
// In a program it is [lab.Confirm] of what a person typed, in [lab.ApplyOptions].
//
// The file system is mounted by its UUID, with the options noatime, nofail and
// x-systemd.device-timeout=30s: a machine boots without its disk, and can be repaired over SSH.
//
// # When the disk is not there
//
// A machine that boots without the disk must not write to the SD card what belongs on the disk: it
// would fill the card, and vanish when the disk is back. Two things prevent that. The directory
// under the mount is immutable (chattr +i), so that nothing can be written there, even by root. The
// services that are named as writers require the mount (RequiresMountsFor= in a drop-in of their
// unit), and do not start without it.
//
// A directory that is not empty before the first mount is refused, since the mount would hide what
// is in it. If something was written under a mount that is there already, the plan says so.
//
// # When the power fails
//
// The order of the changes is: drop-ins, file system, immutable directory, fstab, mount. Cut off
// after any of them, the machine boots and the next run goes on. A file system whose creation was cut
// off is recognised by the name of its partition, lab-unfinished, and created again after another
// confirmation.
//
// # What it never does
//
// It accepts no name that can lead to a different disk after a reboot (/dev/sda), takes no other disk in place
// of one that is missing, never formats a disk with a partition, a signature, a mount, a holder or
// any data, and never unmounts anything. To replace a disk, give its new name; the old one is left
// as it is.
//
// # Errors
//
// What is wrong with a Config is a [lab.Problems]; State does not look for it. A disk that may not be
// used fails the machine's plan with [lab.ErrRefused], one that is missing with [lab.ErrNotFound], a
// mount point that is in use with [lab.ErrConflict].
package disk
