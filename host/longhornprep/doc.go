// Package longhornprep gives machines what Longhorn needs of them before it is installed: an iSCSI
// initiator with a name of its own, NFS and encryption if they are wanted, and a multipathd that
// leaves its disks alone.
//
//	c := longhornprep.Config{NFS: true, Encryption: true}
//	plan, err := m.Plan(ctx, c.State(longhornprep.Machine{Name: "pi1", Taken: names}))
//
// # The name of the initiator
//
// Machines that were set up from one SD card image have the same initiator name, with which iSCSI
// takes one for the other. A name is kept if no other machine has it. One that is missing, or that
// another machine has, is replaced by one that is made from the machine's name, unless volumes are
// attached.
//
// [Machine.Taken] lists the names of the other machines. [Examine] reads them:
//
//	r, err := longhornprep.Examine(ctx, m, "/var/lib/longhorn")
//	names = append(names, r.Initiator)
//
// # Multipath
//
// If multipathd takes the disks of a volume, mounting it fails with "already mounted or mount point
// busy" (https://longhorn.io/kb/troubleshooting-volume-with-multipath). By default a configuration
// file tells it to leave all disks named sd* alone, also if it is only installed later; with
// Multipath set to "mask" it can never be started. Both are refused while something uses a
// multipath device.
//
// # Before Longhorn is installed
//
// [Examine] looks at a machine and returns a row for each thing that Longhorn's own preflight check
// asks for, with what was found and what to do: commands, modules, iscsid, NFS 4.1 or 4.2 in the
// kernel, shared mount propagation, and the data directory on a disk of its own. It changes nothing.
//
// # Errors
//
// What is wrong with a Config or a Machine is a [lab.Problems]; State does not look for it.
package longhornprep
