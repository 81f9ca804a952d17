package compose

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

func TestResolved(t *testing.T) {
	id, digest := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	here := `image {"id":"` + id + `","digests":[]}` + "\n"
	known := `image {"id":"` + id + `","digests":["postgres@` + id + `"]}` + "\n"
	const down = `Error response from daemon: Get "http://192.0.2.1:5000/v2/": dial tcp 192.0.2.1:5000: connect: connection refused`
	for _, c := range []struct {
		answer, complaint string
		pin               Pin
		err               error
	}{
		{answer: "pulled " + digest + "\n" + known, pin: Pin{Digest: digest}},
		{answer: "pulled " + digest + "\n", pin: Pin{Digest: digest}},
		{answer: "pulled sha256:short\n" + known, err: lab.ErrDrift},
		{answer: here, complaint: down, pin: Pin{ID: id}}, // it was imported
		{answer: known, complaint: down, err: lab.ErrUnreachable},
		{complaint: down, err: lab.ErrUnreachable},
		{complaint: `Error response from daemon: Get "http://192.0.2.1:5000/v2/": EOF`, err: lab.ErrUnreachable},
		{complaint: "Error response from daemon: manifest for postgres:0 not found: manifest unknown: manifest unknown",
			err: lab.ErrNotFound},
		{complaint: "Error response from daemon: pull access denied for x, repository does not exist or may " +
			"require 'docker login': denied: requested access to the resource is denied", err: lab.ErrNotFound},
		{complaint: `Error response from daemon: Get "http://192.0.2.1:5000/v2/app/manifests/1": no basic auth ` +
			`credentials`, err: lab.ErrUnauthorized},
		{answer: known, complaint: "Error response from daemon: unauthorized: authentication required",
			err: lab.ErrUnauthorized},
	} {
		pin, err := resolved("postgres:17.2", c.answer, c.complaint)
		if pin != c.pin || !errors.Is(err, c.err) ||
			c.err != nil && c.complaint != "" && !strings.Contains(err.Error(), c.complaint) {
			t.Errorf("%q, %q: got %v, %v", c.answer, c.complaint, pin, err)
		}
	}
}

func FuzzResolved(f *testing.F) {
	f.Add("pulled sha256:2\nimage {}\n", "")
	f.Add(`image {"id":"1","digests":["x@y"]}`, "denied")
	f.Fuzz(func(t *testing.T, answer, complaint string) {
		if pin, err := resolved("x:1", answer, complaint); err == nil && pin == (Pin{}) {
			t.Error("neither a pin nor an error")
		}
	})
}
