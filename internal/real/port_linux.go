package real

import (
	"net"
	"os"
	"sync"
	"syscall"
)

// reservePort reserves a free port of an IPv4 address for a server that is started
// later, and perhaps restarted: until release is called, the kernel does not
// assign the port to a process that asks for any port. The server can still bind
// it by number with SO_REUSEADDR, which servers set: Linux allows that as long as
// only one socket listens. Until then, connections to the port are refused.
func reservePort(host string) (port int, release func(), err error) {
	ip := net.ParseIP(host).To4()
	if ip == nil {
		return 0, nil, &net.AddrError{Err: "not an IPv4 address", Addr: host}
	}
	fail := func(call string, err error) (int, func(), error) {
		return 0, nil, &net.OpError{Op: "reserve a port", Net: "tcp", Addr: &net.IPAddr{IP: ip},
			Err: os.NewSyscallError(call, err)}
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fail("socket", err)
	}
	defer func() {
		if err != nil {
			_ = syscall.Close(fd)
		}
	}()
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return fail("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte(ip)}); err != nil {
		return fail("bind", err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		return fail("getsockname", err)
	}
	return bound.(*syscall.SockaddrInet4).Port, sync.OnceFunc(func() { _ = syscall.Close(fd) }), nil
}
