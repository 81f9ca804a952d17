package ssh

import (
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// wire is the connection that SSH is spoken over.
type wire struct {
	net.Conn
	sent, received *atomic.Int64 // bytes

	readFailed atomic.Bool
	lost       chan struct{} // closed when the SSH connection has ended
	arrived    chan struct{} // gets a value when something has arrived
	inUse      chan struct{} // closed when the first channel is in use
	once       sync.Once
}

func newWire(nc net.Conn) *wire {
	return &wire{
		Conn: nc, sent: new(atomic.Int64), received: new(atomic.Int64),
		lost: make(chan struct{}), arrived: make(chan struct{}, 1), inUse: make(chan struct{}),
	}
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.received.Add(int64(n))
	if err != nil {
		w.readFailed.Store(true)
	}
	select {
	case w.arrived <- struct{}{}:
	default:
	}
	return n, err
}

// Write fails once Read has failed, so that a request whose answer cannot arrive fails too. See
// [errLost].
func (w *wire) Write(p []byte) (int, error) {
	if w.readFailed.Load() {
		return 0, net.ErrClosed
	}
	n, err := w.Conn.Write(p)
	w.sent.Add(int64(n))
	return n, err
}

// markInUse records that the first channel is in use.
func (w *wire) markInUse() { w.once.Do(func() { close(w.inUse) }) }

// acknowledge answers whatever arrives between the login and the first use of a channel with a packet
// that requests nothing. That saves 40 ms on Linux and 100 ms on macOS: sshd disables Nagle's algorithm
// only when it executes something (ssh_packet_set_interactive in do_exec). Before that it announces its
// host keys, and holds back its next packet until the announcement is acknowledged, which our kernel
// delays while we send nothing.
func (w *wire) acknowledge(client *ssh.Client) {
	for {
		select {
		case <-w.arrived:
			_, _, _ = client.SendRequest("keepalive@openssh.com", false, nil)
		case <-w.inUse:
			return
		case <-w.lost:
			return
		}
	}
}
