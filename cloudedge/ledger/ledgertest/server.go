package ledgertest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ledger"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
)

// Bucket is the name of the bucket.
const Bucket = "arcodange-tf"

const token = "ya29.token-of-ledgertest"

// Server is the service with one bucket. Its faults are at the requests that write.
type Server struct {
	*fake.Server
	*fake.HTTP

	mu      sync.Mutex
	objects map[string]object
	next    int64 // generation
}

type object struct {
	text       []byte
	generation int64
}

// Start starts a server on a free port of loopback. It must be closed.
func Start() (*Server, error) {
	// The generations of the service are times in microseconds: none is like that of an object that was removed.
	s := &Server{objects: map[string]object{}, next: time.Now().UnixMicro()}
	s.HTTP = &fake.HTTP{Handler: http.HandlerFunc(s.serve)}
	served, err := fake.Serve("", s.HTTP)
	if err != nil {
		return nil, fmt.Errorf("ledgertest: %w", err)
	}
	s.Server = served
	return s, nil
}

// New is [Start] for a test, which closes it.
func New(tb testing.TB) *Server {
	tb.Helper()
	s, err := Start()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// Ledger returns the ledger of an instance in the bucket.
func (s *Server) Ledger(i lab.Instance, holder string) *ledger.Ledger {
	return &ledger.Ledger{Address: s.URL(), Bucket: Bucket, Instance: i, Holder: holder,
		Token: func(context.Context) (lab.Secret, error) { return lab.NewSecret(token), nil }}
}

// Object returns an object, nil if there is none.
func (s *Server) Object(name string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects[name].text
}

// Put writes an object, whatever there is.
func (s *Server) Put(name string, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	s.objects[name] = object{text, s.next}
}

// Remove removes an object.
func (s *Server) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, name)
}

func (s *Server) serve(w http.ResponseWriter, req *http.Request) {
	if req.Header.Get("Authorization") != "Bearer "+token {
		refuse(w, http.StatusUnauthorized, "Invalid Credentials")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q := req.URL.Query()
	// In a path, the name of an object is one segment: its slashes are escaped.
	name, ofObject := strings.CutPrefix(req.URL.EscapedPath(), "/storage/v1/b/"+Bucket+"/o/")
	name, err := url.PathUnescape(name)
	switch {
	case err != nil || strings.Contains(req.URL.EscapedPath(), "/o/") && strings.Count(req.URL.EscapedPath(), "/") != 6:
		refuse(w, http.StatusBadRequest, "Invalid path")
	case ofObject && req.Method == http.MethodGet && q.Get("alt") == "media":
		s.get(w, name)
	case ofObject && req.Method == http.MethodDelete:
		s.delete(w, name, q)
	case req.URL.Path == "/upload/storage/v1/b/"+Bucket+"/o" && req.Method == http.MethodPost && q.Get("uploadType") == "media":
		s.insert(w, req, q)
	default:
		refuse(w, http.StatusNotImplemented, "ledgertest knows no "+req.Method+" "+req.URL.Path)
	}
}

func (s *Server) get(w http.ResponseWriter, name string) {
	o, ok := s.objects[name]
	if !ok {
		refuse(w, http.StatusNotFound, "No such object: "+Bucket+"/"+name)
		return
	}
	w.Header().Set("X-Goog-Generation", strconv.FormatInt(o.generation, 10))
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(o.text) // a client that has gone
}

// required reports whether the object has the generation that the request requires, 0 being none.
func (s *Server) required(w http.ResponseWriter, name string, q url.Values) bool {
	want, err := strconv.ParseInt(q.Get("ifGenerationMatch"), 10, 64)
	switch {
	case !q.Has("ifGenerationMatch"):
		return true
	case err != nil || want < 0:
		refuse(w, http.StatusBadRequest, "Invalid value for ifGenerationMatch")
		return false
	case s.objects[name].generation != want:
		refuse(w, http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold.")
		return false
	}
	return true
}

func (s *Server) insert(w http.ResponseWriter, req *http.Request, q url.Values) {
	text, err := io.ReadAll(req.Body)
	name := q.Get("name")
	if err != nil || name == "" {
		refuse(w, http.StatusBadRequest, "Required parameter: name")
		return
	}
	if !s.required(w, name, q) {
		return
	}
	s.next++
	s.objects[name] = object{text, s.next}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"kind": "storage#object", "bucket": Bucket, "name": name,
		"generation": strconv.FormatInt(s.next, 10), "size": strconv.Itoa(len(text))}) // a client that has gone
}

func (s *Server) delete(w http.ResponseWriter, name string, q url.Values) {
	if _, ok := s.objects[name]; !ok {
		refuse(w, http.StatusNotFound, "No such object: "+Bucket+"/"+name)
		return
	}
	if s.required(w, name, q) {
		delete(s.objects, name)
		w.WriteHeader(http.StatusNoContent)
	}
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": status, "message": message}}) // as above
}
