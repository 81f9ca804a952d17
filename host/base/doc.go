// Package base is what every machine of the lab has, whatever runs on it: a name, the names of its
// peers, packages, accounts, the time, kernel parameters, security updates. A [Config] is written
// once for all machines; its method State is a pure function to a [host.State], so that a machine's
// plan shows every change:
//
//	c := base.Config{Timezone: "Europe/Paris", Packages: []string{"curl"}, NoSwap: true}
//	plan, err := m.Plan(ctx, c.State(base.Machine{Name: "pi1", Domain: "arcodange.lab"}))
//
// It is the first of the components of a machine, and the model of the others: a struct with its
// own yaml tags whose zero value works, Validate, which returns everything that is wrong with it by
// the paths of its fields, and State. A component reads nothing, connects to nothing and knows
// nothing of the others.
//
// # What it takes care of
//
// Names: a machine that is a node of a k3s cluster is not renamed, since it would join a second time. An image whose
// cloud-init writes /etc/hosts at every boot is told not to, or, where user-data says so, refused.
//
// Time: at least one time server is named by its address, since after a power cut a Raspberry Pi has neither the time nor,
// if DNS runs on the machines themselves, names. A chrony that is installed is kept and gets the servers; with "chrony" in
// Packages it takes the place of systemd-timesyncd; ntpsec and others are refused in words.
//
// Unattended upgrades: security updates alone, without a reboot. docker-ce, docker-ce-cli, docker.io, containerd.io,
// containerd, runc and k3s are never touched, nor what HoldBack lists. A configuration of apt that turns the upgrades off, or
// lets them reboot, is refused.
//
// The kernel command line, on Raspberry Pis only: the words are added to its one line, in whichever of the three files the
// machine has, with the old line beside it. The machine is rebooted once for them. If that changes nothing, because the
// firmware reads another file or the kernel has a bug, the plan says so, and nothing is rebooted again.
//
// Swap: off now and at boot, however it is set up: fstab, dphys-swapfile, rpi-swap, zram. The journal: limits for SD cards.
// Where apt is locked, as by unattended-upgrades after a boot, it waits for 5 minutes; the lock is never removed.
//
// # Errors
//
// What is wrong with a Config or a Machine is a [lab.Problems]; State does not look for it.
package base
