package real

import (
	"net"
	"os"
	"sync"
	"syscall"
)

// reservePort takes a free port of an IPv4 address for a server that is started
// later, and perhaps again: until release is called, the kernel gives it to
// nobody who asks for any port. It can be bound by number all the same, by
// those who set SO_REUSEADDR, as servers do: Linux lets them as long as only
// one listens. Nobody is reached at it meanwhile.
func reservePort(host string) (port int, release func(), err error) {
	ip := net.ParseIP(host).To4()
	if ip == nil {
		return 0, nil, &net.AddrError{Err: "not an IPv4 address", Addr: host}
	}
	fail := func(call string, err error) (int, func(), error) {
		return 0, nil, &net.OpError{Op: "reserve a port", Net: "tcp", Addr: &net.IPAddr{IP: ip}, Err: os.NewSyscallError(call, err)}
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
