package ssh

import (
	"net"
	"syscall"
)

// unacknowledged returns how many bytes that were written to the connection have not been acknowledged
// by the other side; 0 if the kernel does not tell.
func unacknowledged(nc net.Conn) int64 {
	c, ok := nc.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	n := 0
	if raw.Control(func(fd uintptr) { n = sendQueue(int(fd)) }) != nil {
		return 0
	}
	return int64(n)
}
