package forge_test

import (
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/forge/forgetest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// fakeWorld is a Gitea in this process.
func fakeWorld(t *testing.T, c forgetest.Config) (*world, *forgetest.Server) {
	t.Helper()
	f := forgetest.New(t, c)
	return worldAt(t, f.URL(), f.Access().Token.Reveal(), f.Login().User), f
}

// worldAt puts something in front of a server that counts and has faults.
func worldAt(t *testing.T, address, token, admin string) *world {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = to.Host
	}}
	w := &world{front: &fake.HTTP{Handler: proxy}, upstream: address, token: token, admin: admin}
	s := httptest.NewServer(w.front)
	t.Cleanup(s.Close)
	w.url = s.URL
	return w
}

// onBoth runs a test on a Gitea in this process, and on a real one.
func onBoth(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	t.Run("Fake", func(t *testing.T) {
		w, _ := fakeWorld(t, forgetest.Config{})
		test(t, w)
	})
	t.Run("Real", func(t *testing.T) {
		real.Long(t)
		test(t, realWorld(t))
	})
}
