package httpx

import (
	"io"
	"net/http"
	"sync"

	"golang.org/x/time/rate"
)

// limiter keeps requests to a rate and to a number at once.
type limiter struct {
	next  http.RoundTripper
	rate  *rate.Limiter // nil: no rate
	slots chan struct{} // nil: any number at once
}

func newLimiter(next http.RoundTripper, perSecond float64, parallel int) *limiter {
	l := &limiter{next: next}
	if perSecond > 0 {
		l.rate = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
	}
	if parallel > 0 {
		l.slots = make(chan struct{}, parallel)
	}
	return l
}

// RoundTrip waits for its turn, and gives up its place when the answer has been read or closed.
func (l *limiter) RoundTrip(req *http.Request) (*http.Response, error) {
	release := func() {}
	if l.slots != nil {
		select {
		case l.slots <- struct{}{}:
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
		release = sync.OnceFunc(func() { <-l.slots })
	}
	if l.rate != nil {
		if err := l.rate.Wait(req.Context()); err != nil {
			release()
			return nil, err
		}
	}
	resp, err := l.next.RoundTrip(req)
	if err != nil {
		release()
		return nil, err
	}
	resp.Body = &releasing{resp.Body, release}
	return resp, nil
}

// CloseIdleConnections closes those of the transport.
func (l *limiter) CloseIdleConnections() { closeIdle(l.next) }

// releasing is the body of an answer that gives up a place at its end.
type releasing struct {
	io.ReadCloser
	release func()
}

func (r *releasing) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil {
		r.release()
	}
	return n, err
}

func (r *releasing) Close() error {
	r.release()
	return r.ReadCloser.Close()
}
