package httpx

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// retrier sends again what is safe to send again: a read that got no answer or a transient one, and any
// request that was answered with 429 (Too Many Requests, RFC 6585), which says that it was not done, or
// that was never sent. It waits first, then twice as long, and so on, up to 8 s, with a third of
// that by chance; or as long as the answer asks (Retry-After, RFC 9110, 10.2.3), up to a minute: where it
// asks for more, the answer is handed to the caller.
type retrier struct {
	next      http.RoundTripper
	tries     int
	transient func(*http.Response) bool
	first     time.Duration
}

const (
	longestWait  = 8 * time.Second
	longestAsked = time.Minute
)

func (r *retrier) RoundTrip(req *http.Request) (*http.Response, error) {
	wait := r.first
	for try := 1; ; try++ {
		if try > 1 && req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			req = req.Clone(req.Context())
			req.Body = body
		}
		resp, err := r.next.RoundTrip(req)
		if try == r.tries || !r.again(req, resp, err) {
			return resp, err
		}
		pause := wait + rand.N(wait/3+1)
		if err == nil {
			if asked, ok := retryAfter(resp); ok {
				if asked > longestAsked {
					return resp, nil
				}
				pause = asked
			}
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection is used again
			_ = resp.Body.Close()
		}
		if err := sleep(req.Context(), pause); err != nil {
			return nil, err
		}
		wait = min(2*wait, longestWait)
	}
}

// again reports whether the request may be sent once more.
func (r *retrier) again(req *http.Request, resp *http.Response, err error) bool {
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return false // it cannot be read again
	}
	if err != nil {
		refused := lab.Kind(err) == lab.ErrRefused // by the boundary, now and later
		return req.Context().Err() == nil && !refused && (Reads(req.Method) || lab.SafeToRetry(err))
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		return true
	}
	transient := r.transient
	if transient == nil {
		transient = gateway
	}
	return Reads(req.Method) && transient(resp)
}

func gateway(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// CloseIdleConnections closes those of the transport.
func (r *retrier) CloseIdleConnections() { closeIdle(r.next) }

// retryAfter returns how long the answer asks to wait.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	v := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(v); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(at)), true
	}
	return 0, false
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
