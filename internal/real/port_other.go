//go:build !linux

package real

import "net"

// reservePort gives a port of the address that nobody listened on a moment ago:
// without Linux, a port that is bound cannot be listened on by another process.
func reservePort(host string) (port int, release func(), err error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return 0, nil, err
	}
	return l.Addr().(*net.TCPAddr).Port, func() {}, l.Close()
}
