// Package httpx is what the clients of HTTP APIs of this module share: a client that dials through its
// caller's dialer alone, counts what it sends, keeps to a rate, and retries what is safe to send again.
package httpx

import (
	"crypto/tls"
	"net/http"
	"sync/atomic"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Options are how a client sends. The zero Options reach loopback, and neither limit nor retry.
type Options struct {
	// Boundary makes the connections; nil means loopback only, as the zero [lab.Boundary].
	Boundary lab.Dialer

	// TLS is how servers are trusted; nil means by the system's certificates.
	TLS *tls.Config

	// PerSecond is how many requests are sent a second in the long run; 0 means as many as there are.
	PerSecond float64

	// Parallel is how many requests are under way at once; 0 means as many as there are.
	Parallel int

	// Tries is how often a request is sent at most, see [Retry]; 0 means once.
	Tries int

	// Transient reports whether an answer says that the same request will succeed later; nil means the
	// statuses 429, 502, 503 and 504.
	Transient func(*http.Response) bool

	// Prepare is called with each try of its own just before it is sent, as a signature over the time needs. It may
	// set headers. An error ends the request, which is not sent. Nil: nothing is prepared.
	Prepare func(*http.Request) error

	// Counters count what is sent, each try by itself; nil: nothing is counted.
	Counters *Counters
}

// Counters are what the requests of a client have cost. They are safe for concurrent use.
type Counters struct {
	Requests atomic.Int64 // that were sent, each try by itself
	Writes   atomic.Int64 // those of them that are not reads
}

// Reads reports whether requests of this method change nothing: GET, HEAD, OPTIONS, and LIST, which
// Vault has.
func Reads(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, "LIST", "":
		return true
	}
	return false
}

// Client returns a client that uses no proxy, reads no environment variables, and follows no redirect to
// another host, which would receive any token in a header. It has no timeout of its own: give requests a
// context. Close its idle connections when it is no longer needed.
func Client(o Options) *http.Client {
	c := (*lab.Boundary)(nil).HTTPClient()
	t := c.Transport.(*http.Transport)
	if o.Boundary != nil {
		t.DialContext = o.Boundary.DialContext
	}
	t.TLSClientConfig = o.TLS
	var rt http.RoundTripper = t
	if o.Counters != nil {
		rt = counter{rt, o.Counters}
	}
	if o.Prepare != nil {
		rt = preparer{rt, o.Prepare}
	}
	if o.PerSecond > 0 || o.Parallel > 0 {
		rt = newLimiter(rt, o.PerSecond, o.Parallel)
	}
	if o.Tries > 1 {
		rt = &retrier{next: rt, tries: o.Tries, transient: o.Transient, first: 500 * time.Millisecond}
	}
	c.Transport = rt
	return c
}

type preparer struct {
	next    http.RoundTripper
	prepare func(*http.Request) error
}

func (p preparer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if err := p.prepare(req); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	return p.next.RoundTrip(req)
}

// CloseIdleConnections closes those of the transport.
func (p preparer) CloseIdleConnections() { closeIdle(p.next) }

type counter struct {
	next http.RoundTripper
	*Counters
}

func (c counter) RoundTrip(req *http.Request) (*http.Response, error) {
	c.Requests.Add(1)
	if !Reads(req.Method) {
		c.Writes.Add(1)
	}
	return c.next.RoundTrip(req)
}

// CloseIdleConnections closes those of the transport: [http.Client] asks for it.
func (c counter) CloseIdleConnections() { closeIdle(c.next) }

func closeIdle(rt http.RoundTripper) {
	if c, ok := rt.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
