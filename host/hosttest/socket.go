package hosttest

import (
	"maps"
	"net"
	"slices"
	"strconv"
	"syscall"
)

// address is of the machine's one network interface.
func (k *Kernel) address() string { return "192.168.1.201" }

// listen makes a TCP port answer with f, which closes the connection.
func (k *Kernel) listen(port int, f func(net.Conn)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ports == nil {
		k.ports = map[int]func(net.Conn){}
	}
	k.ports[port] = f
}

// openPorts lists what listen made, in no order.
func (k *Kernel) openPorts() []int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Keys(k.ports))
}

func (k *Kernel) listens(port int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ports[port] != nil
}

// listenUnix makes a socket, owned by root with mode 0660 and the given group's id, that answers with f.
func (k *Kernel) listenUnix(path string, gid int, f func(net.Conn)) error {
	t := k.tree
	t.mu.Lock()
	defer t.mu.Unlock()
	s, err := t.walk(rootCred, "/", path, false)
	if err == nil && s.exists() {
		err = syscall.EADDRINUSE
	}
	if err == nil {
		_, err = t.create(cred{gid: uint32(gid)}, s, sIFSOC|0o660)
	}
	if err != nil {
		return pathErr("bind", path, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sockets == nil {
		k.sockets = map[string]func(net.Conn){}
	}
	k.sockets[s.path] = f
	return nil
}

// isLocal reports that a host is this machine by a name that it has for itself.
func (k *Kernel) isLocal(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1" || host == k.Hostname()
}

// dial connects to a port of this machine, or where the owner of the machine lets it.
func (k *Kernel) dial(address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n, _ := strconv.Atoi(port)
	k.mu.Lock()
	f := k.ports[n]
	k.mu.Unlock()
	if f == nil || !k.isLocal(host) {
		return k.cfg.Dial(address)
	}
	a, b := net.Pipe()
	k.goServe(func() { f(b) })
	return a, nil
}

// dialUnix connects to a socket with somebody's permissions.
func (k *Kernel) dialUnix(c cred, path string) (net.Conn, error) {
	t := k.tree
	t.mu.Lock()
	s, err := t.must(c, "/", path, true)
	if err == nil && !c.may(s.at.inode(), mayWrite) {
		err = syscall.EACCES
	}
	t.mu.Unlock()
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	f := k.sockets[s.path]
	k.mu.Unlock()
	if f == nil {
		return nil, syscall.ECONNREFUSED
	}
	a, b := net.Pipe()
	k.goServe(func() { f(b) })
	return a, nil
}
