package kernel

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"syscall"
)

// Address is of the machine's one network interface.
func (k *Kernel) Address() string { return "192.168.1.201" }

// Listen makes a TCP port answer with f, which closes the connection; nil frees the port.
func (k *Kernel) Listen(port int, f func(net.Conn)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ports == nil {
		k.ports = map[int]func(net.Conn){}
	}
	if k.ports[port] = f; f == nil {
		delete(k.ports, port)
	}
}

// procTCP is /proc/net/tcp (proc_net_tcp.txt of the kernel): what listens, on all addresses.
func (k *Kernel) procTCP() string {
	s := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	for i, port := range append(slices.Sorted(slices.Values(k.OpenPorts())), 22) {
		s += fmt.Sprintf("%4d: 00000000:%04X 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 %d 1\n",
			i, port, 20000+port)
	}
	return s
}

// OpenPorts lists what listen made, in no order.
func (k *Kernel) OpenPorts() []int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Keys(k.ports))
}

func (k *Kernel) Listens(port int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ports[port] != nil
}

// ListenUnix makes a socket, owned by root with mode 0660 and the given group's id, that answers with f.
func (k *Kernel) ListenUnix(path string, gid int, f func(net.Conn)) error {
	t := k.Tree
	t.mu.Lock()
	defer t.mu.Unlock()
	s, err := t.Walk(RootCred, "/", path, false)
	if err == nil && s.Exists() {
		err = syscall.EADDRINUSE
	}
	if err == nil {
		_, err = t.create(Cred{GID: uint32(gid)}, s, ModeSocket|0o660)
	}
	if err != nil {
		return pathErr("bind", path, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sockets == nil {
		k.sockets = map[string]func(net.Conn){}
	}
	k.sockets[s.Path] = f
	return nil
}

// IsLocal reports that a host is this machine by a name that it has for itself.
func (k *Kernel) IsLocal(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1" || host == k.Hostname()
}

// Dial connects to a port of this machine, or where the owner of the machine lets it.
func (k *Kernel) Dial(address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n, _ := strconv.Atoi(port)
	k.mu.Lock()
	f := k.ports[n]
	k.mu.Unlock()
	if f == nil || !k.IsLocal(host) {
		return k.Config.Dial(address)
	}
	a, b := net.Pipe()
	k.Go(func() { f(b) })
	return a, nil
}

// DialUnix connects to a socket with somebody's permissions.
func (k *Kernel) DialUnix(c Cred, path string) (net.Conn, error) {
	t := k.Tree
	t.mu.Lock()
	s, err := t.Must(c, "/", path, true)
	if err == nil && !c.may(s.At.Inode(), MayWrite) {
		err = syscall.EACCES
	}
	t.mu.Unlock()
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	f := k.sockets[s.Path]
	k.mu.Unlock()
	if f == nil {
		return nil, syscall.ECONNREFUSED
	}
	a, b := net.Pipe()
	k.Go(func() { f(b) })
	return a, nil
}
