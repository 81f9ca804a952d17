package k3stest

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// Front serves a Kubernetes API by TLS on loopback, and lets its requests fail: a [Server], or what passes
// requests on to a real one.
type Front struct {
	*fake.HTTP
	URL        string
	Kubeconfig lab.Secret

	server      *httptest.Server
	writes, all atomic.Int64
}

// token is what the front asks for.
const token = "token-of-k3stest"

// Start serves the API for the duration of the test.
func Start(tb testing.TB, handler http.Handler) *Front {
	tb.Helper()
	f := Serve(handler)
	tb.Cleanup(f.Close)
	return f
}

// Serve serves the API until it is closed.
func Serve(handler http.Handler) *Front {
	f := &Front{}
	f.HTTP = &fake.HTTP{Handler: handler, Counts: func(req *http.Request) bool {
		f.all.Add(1)
		writes := req.Method != http.MethodGet && req.URL.Query().Get("dryRun") == ""
		if writes {
			f.writes.Add(1)
		}
		return writes
	}}
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "Bearer "+token {
			http.Error(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","code":401}`,
				http.StatusUnauthorized)
			return
		}
		f.ServeHTTP(w, req)
	}))
	f.server.EnableHTTP2 = true
	f.server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	f.server.StartTLS()
	f.URL = f.server.URL
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw})
	f.Kubeconfig = lab.NewSecret(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "` + f.URL + `", certificate-authority-data: ` + base64.StdEncoding.EncodeToString(ca) + `}}]
users: [{name: admin, user: {token: ` + token + `}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
`)
	return f
}

// Close stops serving.
func (f *Front) Close() { f.server.Close() }

// Cluster returns how to get to the API.
func (f *Front) Cluster() *kube.Cluster { return &kube.Cluster{Name: "test", Kubeconfig: f.Kubeconfig} }

// Writes returns how many requests have changed something, or would have had they not failed; Total all.
func (f *Front) Writes() int64 { return f.writes.Load() }

// Total returns how many requests have come.
func (f *Front) Total() int64 { return f.all.Load() }
