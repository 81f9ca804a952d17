package nodetest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"sync"
)

// transport carries requests between machines, within this process. As TLS would, it looks at both sides' certificates.
type transport struct {
	c    *Cluster
	from string // the machine
	ca   []byte // of servers, PEM; empty trusts anybody
	cert *tls.Certificate
}

// RoundTrip implements [http.RoundTripper]. The answer ends when either side does.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	s, err := t.c.server(t.from, r.URL.Hostname(), r.URL.Port())
	if err != nil {
		return nil, err
	}
	if len(t.ca) > 0 {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(t.ca)
		leaf, err := x509.ParseCertificate(s.certificate.Certificate[0])
		if err == nil {
			_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: r.URL.Hostname()})
		}
		if err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(s.ctx, cancel)
	in := r.Clone(ctx)
	in.RequestURI, in.TLS = r.URL.RequestURI(), &tls.ConnectionState{}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if t.cert != nil {
		leaf, err := x509.ParseCertificate(t.cert.Certificate[0])
		if err != nil {
			cancel()
			return nil, err
		}
		in.TLS.PeerCertificates = []*x509.Certificate{leaf}
	}
	out, w := io.Pipe()
	a := &answer{header: http.Header{}, body: w, started: make(chan int, 1)}
	go func() {
		defer stop()
		defer cancel()
		s.handler.ServeHTTP(a, in)
		a.WriteHeader(http.StatusOK)
		_ = w.Close()
	}()
	context.AfterFunc(ctx, func() { _ = w.CloseWithError(errors.New("EOF")) })
	select {
	case status := <-a.started:
		return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: a.header, Body: ended{out, cancel}, Request: r,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1}, nil
	case <-ctx.Done():
		select {
		case status := <-a.started: // the handler ended at once
			return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: a.header, Body: ended{out, cancel}, Request: r,
				Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1}, nil
		default:
			return nil, ctx.Err()
		}
	}
}

// ended is a body whose Close hangs up.
type ended struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (e ended) Close() error {
	e.cancel()
	return e.ReadCloser.Close()
}

// answer is what a handler writes.
type answer struct {
	header  http.Header
	body    *io.PipeWriter
	once    sync.Once
	started chan int
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.once.Do(func() { a.started <- status }) }

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

func (*answer) Flush() {}
