// Package hosttest makes machines in this process that speak real SSH.
//
// A [Machine] listens on a loopback port, lets a user in by key, certificate or password, and runs a POSIX shell over a
// Debian 12 file system in memory, with the coreutils, dpkg and apt, systemd, mounts, disks and accounts that a lab's
// tools use. What a program does to it can be read back (FS, Counters), and it can be made to fail (Faults).
//
//	m := hosttest.New(t, hosttest.Config{Hostname: "pi1"})
//	// dial m.Addr() as m.User() with m.ClientKey(), expecting m.HostKey()
//
// A machine is as strict as the real one: an unknown program is 127, an unknown option fails with the real message,
// permissions are checked, a rename across file systems fails, readdir is not sorted, and what was written without a sync
// is lost in a power cut. Where it cannot do what the real machine does, it fails loudly and says "hosttest:".
//
// # The shell
//
// /bin/sh behaves as dash 0.5.12: redirections of descriptors 0 to 9, $$ and $!, traps, set -e, and the messages, which
// the tests compare with the real shell's. The language is parsed by mvdan.cc/sh and evaluated here. What differs:
// /bin/bash is the same shell (bash's own syntax is an error), with bash's wording for a missing command; a script is parsed
// before it runs (a syntax error still lets the lines before it run); syntax and arithmetic errors are worded otherwise;
// alias, fg, bg and terminals are missing; STOP and CONT do nothing.
//
// Each command is a process with an id, a group and a session, on a goroutine of its own; ps, kill, pgrep and /proc see it.
// As on a real machine, flock between setsid and sh is the leader of the session, and $$ of the sh is its child's.
//
// # How it is built
//
// The rooms are below internal: kernel (files, processes, disks, mounts), libc (what programs share), sh, the programs in
// posix, utillinux, accounts, systemd, apt and netclient, sshd, and debian, which puts them together. Here are the machine, its
// configuration, faults and counters. debiantest runs scripts on a machine and on a real Debian, and compares.
//
// # What it never does
//
// It runs no program of the host, touches none of its files, and connects only to loopback addresses unless Config.Dial
// says otherwise.
package hosttest
