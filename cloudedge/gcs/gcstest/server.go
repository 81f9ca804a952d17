package gcstest

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
)

// Config says what a project is like. The zero value is one without anything, on a free port of 127.0.0.1.
type Config struct {
	Address string // where to listen, "127.0.0.1:8080"; empty means a free port of 127.0.0.1

	// Lag is how many requests do not know what is new: lists of accounts and keys, grants to accounts, uses of keys.
	Lag int

	// Throttle answers every n-th request with 429; 0 means none.
	Throttle int
}

// ProjectID is the ID of the project.
const ProjectID = "arcodange"

const pageSize = 2

// Server is the APIs of a project in this process. It is safe for concurrent use.
type Server struct {
	*fake.Server
	config Config
	http   *fake.HTTP
	key    *rsa.PrivateKey

	mu       sync.Mutex
	strange  []error
	requests int
	last     int
	tokens   map[string]bool
	buckets  map[string]*bucket
	accounts []*account
	keys     []*key
}

// Start starts a server. It must be closed.
func Start(c Config) (*Server, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("gcstest: %w", err)
	}
	s := &Server{config: c, key: private, tokens: map[string]bool{}, buckets: map[string]*bucket{}}
	s.http = &fake.HTTP{Handler: s.routes(), Counts: func(req *http.Request) bool { return writes(req.Method, req.URL.Path) }}
	served, err := fake.Serve(c.Address, s.http)
	if err != nil {
		return nil, fmt.Errorf("gcstest: %w", err)
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
			tb.Errorf("gcstest: %v", v)
		}
	})
	return s
}

// Access returns how package gcs reaches the project, as a service account that may do everything. It does not wait between two
// looks.
func (s *Server) Access() gcs.Project {
	der, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		panic(err)
	}
	file, err := json.Marshal(map[string]string{"type": "service_account", "project_id": ProjectID, "private_key_id": "1",
		"client_email": admin, "token_uri": "https://token.example.com/stolen",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	if err != nil {
		panic(err)
	}
	return gcs.Project{ID: ProjectID, Address: s.URL(), Key: lab.NewSecret(string(file)), Poll: time.Millisecond, Wait: time.Minute}
}

// admin is the service account that may do everything.
const admin = "lab-admin@" + ProjectID + ".iam.gserviceaccount.com"

// Failure is how a request fails.
type Failure = fake.HTTPFault

// FailAt makes the n-th request that writes from now on fail, once; 1 is the next. A login does not write.
func (s *Server) FailAt(n int, how Failure) { s.http.Faults.At(n, how) }

// Fired returns how many requests have failed since the last Reset.
func (s *Server) Fired() int { return s.http.Faults.Fired() }

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
		if method, path, _ := strings.Cut(request, " "); writes(method, path) {
			written += n
		}
	}
	return requests, written
}

// writes reports whether a request changes something: a login does not.
func writes(method, path string) bool { return method != http.MethodGet && path != "/token" }

// Age makes everything older.
func (s *Server) Age(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		k.Created, k.Updated = k.Created.Add(-by), k.Updated.Add(-by)
	}
}

// call is a request that is being answered. The server is locked.
type call struct {
	*Server
	req  *http.Request
	body []byte
}

// answer is what is sent. Handlers stop by panicking with one, where it is shorter to read so.
type answer struct {
	status int
	body   any
	text   string // instead of a body
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

func refuse(status int, format string, args ...any) answer {
	message := fmt.Sprintf(format, args...)
	return answer{status: status, body: map[string]any{"error": map[string]any{"code": status, "message": message,
		"errors": []map[string]string{{"message": message, "domain": "global"}}}}}
}

// strangeness is the answer to a request that this server does not know.
func (c *call) strangeness(format string, args ...any) answer {
	err := fmt.Errorf("%s %s: %s", c.req.Method, c.req.URL.Path, fmt.Sprintf(format, args...))
	c.strange = append(c.strange, err)
	return refuse(http.StatusNotImplemented, "%v", err)
}

// read decodes the body. A field that is not known is none of what this server knows.
func (c *call) read(into any) {
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		panic(c.strangeness("%v", err))
	}
}

// handle adds a handler for a pattern of [http.ServeMux], to requests with an access token.
func (s *Server) handle(mux *http.ServeMux, pattern string, handler func(*call) answer) {
	s.open(mux, pattern, func(c *call) answer {
		token, _ := strings.CutPrefix(c.req.Header.Get("Authorization"), "Bearer ")
		if !c.tokens[token] {
			return refuse(http.StatusUnauthorized, "Request had invalid authentication credentials.")
		}
		return handler(c)
	})
}

func (s *Server) open(mux *http.ServeMux, pattern string, handler func(*call) answer) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // the client has gone
		}
		s.mu.Lock()
		a := s.answer(&call{s, req, body}, handler)
		text := []byte(a.text)
		content := "application/xml; charset=UTF-8"
		if a.text == "" {
			content = "application/json; charset=UTF-8"
			text, err = json.Marshal(a.body)
		}
		s.mu.Unlock()
		if err != nil {
			panic(err)
		}
		if a.status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "0")
		}
		if a.status == http.StatusNoContent {
			w.WriteHeader(a.status)
			return
		}
		w.Header().Set("Content-Type", content)
		w.WriteHeader(a.status)
		_, _ = w.Write(text)
	})
}

func (s *Server) answer(c *call, handler func(*call) answer) (a answer) {
	defer func() {
		if stopped := recover(); stopped != nil {
			var early bool
			if a, early = stopped.(answer); !early {
				panic(stopped)
			}
		}
	}()
	s.requests++
	if t := s.config.Throttle; t > 0 && s.requests%t == 0 {
		return refuse(http.StatusTooManyRequests, "The project exceeded the rate limit.")
	}
	return handler(c)
}

// page returns the page of a list that is asked for, below a name.
func page[T any](c *call, name string, all []T) answer {
	from, _ := strconv.Atoi(c.req.URL.Query().Get("pageToken"))
	from = min(max(from, 0), len(all))
	to := min(from+pageSize, len(all))
	body := map[string]any{}
	if to > from { // an empty list is left out
		body[name] = all[from:to]
	}
	if to < len(all) {
		body["nextPageToken"] = strconv.Itoa(to)
	}
	return ok(body)
}

func (s *Server) next() string {
	s.last++
	return strconv.Itoa(s.last)
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	s.loginRoutes(mux)
	s.bucketRoutes(mux)
	s.accountRoutes(mux)
	s.keyRoutes(mux)
	s.open(mux, "/", func(c *call) answer { return c.strangeness("it is not known") })
	return mux
}
