package ssh

import "golang.org/x/sys/unix"

// sendQueue returns how many bytes a TCP socket holds until they are acknowledged: SO_NWRITE.
func sendQueue(fd int) int {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NWRITE)
	if err != nil {
		return 0
	}
	return n
}
