//go:build !linux

package sshd

// msgDontWait is MSG_DONTWAIT of the BSDs, which package syscall does not name on darwin.
const msgDontWait = 0x80
