// Package health examines machines: whether they can be reached and changed, and whether they are
// well. It changes nothing, and needs root for nothing but to find out whether sudo works.
//
//	health.Look(ctx, m, func(f lab.Finding) { fmt.Println(f.Verdict, f.Check, f.Text) })
//
// Each thing that is examined is a [lab.Finding]: what was found, a verdict, and the next step if
// something is to be done. Findings are reported as they come, so that of a machine that hangs in
// the middle all is known that was said before; ctx ends the rest.
//
// # What is examined
//
//	reachable     a connection, through the jumps if there are any
//	host key      the machine proves who it is
//	login         the user is let in
//	clock         its time and ours agree, as far as the round trip lets one tell: bad from a minute on
//	uptime        the time since it was booted
//	memory        what is available: bad below 3 %, a warning below 10 %, or if the kernel had to kill a process
//	power         Raspberry Pis: the supply's voltage; the temperature of the processor, a warning from 80 °C on
//	reboot        a package asked for one, or the running kernel's modules are gone
//	disk space    each local file system: bad from 95 % on unless 20 GiB are free, a warning from 85 % on
//	              unless 100 GiB are
//	file systems  one that is read-only, and is not by /etc/fstab: the kernel does that after I/O errors
//	time source   the clock is kept in step by a time server
//	units         the services that failed, and whether the machine is still booting
//	sudo          a script runs as root
//
// A thing that cannot be examined, because one before it failed, is unknown. Nothing is said of the
// power of a machine that has no sensor for it.
package health
