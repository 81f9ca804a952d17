// Package kernel is the kernel of a fake machine: files, processes, descriptors, signals, disks and mounts.
//
// It knows neither programs nor the shell nor what is installed. Whoever makes one gives it the images of its disks, a
// table of programs and a few hooks, in [Config]: the clock, what is asked before each change and each program, and how
// much fits on the disks. A [Program] is a function of a [Process], which it reads its arguments from and writes to,
// and returns the exit code. What a service of the machine must remember between two programs it keeps with [Local].
//
// Methods of a Process that stand for a system call fail with the error number of Linux, as a syscall.Errno.
package kernel
