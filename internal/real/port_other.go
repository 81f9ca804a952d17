//go:build !linux

package real

import "net"

// reservePort returns a port of the address that was free a moment ago: on other
// systems than Linux, another process cannot listen on a port that is bound.
func reservePort(host string) (port int, release func(), err error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return 0, nil, err
	}
	return l.Addr().(*net.TCPAddr).Port, func() {}, l.Close()
}
