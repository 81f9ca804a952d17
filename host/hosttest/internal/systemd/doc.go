// Package systemd is the service manager of a fake machine, with systemctl, journalctl and the programs that ask it.
//
// A [Manager] lives from one boot to the next: [Start] makes it, runs the generators and starts what the default target
// wants; [Of] finds it. A service whose executable has no program is a process that only stands there.
package systemd
