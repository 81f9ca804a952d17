package ssh

import "golang.org/x/sys/unix"

// sendQueue returns how many bytes a TCP socket holds until they are acknowledged, SIOCOUTQ of tcp(7);
// 0 for other sockets.
func sendQueue(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}
