package fake

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
)

// HTTPFault is how a request to an HTTP server for tests fails. The zero HTTPFault breaks the connection
// before anything is done.
type HTTPFault struct {
	Done   bool        // it is done first: the answer is lost, or is another one
	Status int         // what is answered; 0: the connection is broken instead
	Header http.Header // of the answer
	Body   string      // of the answer
}

// HTTP stands before the handler of a server for tests, and has the faults. The requests that count for
// [Faults.At] are those that write, unless Counts says otherwise.
type HTTP struct {
	Faults  Faults[HTTPFault]
	Handler http.Handler
	Counts  func(*http.Request) bool // nil: all but GET, HEAD, OPTIONS and LIST

	// Check validates a request and the answer to it, of a server whose answers are said by a contract. An
	// error is answered with status 500, and kept for Violations. Nil: nothing is validated.
	Check func(req *http.Request, sent []byte, answer *http.Response, body []byte) error

	mu         sync.Mutex
	requests   map[string]int64
	writes     int64
	violations []error
}

func counts(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, "LIST":
		return false
	}
	return true
}

// ServeHTTP answers a request, unless it has a fault.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h.Faults.Delay()
	sent, err := io.ReadAll(req.Body)
	if err != nil {
		return // the client has gone
	}
	writes := counts(req)
	h.mu.Lock()
	if h.requests == nil {
		h.requests = map[string]int64{}
	}
	h.requests[req.Method+" "+req.URL.Path]++
	if writes {
		h.writes++
	}
	h.mu.Unlock()
	if h.Faults.Refused() {
		panic(http.ErrAbortHandler)
	}
	if h.Counts != nil {
		writes = h.Counts(req)
	}
	var fault *HTTPFault
	if writes {
		if how, fails := h.Faults.Next(); fails {
			fault = &how
		}
	}
	answer := &recorder{header: http.Header{}, status: http.StatusOK}
	if fault == nil || fault.Done {
		req.Body = io.NopCloser(bytes.NewReader(sent))
		h.Handler.ServeHTTP(answer, req)
		if h.Check != nil {
			req.Body = io.NopCloser(bytes.NewReader(sent))
			if err := h.Check(req, sent, answer.response(), answer.body.Bytes()); err != nil {
				h.violate(fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, err))
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
	}
	switch {
	case fault == nil:
		maps.Copy(w.Header(), answer.header)
		w.WriteHeader(answer.status)
		_, _ = w.Write(answer.body.Bytes()) // a client that has gone
	case fault.Status == 0:
		panic(http.ErrAbortHandler) // net/http breaks the connection
	default:
		maps.Copy(w.Header(), fault.Header)
		w.WriteHeader(fault.Status)
		_, _ = io.WriteString(w, fault.Body)
	}
}

func (h *HTTP) violate(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.violations = append(h.violations, err)
}

// Requests returns how often each request has come, by method and path: "GET /v1/sys/health". What is in a
// query is left out.
func (h *HTTP) Requests() map[string]int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.requests)
}

// Total returns how many requests have come, and how many of them write.
func (h *HTTP) Total() (requests, writes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.requests {
		requests += n
	}
	return requests, h.writes
}

// Violations returns where a request or an answer was not as the contract says.
func (h *HTTP) Violations() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]error(nil), h.violations...)
}

// recorder keeps an answer until it is known what becomes of it.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

func (r *recorder) response() *http.Response {
	return &http.Response{StatusCode: r.status, Header: r.header, Body: io.NopCloser(bytes.NewReader(r.body.Bytes()))}
}
