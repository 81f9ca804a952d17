// Package nfs shares a directory on a disk of its own with other machines: where the lab's backups go.
//
//	server := nfs.Config{Exports: []nfs.Export{{
//		Path: "/mnt/backups", Clients: []string{"192.168.1.201", "192.168.1.203"},
//	}}}
//	client := nfs.Config{Shares: []nfs.Share{{
//		Server: "192.168.1.202", Path: "/mnt/backups", At: "/mnt/backups",
//	}}}
//	plan, err := m.Plan(ctx, append(disks.State(), server.State()...))
//
// # The server
//
// Clients are named by their addresses, one by one: no names, no networks and no "*". Files are
// written synchronously, and root of a client is nobody here, unless NoRootSquash says otherwise, which
// Longhorn's backups to NFS can need.
//
// A path that is not a mount point is refused, since clients would fill the SD card of a server whose
// disk is missing. That is looked at when planning, once more just before the export, and from then
// on by the server itself (the option mountpoint of exports(5)); and nfs-server.service requires
// the mount. The mount may be made by the same plan, as by package
// host/disk. It is an error if another file exports the same path, to whomever.
//
// What counts is what is exported, not only what the file says: both are compared.
//
// # The client
//
// A share is mounted at the first access (x-systemd.automount), so that a client boots without its
// server. Requests to a server that does not answer fail after some 40 s (soft, timeo=100,
// retrans=3): a backup fails then, and nothing hangs for good. The directory under the mount is
// immutable, so that nothing is written there while the share is not mounted.
//
// # What it never does
//
// It removes no export that it is no longer told of: remove /etc/exports.d/lab.exports and run
// exportfs -ra.
//
// # Errors
//
// What is wrong with a Config is a [lab.Problems]; State does not look for it. A path that is not a
// mount point fails the machine's plan with [lab.ErrRefused], another export of it with
// [lab.ErrConflict].
//
// # Testing
//
// Package nfstest gives a machine of host/hosttest an exportfs.
package nfs
