package fake_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
)

func TestServe(t *testing.T) {
	s, err := fake.Serve("", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "here") }))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "here" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := fake.Serve(strings.TrimPrefix(s.URL(), "http://"), nil); err == nil {
		t.Error("two listen at one address")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if again, err := http.Get(s.URL()); err == nil {
		again.Body.Close()
		t.Error("it still serves")
	}
}
