package nodetest

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// listen lets a server be reached through an SSH connection to its machine too, until close is called.
func listen(box *hosttest.Machine, port int, h http.Handler, cert tls.Certificate) (closed func()) {
	l := &listener{accepted: make(chan net.Conn), done: make(chan struct{})}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	config := &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	go func() { _ = s.Serve(tls.NewListener(l, config)) }()
	box.Listen(port, func(c net.Conn) {
		select {
		case l.accepted <- c:
		case <-l.done:
			_ = c.Close()
		}
	})
	return func() { _ = s.Close() }
}

// listener accepts the connections that a machine gets.
type listener struct {
	accepted chan net.Conn
	done     chan struct{}
	once     sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (*listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 6443} }
