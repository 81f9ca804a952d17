package real

import (
	"net"
	"strconv"
	"testing"
)

// TestReservePort reserves ports while others ask for as many as they get: none of them is reserved,
// and their owner can listen repeatedly.
func TestReservePort(t *testing.T) {
	reserved := map[int]bool{}
	for range 50 {
		port, release, err := reservePort("127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		if reserved[port] {
			t.Fatalf("port %d is reserved twice", port)
		}
		reserved[port] = true
	}
	for range 500 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if reserved[l.Addr().(*net.TCPAddr).Port] {
			t.Fatalf("%s is reserved", l.Addr())
		}
	}
	for port := range reserved {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		for range 2 {
			if c, err := net.Dial("tcp", addr); err == nil {
				c.Close()
				t.Errorf("%s answers", addr)
			}
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			if c, err := net.Dial("tcp", addr); err != nil {
				t.Error(err)
			} else {
				c.Close()
			}
			l.Close()
		}
	}
	if _, _, err := reservePort("localhost"); err == nil {
		t.Error("reserved a port of a name")
	}
}
