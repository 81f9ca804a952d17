package compose_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// registryStub is a registry that wants the token that it gives to everybody, as Docker Hub does.
type registryStub struct {
	*httptest.Server
	asked []string
}

const manifestOfApp = `{"schemaVersion":2}`

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func newRegistryStub(t *testing.T) *registryStub {
	s := &registryStub{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s.asked = append(s.asked, req.Method+" "+req.URL.String())
		repository := strings.TrimSuffix(strings.TrimPrefix(req.URL.Path, "/v2/"), "/manifests/1")
		challenge := func(how string) {
			w.Header().Set("WWW-Authenticate", how)
			w.WriteHeader(http.StatusUnauthorized)
		}
		switch {
		case req.URL.Path == "/token" && req.URL.Query().Get("service") == "stub" &&
			req.URL.Query().Get("scope") == "repository:team/app:pull":
			fmt.Fprint(w, `{"access_token":"for-all"}`)
		case req.URL.Path == "/token" && req.URL.Query().Get("scope") == "":
			fmt.Fprint(w, `{}`)
		case req.URL.Path == "/token":
			w.WriteHeader(http.StatusForbidden)
		case repository == "basic":
			challenge(`Basic realm="x"`)
		case repository == "elsewhere":
			challenge(`Bearer realm="http://192.0.2.1/token"`)
		case repository == "none":
			challenge(`Bearer realm="` + s.URL + `/token"`)
		case repository == "strange":
			w.Header().Set("Docker-Content-Digest", "sha256:beef")
		case repository == "gone":
			w.WriteHeader(http.StatusNotFound)
		case repository == "broken":
			w.WriteHeader(http.StatusBadGateway)
		case repository == "open" || req.Header.Get("Authorization") == "Bearer for-all" && repository == "team/app":
			if !strings.Contains(req.Header.Get("Accept"), "image.index") {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			if repository == "team/app" {
				w.Header().Set("Docker-Content-Digest", digestOf("index"))
			}
			fmt.Fprint(w, manifestOfApp)
		default:
			challenge(`Bearer realm="` + s.URL + `/token",service="stub",scope="repository:` + repository + `:pull"`)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// TestResolveAt: what a registry says is the pin; with or without a token, and with or without the
// optional header.
func TestResolveAt(t *testing.T) {
	s := newRegistryStub(t)
	at := strings.TrimPrefix(s.URL, "http://") + "/"
	client := (&lab.Boundary{}).HTTPClient()
	lock, err := compose.ResolveAt(t.Context(), client, []string{at + "team/app:1", at + "open:1"})
	want := compose.Lock{at + "team/app:1": {Digest: digestOf("index")}, at + "open:1": {Digest: digestOf(manifestOfApp)}}
	if err != nil || string(lock.Format()) != string(want.Format()) {
		t.Errorf("%v\n%s", err, lock.Format())
	}
	for image, kind := range map[string]error{
		at + "team/secret:1": lab.ErrUnauthorized, at + "basic:1": lab.ErrUnauthorized, at + "none:1": lab.ErrUnauthorized,
		at + "elsewhere:1": lab.ErrInvalid, at + "strange:1": lab.ErrDrift, at + "gone:1": lab.ErrNotFound,
		at + "broken:1": lab.ErrUnreachable, "127.0.0.1:1/app:1": lab.ErrUnreachable, "192.0.2.1/app:1": lab.ErrRefused,
		"Not An Image": lab.ErrInvalid, at + "open@" + digestOf("x"): lab.ErrInvalid,
	} {
		lock, err := compose.ResolveAt(t.Context(), client, []string{at + "open:1", image})
		if !errors.Is(err, kind) || !strings.Contains(err.Error(), image) || strings.Contains(err.Error(), "for-all") {
			t.Errorf("%s: %v", image, err)
		}
		if len(lock) != 1 {
			t.Errorf("%s: the other image is not pinned: %v", image, lock)
		}
	}
	// nothing outside the boundary
	refused := []string{}
	b := &lab.Boundary{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Refused: func(_, address string) { refused = append(refused, address) }}
	if _, err := compose.ResolveAt(t.Context(), b.HTTPClient(), []string{at + "open:1"}); !errors.Is(err, lab.ErrRefused) ||
		len(refused) == 0 {
		t.Errorf("outside the boundary: %v", err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestResolveAtNames: short names are those of Docker Hub, and only a registry of this machine is asked
// without TLS.
func TestResolveAtNames(t *testing.T) {
	for image, want := range map[string]string{
		"nginx:1.29":               "https://registry-1.docker.io/v2/library/nginx/manifests/1.29",
		"gitea/gitea":              "https://registry-1.docker.io/v2/gitea/gitea/manifests/latest",
		"ghcr.io/a/b:c":            "https://ghcr.io/v2/a/b/manifests/c",
		"registry.lan:5000/a:1":    "https://registry.lan:5000/v2/a/manifests/1",
		"localhost:5000/a:1":       "http://localhost:5000/v2/a/manifests/1",
		"localhost/a:1":            "http://localhost/v2/a/manifests/1",
		"127.9.9.9:5000/a:1":       "http://127.9.9.9:5000/v2/a/manifests/1",
		"[::1]:5000/a:1":           "http://[::1]:5000/v2/a/manifests/1",
		"192.168.1.202:5000/a:1":   "https://192.168.1.202:5000/v2/a/manifests/1",
		"localhost.example.org/a:": "",
	} {
		asked := ""
		client := &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			asked = req.URL.String()
			return nil, errors.New("no network")
		})}
		if _, err := compose.ResolveAt(t.Context(), client, []string{image}); err == nil || asked != want {
			t.Errorf("%s: asked %q, %v", image, asked, err)
		}
	}
}

// TestResolveAtReal asks a real registry, for an image and for an index of images.
func TestResolveAtReal(t *testing.T) {
	r := real.Registry(t, "127.0.0.1:0")
	send := func(method, url, kind, body string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			t.Fatalf("%s %s: %s", method, url, resp.Status)
		}
		return resp
	}
	const config = "{}"
	base := "http://" + r.Addr + "/v2/app"
	upload := send(http.MethodPost, base+"/blobs/uploads/", "", "").Header.Get("Location")
	send(http.MethodPut, upload+"&digest="+digestOf(config), "application/octet-stream", config)
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	send(http.MethodPut, base+"/manifests/amd64", manifestType, fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":`+
		`{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[]}`,
		manifestType, digestOf(config), len(config)))
	index := pushIndex(t, r, "app", "amd64", "1", "an index", manifestType)
	at := r.Addr + "/app:"
	lock, err := compose.ResolveAt(t.Context(), (&lab.Boundary{}).HTTPClient(), []string{at + "1", at + "amd64", at + "2"})
	if lock[at+"1"].Digest != index || lock[at+"amd64"].Digest != r.Digest(t, "app", "amd64") ||
		!errors.Is(err, lab.ErrNotFound) || len(lock) != 2 {
		t.Errorf("%v, %v; the index is %s", lock, err, index)
	}
}
