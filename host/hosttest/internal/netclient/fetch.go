package netclient

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

// An answer is what a URL gave.
type answer struct {
	status  int
	text    string // of the status: "Not Found"
	headers http.Header
	body    []byte
}

// Why there is no answer.
var (
	errNoHost  = errors.New("no such host")
	errRefused = errors.New("connection refused")
	errPartial = errors.New("the answer ends early") // what came is there
)

// urls are what a machine's curl and wget are given.
type urls struct {
	mu     sync.Mutex
	served map[string][]byte
}

// Serve makes a URL answer with the bytes.
func Serve(k *kernel.Kernel, url string, b []byte) {
	s := kernel.Local[urls](k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.served == nil {
		s.served = map[string][]byte{}
	}
	s.served[url] = b
}

// fetch asks for a URL: what Machine.Serve offers, or a server on a port of this machine.
func fetch(k *kernel.Kernel, method string, u *url.URL, headers http.Header, body []byte) (*answer, error) {
	s := kernel.Local[urls](k)
	s.mu.Lock()
	b, ok := s.served[u.String()]
	known := false
	for s := range s.served {
		if o, err := url.Parse(s); err == nil && o.Host == u.Host {
			known = true
		}
	}
	s.mu.Unlock()
	switch {
	case ok:
		h := http.Header{"Content-Length": {strconv.Itoa(len(b))}, "Content-Type": {"application/octet-stream"}}
		return &answer{200, "OK", h, b}, nil
	case known:
		text := []byte("404 page not found\n")
		h := http.Header{"Content-Length": {strconv.Itoa(len(text))}, "Content-Type": {"text/plain; charset=utf-8"}}
		return &answer{404, "Not Found", h, text}, nil
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if host == k.Address() {
		host = "127.0.0.1"
	}
	n, _ := kernel.ParseUint(port) // 0 is nobody's
	local := k.IsLocal(host)
	switch {
	case local && !k.Listens(int(n)), !local && net.ParseIP(host) != nil:
		return nil, errRefused
	case !local || u.Scheme != "http":
		return nil, errNoHost
	}
	c, err := k.Dial(net.JoinHostPort(host, port))
	if err != nil {
		return nil, errRefused
	}
	defer c.Close()
	req, err := http.NewRequest(method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header, req.Close = headers, true
	if err := req.Write(c); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	res, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	_, text, _ := strings.Cut(res.Status, " ")
	if res.Close && res.ProtoAtLeast(1, 1) {
		res.Header.Set("Connection", "close") // which net/http takes out
	}
	a := &answer{res.StatusCode, text, res.Header, data}
	if err != nil {
		return a, errPartial
	}
	return a, nil
}
