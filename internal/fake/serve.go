package fake

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// Server is an HTTP server for tests.
type Server struct {
	listener net.Listener
	web      *http.Server
	done     sync.WaitGroup
}

// Serve serves h at an address, "127.0.0.1:8080", until it is closed; an empty address means a free port of 127.0.0.1.
func Serve(address string, h http.Handler) (*Server, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &Server{listener: l, web: &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}}
	s.done.Go(func() { _ = s.web.Serve(l) })
	return s, nil
}

// URL is the address of the server, "http://127.0.0.1:8080", without a slash at the end.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Close stops the server.
func (s *Server) Close() error {
	err := s.web.Close()
	s.done.Wait()
	return err
}
