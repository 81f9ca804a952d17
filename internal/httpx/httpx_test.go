package httpx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// script is a transport whose answers are given, one after the other: a status, "status after=SECONDS",
// "broken" or "not sent".
type script struct {
	answers []string
	sent    []string // the body of each request, with when it came
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	body := ""
	if req.Body != nil {
		b, _ := io.ReadAll(req.Body)
		body = string(b)
	}
	s.sent = append(s.sent, body)
	answer := s.answers[min(len(s.sent), len(s.answers))-1]
	switch answer {
	case "broken":
		return nil, errors.New("broken")
	case "not sent":
		return nil, lab.NotSent(errors.New("no route"))
	case "refused":
		return nil, lab.NotSent(lab.ErrRefused)
	}
	resp := httptest.NewRecorder()
	var status int
	var after string
	_, _ = fmt.Sscanf(answer, "%d after=%s", &status, &after)
	resp.Header().Set("Retry-After", after)
	resp.WriteHeader(status)
	return resp.Result(), nil
}

func TestRetry(t *testing.T) {
	for _, test := range []struct {
		method, answers string
		tries           int // that were made
		status          int // in the end; 0: an error
		least, most     time.Duration
	}{
		{"GET", "200", 1, 200, 0, 0},
		{"GET", "503,200", 2, 200, 500 * time.Millisecond, time.Second},
		{"GET", "503,502,504", 3, 504, 1500 * time.Millisecond, 2 * time.Second},
		{"GET", "500", 1, 500, 0, 0},
		{"GET", "broken,200", 2, 200, 500 * time.Millisecond, time.Second},
		{"LIST", "broken,200", 2, 200, 500 * time.Millisecond, time.Second},
		{"GET", "refused", 1, 0, 0, 0},
		{"POST", "broken", 1, 0, 0, 0},
		{"POST", "503", 1, 503, 0, 0},
		{"POST", "not sent,201", 2, 201, 500 * time.Millisecond, time.Second},
		{"POST", "429 after=7,201", 2, 201, 7 * time.Second, 7 * time.Second},
		{"GET", "429 after=3600", 1, 429, 0, 0},
	} {
		t.Run(test.method+" "+test.answers, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: strings.Split(test.answers, ",")}
				rt := &retrier{next: s, tries: 3, first: 500 * time.Millisecond}
				req, _ := http.NewRequestWithContext(t.Context(), test.method, "http://example.com/", strings.NewReader("body"))
				start := time.Now()
				resp, err := rt.RoundTrip(req)
				status := 0
				if err == nil {
					status = resp.StatusCode
				}
				if took := time.Since(start); status != test.status || len(s.sent) != test.tries || took < test.least || took > test.most {
					t.Errorf("status %d, %v after %d tries in %s", status, err, len(s.sent), took)
				}
				for _, body := range s.sent {
					if body != "body" {
						t.Errorf("a body is %q", body)
					}
				}
			})
		})
	}
}

func TestRetryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		rt := &retrier{next: &script{answers: []string{"503"}}, tries: 100, first: 500 * time.Millisecond}
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://example.com/", nil)
		if _, err := rt.RoundTrip(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(&script{answers: []string{"200"}}, 2, 1)
		start := time.Now()
		for n := range 6 { // two at once, then two a second
			req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://example.com/", nil)
			resp, err := l.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			if n < 5 {
				_ = resp.Body.Close()
			}
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("six requests took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://example.com/", nil)
		if _, err := l.RoundTrip(req); !errors.Is(err, context.DeadlineExceeded) { // the sixth was not closed
			t.Errorf("%v", err)
		}
	})
}

func TestClient(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/away" {
			http.Redirect(w, req, "http://127.0.0.2:1/", http.StatusFound)
		}
	}))
	defer server.Close()
	var counters Counters
	c := Client(Options{Counters: &counters, Tries: 3, Parallel: 2})
	defer c.CloseIdleConnections()
	for _, method := range []string{"GET", "POST"} {
		req, _ := http.NewRequestWithContext(t.Context(), method, server.URL, nil)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	if counters.Requests.Load() != 2 || counters.Writes.Load() != 1 {
		t.Errorf("%d requests, %d writes", counters.Requests.Load(), counters.Writes.Load())
	}
	if _, err := c.Get(server.URL + "/away"); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("a redirect to another host: %v", err)
	}
	outside := Client(Options{Boundary: &lab.Boundary{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, Tries: 3})
	if _, err := outside.Get(server.URL); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("outside the boundary: %v", err)
	}
}

// TestPrepare prepares each try by itself, and sends nothing that could not be prepared.
func TestPrepare(t *testing.T) {
	var sent []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		sent = append(sent, req.Header.Get("Try")+string(body))
		if len(sent) == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer server.Close()
	n := 0
	var broken error
	c := Client(Options{Tries: 3, Prepare: func(req *http.Request) error {
		n++
		req.Header.Set("Try", fmt.Sprint(n))
		return broken
	}})
	defer c.CloseIdleConnections()
	resp, err := c.Post(server.URL, "", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if strings.Join(sent, " ") != "1x 2x" {
		t.Errorf("sent %q", sent)
	}
	broken = errors.New("no clock")
	if _, err := c.Post(server.URL, "", strings.NewReader("x")); !errors.Is(err, broken) || len(sent) != 2 || n != 3 {
		t.Errorf("%v after %d requests, prepared %d times", err, len(sent), n)
	}
}
