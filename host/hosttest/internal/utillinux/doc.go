// Package utillinux is the programs of a fake machine for disks, mounts, processes and the kernel: util-linux,
// e2fsprogs, xfsprogs, fdisk, procps, kmod, iproute2 and a few small ones.
package utillinux
