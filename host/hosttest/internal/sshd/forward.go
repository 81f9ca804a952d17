package sshd

import (
	"io"
	"net"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func (s *Server) forward(c *conn, nc ssh.NewChannel, dial func() (net.Conn, error)) {
	t, err := dial()
	if err != nil {
		nc.Reject(ssh.ConnectionFailed, "Connection refused")
		c.answered.Store(true)
		return
	}
	defer t.Close()
	ch, reqs, err := nc.Accept()
	if err != nil {
		return
	}
	c.answered.Store(true)
	go ssh.DiscardRequests(reqs)
	var wg sync.WaitGroup
	wg.Go(func() {
		io.Copy(t, ch)
		if w, ok := t.(interface{ CloseWrite() error }); ok {
			w.CloseWrite()
		} else {
			t.Close()
		}
	})
	buf := make([]byte, 32<<10)
	for {
		n, err := t.Read(buf)
		if n > 0 {
			if _, werr := ch.Write(buf[:n]); werr != nil {
				break
			}
			c.answered.Store(true)
		}
		if err != nil {
			break
		}
	}
	ch.CloseWrite()
	ch.Close()
	t.Close()
	wg.Wait()
}

// dialUnix connects to a socket as a user.
func (s *Server) dialUnix(user, path string) (net.Conn, error) {
	u := libc.UserByName(s.k, user)
	if u == nil {
		return nil, syscall.EACCES
	}
	return s.k.DialUnix(kernel.Cred{UID: u.UID, GID: u.GID, Groups: libc.GroupsOf(s.k, u.Name)}, path)
}
