package ovhtest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
)

// Config says what an account is like. The zero value is one without anything, on a free port of 127.0.0.1.
type Config struct {
	Address string // where to listen, "127.0.0.1:8080"; empty means a free port of 127.0.0.1

	// Clock is how far the API's clock is ahead of this machine's.
	Clock time.Duration

	// Lag is how many reads do not show what is new: clients and policies in lists, records by their IDs, tasks, and
	// the export of a zone after a refresh.
	Lag int

	// Throttle answers every n-th request with 429; 0 means none.
	Throttle int

	// PageSize is the most that a page of a list holds; 0 means 3.
	PageSize int
}

// Nic is the account's name.
const Nic = "ab12345-ovh"

// Server is the API of an account in this process. It is safe for concurrent use.
type Server struct {
	*fake.Server
	config Config
	http   *fake.HTTP

	application, applicationSecret, consumer string

	mu       sync.Mutex
	strange  []error
	requests int
	last     int64 // the ID that was given last
	clients  []*oauth
	tokens   map[string]string // IDs of clients, by their access tokens
	policies []*policy
	zones    map[string]*zone
	domains  map[string]*domain
	tasks    map[int64]*task
}

// Start starts a server. It must be closed.
func Start(c Config) (*Server, error) {
	if c.PageSize == 0 {
		c.PageSize = 3
	}
	s := &Server{config: c, application: rand.Text()[:16], applicationSecret: rand.Text(), consumer: rand.Text(),
		last: 5000000000, tokens: map[string]string{}, zones: map[string]*zone{}, domains: map[string]*domain{}, tasks: map[int64]*task{}}
	s.http = &fake.HTTP{Handler: s.routes(), Counts: func(req *http.Request) bool { return writes(req.Method, req.URL.Path) }}
	served, err := fake.Serve(c.Address, s.http)
	if err != nil {
		return nil, fmt.Errorf("ovhtest: %w", err)
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
			tb.Errorf("ovhtest: %v", v)
		}
	})
	return s
}

// Access returns how package ovh reaches the account with the keys of an application, which may do everything. It does
// not wait between two looks.
func (s *Server) Access() ovh.Account {
	return ovh.Account{Address: s.URL(), ApplicationKey: s.application, ApplicationSecret: lab.NewSecret(s.applicationSecret),
		ConsumerKey: lab.NewSecret(s.consumer), PerSecond: 1e6, Poll: time.Millisecond, Wait: time.Minute}
}

// Failure is how a request fails.
type Failure = fake.HTTPFault

// FailAt makes the n-th request that writes from now on fail, once; 1 is the next. A login does not write.
func (s *Server) FailAt(n int, how Failure) { s.http.Faults.At(n, how) }

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

// Total returns how many requests have come, and how many of them write.
func (s *Server) Total() (requests, written int64) {
	for request, n := range s.http.Requests() {
		requests += n
		var method, path string
		_, _ = fmt.Sscanf(request, "%s %s", &method, &path)
		if writes(method, path) {
			written += n
		}
	}
	return requests, written
}

// writes reports whether a request changes something: a login does not.
func writes(method, path string) bool { return method != http.MethodGet && path != tokenPath }

func (s *Server) next() int64 {
	s.last++
	return s.last
}
