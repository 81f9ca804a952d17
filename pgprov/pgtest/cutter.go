package pgtest

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
)

// Cutter is a dialer that cuts a connection at a chosen request, whatever server is at the other
// end. The zero Cutter cuts nothing.
type Cutter struct {
	Boundary lab.Dialer // nil means a plain dialer

	cuts fake.Faults[Failure] // by request
}

// Arm cuts at the n-th request from now on, once: 1 is the next. [LoseBefore] cuts before the
// request is sent, [LoseAfter] when the server has answered it, and keeps the answer.
func (c *Cutter) Arm(n int, how Failure) {
	c.cuts.Reset()
	c.cuts.At(n, how)
}

// Reset clears a cut that has not come yet.
func (c *Cutter) Reset() { c.cuts.Reset() }

// Fired reports whether it has cut since it was armed.
func (c *Cutter) Fired() bool { return c.cuts.Fired() > 0 }

// DialContext dials, for pgprov.Server.Boundary.
func (c *Cutter) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := c.Boundary
	if dialer == nil {
		dialer = &net.Dialer{}
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &cutConn{Conn: conn, cutter: c}, nil
}

// cutConn is a connection that the cutter can cut. The client may read while it writes: pgx does
// when a write takes long, and then an answer that is to be kept from it can come to either of the
// two.
type cutConn struct {
	net.Conn
	cutter *Cutter

	keeping atomic.Bool // what is read is kept from the client
	reading sync.Mutex  // held by who reads, and over the following
	kept    []byte
	cut     bool
}

var errCut = errors.New("pgtest: the connection was cut")

func (c *cutConn) Write(b []byte) (int, error) {
	if len(b) == 0 || b[0] != 'Q' && b[0] != 'P' { // a simple query, or the first message of an extended one
		return c.Conn.Write(b)
	}
	how, due := c.cutter.cuts.Next()
	if !due {
		return c.Conn.Write(b)
	}
	defer c.Conn.Close()
	if how == LoseBefore {
		return 0, errCut
	}
	c.keeping.Store(true)
	n, err := c.Conn.Write(b)
	if err == nil {
		_, _ = c.Read(make([]byte, 4096)) // until the server has answered
	}
	return n, err
}

// Read reads on to the end of an answer that is kept, and says then that the connection was cut.
func (c *cutConn) Read(b []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	for !c.cut {
		n, err := c.Conn.Read(b)
		if !c.keeping.Load() {
			return n, err
		}
		c.kept = append(c.kept, b[:n]...)
		last := c.kept[max(0, len(c.kept)-6):]
		// ReadyForQuery, and the state of the transaction
		c.cut = err != nil || bytes.HasPrefix(last, []byte{'Z', 0, 0, 0, 5})
	}
	return 0, errCut
}
