package vault

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// fleet is a Vault that holds what apps want of it.
type fleet struct {
	server vaultprov.Server
	spec   vaultprov.Spec
	paths  []string // where each of its objects is read
}

func newFleet(tb testing.TB, apps int) *fleet {
	tb.Helper()
	v := real.VaultDev(tb)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		tb.Fatal(err)
	}
	a := vaultprov.Apps{Cluster: &vaultprov.KubernetesConfig{Host: "https://192.0.2.1", Outside: true},
		Issuer:   &vaultprov.JWTConfig{PublicKeys: []string{string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}},
		CI:       vaultprov.CI{Audience: "client", Subject: "7"},
		Postgres: &vaultprov.Postgres{Host: "192.0.2.1", EditorPassword: lab.NewSecret("editor")}}
	for n := range apps {
		a.Instances = append(a.Instances, lab.App(fmt.Sprintf("app-%d", n)).In(""))
	}
	f := &fleet{server: vaultprov.Server{Address: v.Address, Token: vaultprov.StaticToken(lab.NewSecret(v.Token)),
		Counters: &httpx.Counters{}}}
	f.spec = vaultprov.Spec{Records: vaultprov.Records{Mount: "kvv2"}, Prune: true,
		FingerprintKey: lab.NewSecret("0123456789abcdef0123456789abcdef")}.With(a.Spec())
	for n := range f.spec.Connections {
		f.spec.Connections[n].Unverified = true
	}
	for _, i := range a.Instances {
		f.paths = append(f.paths, "sys/policies/acl/"+i.VaultPolicy(), "sys/policies/acl/"+i.VaultOpsPolicy(),
			"auth/kubernetes/role/"+i.VaultKubernetesRole(), "auth/gitea_jwt/role/"+i.VaultJWTRole(),
			"postgres/config/"+i.VaultDatabaseRole(), "postgres/roles/"+i.VaultDatabaseRole())
	}
	p, err := f.server.Plan(tb.Context(), f.spec)
	if err == nil {
		_, err = p.Apply(tb.Context(), nil)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// plan plans, and wants nothing to be left.
func (f *fleet) plan(tb testing.TB) {
	tb.Helper()
	if p, err := f.server.Plan(tb.Context(), f.spec); err != nil || !p.Empty() {
		tb.Fatal(err, p)
	}
}

// readEach reads each object by its own request, ten at a time.
func (f *fleet) readEach(tb testing.TB, token string) {
	tb.Helper()
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 10}}
	defer c.CloseIdleConnections()
	g, ctx := errgroup.WithContext(tb.Context())
	g.SetLimit(10)
	for _, path := range f.paths {
		g.Go(func() error { return read(ctx, c, f.server.Address+"/v1/"+path, token) })
	}
	if err := g.Wait(); err != nil {
		tb.Fatal(err)
	}
}

func read(ctx context.Context, c *http.Client, url, token string) error {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-Vault-Token", token)
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || !strings.Contains(string(b), `"data"`)) {
		err = fmt.Errorf("%s: %s", url, resp.Status)
	}
	return err
}

// shared is what a plan asks for besides its objects: the health; mounts, auth methods and audit devices, each with our
// records; the configs of two auth methods; our records of six kinds, of which five are listed.
const shared = 1 + 6 + 2 + 6 + 5 + 1

func BenchmarkPlan(b *testing.B) {
	f := newFleet(b, 200)
	token, err := f.server.Token.Token(b.Context(), lab.Secret{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("lab", func(b *testing.B) {
		before := f.server.Counters.Requests.Load()
		for b.Loop() {
			f.plan(b)
		}
		n := (f.server.Counters.Requests.Load() - before) / int64(b.N)
		b.ReportMetric(float64(n), "requests/op")
	})
	b.Run("each object by its own request", func(b *testing.B) {
		for b.Loop() {
			f.readEach(b, token.Reveal())
		}
		b.ReportMetric(float64(len(f.paths)), "requests/op")
	})
}

// TestRequests counts what a plan asks for: each object once, each password's fingerprint once, and what does not grow
// with the apps.
func TestRequests(t *testing.T) {
	const apps = 20
	f := newFleet(t, apps)
	before := f.server.Counters.Requests.Load()
	f.plan(t)
	if n, want := f.server.Counters.Requests.Load()-before, int64(shared+7*apps); n != want {
		t.Errorf("a plan of %d apps took %d requests, want %d", apps, n, want)
	}
	if n := f.server.Counters.Writes.Load(); n == 0 {
		t.Error("nothing is counted")
	}
}
