package sshd

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// conn counts the bytes and the turns of a connection, and can be cut.
type conn struct {
	net.Conn
	s        *Server
	answered atomic.Bool // something was answered that the client may wait for
	open     atomic.Bool // the handshake is over: answers are marked where they are made
	sessions atomic.Int32

	queue chan packet
	done  chan struct{}
	once  sync.Once
}

type packet struct {
	due time.Time
	b   []byte
}

// delay sends everything d later, in order.
func (c *conn) delay(d time.Duration) {
	c.queue, c.done = make(chan packet, 1024), make(chan struct{})
	c.s.k.Go(func() {
		for {
			select {
			case p := <-c.queue:
				t := time.NewTimer(time.Until(p.due))
				select {
				case <-t.C:
				case <-c.done:
					t.Stop()
					return
				}
				if _, err := c.raw().Write(p.b); err != nil {
					c.kill()
					return
				}
			case <-c.done:
				return
			}
		}
	})
	c.latency(d)
}

func (c *conn) latency(d time.Duration) { c.Conn = &delayed{c.Conn, c, d} }

type delayed struct {
	net.Conn
	c *conn
	d time.Duration
}

func (d *delayed) Write(b []byte) (int, error) {
	select {
	case d.c.queue <- packet{time.Now().Add(d.d), bytes.Clone(b)}:
		return len(b), nil
	case <-d.c.done:
		return 0, net.ErrClosed
	}
}

func (c *conn) raw() net.Conn {
	if d, ok := c.Conn.(*delayed); ok {
		return d.Conn
	}
	return c.Conn
}

func (c *conn) Read(b []byte) (int, error) {
	blocked := !readable(c.raw())
	n, err := c.raw().Read(b)
	c.s.count.In.Add(int64(n))
	// Messages of the smallest size are ends of channels and window adjustments, for which nobody waits.
	small := n%smallest == 0 && n <= 8*smallest && c.open.Load()
	if n > 0 && blocked && !small && c.answered.Swap(false) {
		c.s.count.Turns.Add(1)
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	if c.s.k.Off() {
		return 0, net.ErrClosed
	}
	n, drop := c.s.Faults.sending(len(b))
	c.s.count.Out.Add(int64(n))
	if !c.open.Load() {
		c.answered.Store(true)
	}
	n, err := c.Conn.Write(b[:n])
	if drop {
		c.kill()
		return n, net.ErrClosed
	}
	return n, err
}

func (c *conn) Close() error {
	c.once.Do(func() {
		if c.done != nil {
			close(c.done)
		}
	})
	return c.raw().Close()
}

// smallest is the size on the wire of a message of up to eleven bytes, with the ciphers that Go and OpenSSH prefer.
const smallest = 36

// kill breaks the connection without a goodbye.
func (c *conn) kill() {
	if tc, ok := c.raw().(*net.TCPConn); ok {
		tc.SetLinger(0)
	}
	c.Close()
}

// readable tells whether bytes have arrived already.
func readable(nc net.Conn) bool {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	got := false
	raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|msgDontWait)
		got = n > 0 || err == nil
	})
	return got
}
