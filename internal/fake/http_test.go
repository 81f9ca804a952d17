package fake_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
)

func TestHTTP(t *testing.T) {
	var mu sync.Mutex
	var done []string
	h := &fake.HTTP{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		mu.Lock()
		defer mu.Unlock()
		done = append(done, req.Method+" "+string(b))
		w.Header().Set("X-Kind", "real")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "answer")
	})}
	server := httptest.NewServer(h)
	defer server.Close()
	ask := func(method, body string) (string, error) {
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/a?b=c", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		// A connection of its own: net/http repeats a request on one that was broken before.
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp.Status + " " + resp.Header.Get("X-Kind") + " " + string(b), err
	}
	h.Faults.At(2, fake.HTTPFault{Done: true})
	h.Faults.At(3, fake.HTTPFault{})
	h.Faults.At(4, fake.HTTPFault{Status: 429, Body: "later", Header: http.Header{"X-Kind": {"fault"}}})
	for n, test := range []struct{ method, want, done string }{
		{"GET", "201 Created real answer", "GET 0"},
		{"POST", "201 Created real answer", "POST 1"},
		{"PUT", "", "PUT 2"}, // the answer is lost
		{"GET", "201 Created real answer", "GET 3"},
		{"DELETE", "", ""},
		{"POST", "429 Too Many Requests fault later", ""},
		{"POST", "201 Created real answer", "POST 6"},
	} {
		got, err := ask(test.method, string(rune('0'+n)))
		mu.Lock()
		if got != test.want || (err == nil) != (test.want != "") || strings.Join(done, ",") != test.done {
			t.Errorf("%d: %s: answered %q, %v; done %q", n, test.method, got, err, done)
		}
		done = nil
		mu.Unlock()
	}
	if requests, writes := h.Total(); requests != 7 || writes != 5 || h.Requests()["GET /a"] != 2 {
		t.Errorf("%d requests, %d writes, %v", requests, writes, h.Requests())
	}
	h.Check = func(*http.Request, []byte, *http.Response, []byte) error { return errors.New("no such field") }
	if got, err := ask("GET", ""); !strings.HasPrefix(got, "500") || err != nil || len(h.Violations()) != 1 {
		t.Errorf("%q, %v, %v", got, err, h.Violations())
	}
}
