package pgtest

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
)

// oneConn dials a connection that is there already.
type oneConn struct{ net.Conn }

func (c oneConn) DialContext(context.Context, string, string) (net.Conn, error) { return c.Conn, nil }

// TestCutterWhileRead cuts a connection that the client reads from already, as pgx does when a
// write takes long.
func TestCutterWhileRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := &Cutter{Boundary: oneConn{ours}}
		conn, err := c.DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		c.Arm(1, LoseAfter)
		var working sync.WaitGroup
		defer working.Wait()
		working.Go(func() {
			if n, err := conn.Read(make([]byte, 4)); n != 0 || err != errCut {
				t.Errorf("read: %d, %v", n, err)
			}
		})
		working.Go(func() {
			defer theirs.Close()
			got := make([]byte, 16)
			if _, err := theirs.Read(got); err != nil {
				t.Error(err)
			}
			for _, part := range []string{"T answ", "er Z\x00", "\x00\x00", "\x05I"} {
				if _, err := theirs.Write([]byte(part)); err != nil {
					t.Error(err)
				}
			}
			if n, err := theirs.Read(got); err == nil {
				t.Errorf("after the cut: %q", got[:n])
			}
		})
		synctest.Wait() // the client reads
		// it was sent: no error may say that it was not
		if n, err := conn.Write([]byte("Q\x00\x00\x00\x05\x00")); n != 6 || err != nil {
			t.Errorf("write: %d, %v", n, err)
		}
		if n, err := conn.Read(make([]byte, 4)); n != 0 || err != errCut {
			t.Errorf("read after the cut: %d, %v", n, err)
		}
		if !c.Fired() {
			t.Error("it was not cut")
		}
	})
}
