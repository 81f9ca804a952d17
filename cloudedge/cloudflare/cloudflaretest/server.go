package cloudflaretest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
)

// Config says what an account is like. The zero value is one on a free port of 127.0.0.1, without any object.
type Config struct {
	Address string   // where to listen, "127.0.0.1:8787"; empty means a free port of 127.0.0.1
	Zones   []string // names of zones that it has already

	// Lag is how many lists do not have a new object yet.
	Lag int
}

// Server is the API of one account, in this process. It is safe for concurrent use.
type Server struct {
	*fake.Server
	config  Config
	account string
	token   string // which may do everything
	http    *fake.HTTP

	mu      sync.Mutex
	state   state
	strange []error
}

// Start starts a server. It must be closed.
func Start(c Config) (*Server, error) {
	s := &Server{config: c, account: newID(), token: "cfut_" + newID() + newID()}
	s.state.buckets, s.state.groups = map[bucketID]*bucket{}, newGroups()
	for _, name := range c.Zones {
		s.state.addZone(s.account, name)
	}
	s.http = &fake.HTTP{Handler: s.routes()}
	served, err := fake.Serve(c.Address, s.http)
	if err != nil {
		return nil, fmt.Errorf("cloudflaretest: %w", err)
	}
	s.Server = served
	return s, nil
}

// New is [Start] for a test, which closes it, and fails where the server was asked what it does not know.
func New(tb testing.TB, c Config) *Server {
	tb.Helper()
	s, err := Start(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = s.Close()
		for _, v := range s.Violations() {
			tb.Errorf("cloudflaretest: %v", v)
		}
	})
	return s
}

// Access returns how package cloudflare reaches the account, with a token that may do everything.
func (s *Server) Access() cloudflare.Account {
	return cloudflare.Account{ID: s.account, Address: s.URL(), Token: lab.NewSecret(s.token)}
}

// Failure is how a request fails.
type Failure = fake.HTTPFault

// FailAt makes the n-th request that writes from now on fail, once; 1 is the next.
func (s *Server) FailAt(n int, how Failure) { s.http.Faults.At(n, how) }

// Limited is how a request fails of which there were too many.
var Limited = Failure{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"0"}, "Content-Type": {"application/json"}},
	Body: `{"success":false,"errors":[{"code":10429,"message":"Rate limited"}],"messages":[],"result":null}`}

// Fired returns how many requests have failed since the last Reset.
func (s *Server) Fired() int { return s.http.Faults.Fired() }

// Refuse breaks the next n connections as they send a request.
func (s *Server) Refuse(n int) { s.http.Faults.Refuse(n) }

// SetLatency delays every answer.
func (s *Server) SetLatency(d time.Duration) { s.http.Faults.SetLatency(d) }

// Reset clears every fault that has not come yet.
func (s *Server) Reset() { s.http.Faults.Reset() }

// Requests returns how often each request has come, by method and path.
func (s *Server) Requests() map[string]int64 { return s.http.Requests() }

// Total returns how many requests have come, and how many of them write.
func (s *Server) Total() (requests, writes int64) { return s.http.Total() }

// SetCheck validates requests and answers, see [fake.HTTP]. It must be called before the first request.
func (s *Server) SetCheck(check func(req *http.Request, sent []byte, answer *http.Response, body []byte) error) {
	s.http.Check = check
}

// Violations returns what the server was asked that it does not know, and what a check has found.
func (s *Server) Violations() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(append([]error(nil), s.strange...), s.http.Violations()...)
}

// newID returns an ID as those of Cloudflare are: 32 hexadecimal digits.
func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// now has microseconds, as the API shows them.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
