package k3stest_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/k3stest"
)

func TestConformance(t *testing.T) {
	suite := &k3stest.Suite{API: k3stest.NewServer()}
	suite.Run(t)
}

// TestConformanceReal runs the suite on a real API server.
func TestConformanceReal(t *testing.T) {
	suite := &k3stest.Suite{API: proxy(real.KubeAPIServer(t)), Definitions: real.CRDs(t, "k3s")}
	suite.Run(t)
}

// proxy passes requests on to a real API server, as its administrator.
func proxy(k *real.KubeAPI) http.Handler {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(k.CA))
	return &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0), // of requests that are cut off
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: k.Addr})
			r.Out.Header.Set("Authorization", "Bearer "+k.Token)
			r.Out.Header.Del("Accept-Encoding") // the answers are read
		},
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 16},
	}
}
