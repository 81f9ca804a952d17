package vaultprov_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/vaulttest"
)

// serving is a Vault that serves, of either kind.
type serving struct {
	*vaultprov.Server
	root lab.Secret
}

// onBothServing runs a test on the server of package vaulttest and on a real Vault in dev mode.
func onBothServing(t *testing.T, test func(t *testing.T, v serving)) {
	t.Run("Fake", func(t *testing.T) {
		v := vaulttest.New(t, vaulttest.Config{})
		test(t, serving{v.Access(), v.Root()})
	})
	t.Run("Real", func(t *testing.T) {
		v := real.VaultDev(t)
		root := lab.NewSecret(v.Token)
		test(t, serving{&vaultprov.Server{Address: v.Address, Token: vaultprov.StaticToken(root)}, root})
	})
}

// call sends a request without any code under test.
func (v serving) call(t *testing.T, token lab.Secret, method, path, body string) (status int, answer string) {
	t.Helper()
	for {
		req, err := http.NewRequestWithContext(t.Context(), method, v.Address+"/v1/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Vault-Request", "true")
		req.Header.Set("X-Vault-Token", token.Reveal())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "Upgrading from non-versioned") {
			return resp.StatusCode, string(text)
		}
	}
}

// as root sends a request that must succeed.
func (v serving) asRoot(t *testing.T, method, path string, body any) string {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	status, answer := v.call(t, v.root, method, path, string(b))
	if status >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	return answer
}

var signer = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// claims are those of a token that is right, with others in their places; nil leaves one out.
func claims(others map[string]any) map[string]any {
	now := time.Now().Unix()
	c := map[string]any{"iss": "https://gitea.example", "aud": []string{"client"}, "sub": "5",
		"preferred_username": "ci", "groups": []string{"org:team"},
		"iat": now, "exp": now + 600}
	for name, value := range others {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

// sign returns a token with claims.
func sign(t *testing.T, claims map[string]any) lab.Secret {
	t.Helper()
	key, err := signer()
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return lab.NewSecret(token)
}

// giteaJWT enables the method as the lab has it, with the test's key, and a role whose tokens live for a time.
func (v serving) giteaJWT(t *testing.T, ttl string, policy string) {
	t.Helper()
	key, err := signer()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	v.asRoot(t, "POST", "sys/auth/gitea_jwt", map[string]any{"type": "jwt"})
	v.asRoot(t, "POST", "auth/gitea_jwt/config", map[string]any{"bound_issuer": "https://gitea.example",
		"jwt_validation_pubkeys": []string{string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}})
	v.asRoot(t, "PUT", "sys/policies/acl/erp-ops", map[string]any{"policy": policy})
	v.asRoot(t, "POST", "auth/gitea_jwt/role/gitea_cicd_erp", map[string]any{"role_type": "jwt",
		"user_claim":      "preferred_username",
		"bound_audiences": []string{"client"}, "bound_subject": "5",
		"bound_claims":   map[string]any{"groups": []string{"org:team"}},
		"token_policies": []string{"erp-ops"}, "token_ttl": ttl, "token_max_ttl": "20m",
		"token_no_default_policy": true, "token_type": "service"})
}

// itself lets a token renew and revoke itself, which the role of a job takes from it with token_no_default_policy.
const itself = `path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
`

// fixed is a source of one identity token.
type fixed struct{ token lab.Secret }

func (f fixed) IDToken(context.Context) (lab.Secret, error) { return f.token, nil }

// source makes identity tokens, and counts them.
type source struct {
	t     *testing.T
	mu    sync.Mutex
	asked int
}

func (s *source) IDToken(context.Context) (lab.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return sign(s.t, claims(nil)), nil
}

func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// TestLoginIsRefused is the matrix of identity tokens that are not taken.
func TestLoginIsRefused(t *testing.T) {
	now := time.Now().Unix()
	onBothServing(t, func(t *testing.T, v serving) {
		v.giteaJWT(t, "10m", itself)
		for name, test := range map[string]struct {
			others map[string]any
			kind   error // nil: it is taken
			says   string
		}{
			"right":               {nil, nil, ""},
			"one audience of two": {map[string]any{"aud": []string{"x", "client"}}, nil, ""},
			"audience as text":    {map[string]any{"aud": "client"}, nil, ""},
			"another audience":    {map[string]any{"aud": []string{"x"}}, lab.ErrUnauthorized, "audience (aud)"},
			"no audience":         {map[string]any{"aud": nil}, lab.ErrUnauthorized, "audience (aud)"},
			"another issuer": {map[string]any{"iss": "https://gitea.example.org"}, lab.ErrUnauthorized,
				"issuer (iss)"},
			"an issuer with a slash": {map[string]any{"iss": "https://gitea.example/"}, lab.ErrUnauthorized,
				"issuer (iss)"},
			"no issuer":       {map[string]any{"iss": nil}, lab.ErrUnauthorized, "issuer (iss)"},
			"another subject": {map[string]any{"sub": "6"}, lab.ErrUnauthorized, "subject (sub)"},
			"another group": {map[string]any{"groups": []string{"org:others"}}, lab.ErrUnauthorized,
				`"groups"`},
			"no group": {map[string]any{"groups": nil}, lab.ErrUnauthorized, `"groups"`},
			"no user": {map[string]any{"preferred_username": nil}, lab.ErrUnauthorized,
				`"preferred_username"`},
			"expired": {map[string]any{"exp": now - 100}, lab.ErrUnauthorized, "it has expired"},
			// Vault would take these two
			"expired a moment ago":     {map[string]any{"exp": now - 1}, lab.ErrUnauthorized, "it has expired"},
			"without exp":              {map[string]any{"exp": nil}, lab.ErrRefused, "it never expires"},
			"without exp, iat and nbf": {map[string]any{"exp": nil, "iat": nil}, lab.ErrRefused, "it never expires"},
			"not valid yet":            {map[string]any{"nbf": now + 300}, lab.ErrUnauthorized, "not before (nbf)"},
			"issued in the future":     {map[string]any{"iat": now + 300}, lab.ErrUnauthorized, "token not yet valid"},
		} {
			t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
				token := sign(t, claims(test.others))
				session, err := v.Login(t.Context(), vaultprov.Login{Role: "gitea_cicd_erp", IDToken: fixed{token}})
				if !errors.Is(err, test.kind) || (err == nil) != (test.kind == nil) {
					t.Fatalf("%v, want %v", err, test.kind)
				}
				if err != nil {
					if !strings.Contains(err.Error(), test.says) {
						t.Errorf("want %q in %v", test.says, err)
					}
					lawtest.NoSecret(t, []lab.Secret{token}, err.Error())
					return
				}
				if err := session.Close(t.Context()); err != nil {
					t.Errorf("close: %v", err)
				}
			})
		}
		for name, l := range map[string]vaultprov.Login{
			"another role":  {Role: "nosuch", IDToken: fixed{sign(t, claims(nil))}},
			"another mount": {Mount: "nosuch", Role: "gitea_cicd_erp", IDToken: fixed{sign(t, claims(nil))}},
			"no token":      {Role: "gitea_cicd_erp"},
			"no JWT":        {Role: "gitea_cicd_erp", IDToken: fixed{lab.NewSecret("hidden")}},
			"changed": {Role: "gitea_cicd_erp", IDToken: fixed{lab.NewSecret(
				sign(t, claims(nil)).Reveal()[:40] + sign(t, claims(map[string]any{"sub": "6"})).Reveal()[40:])}},
		} {
			if s, err := v.Login(t.Context(), l); err == nil || lab.Kind(err) == nil ||
				strings.Contains(err.Error(), "hidden") {
				t.Errorf("%s: %v, %v", name, s, err)
			}
		}
	})
}

// TestSession: a token is renewed while a session is open, replaced when it was revoked, and revoked in the end.
func TestSession(t *testing.T) {
	onBothServing(t, func(t *testing.T, v serving) {
		v.giteaJWT(t, "2s", itself)
		ids := &source{t: t}
		session, err := v.Login(t.Context(), vaultprov.Login{Role: "gitea_cicd_erp", IDToken: ids})
		if err != nil {
			t.Fatal(err)
		}
		token, err := session.Token(t.Context(), lab.Secret{})
		if err != nil {
			t.Fatal(err)
		}
		renewed := lab.Poll{What: "the token to be renewed", First: 50 * time.Millisecond,
			Longest: 100 * time.Millisecond}
		err = lab.Wait(t.Context(), renewed, func(context.Context) (bool, error) {
			status, answer := v.call(t, token, "GET", "auth/token/lookup-self", "")
			if status != http.StatusOK {
				return false, fmt.Errorf("it has expired: %d %s", status, answer)
			}
			return strings.Contains(answer, "last_renewal_time"), nil
		})
		if err != nil || ids.count() != 1 {
			t.Errorf("%v; %d identity tokens were asked for", err, ids.count())
		}
		v.call(t, token, "POST", "auth/token/revoke-self", "{}") // as one that has come to its end
		second, err := session.Token(t.Context(), token)
		if err != nil || second.Equal(token) || ids.count() != 2 {
			t.Errorf("the token was refused: %v; %d identity tokens were asked for", err, ids.count())
		}
		if third, err := session.Token(t.Context(), token); err != nil || !third.Equal(second) || ids.count() != 2 {
			t.Errorf("somebody else was refused the first token: %v; %d identity tokens were asked for", err,
				ids.count())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := session.Close(ctx); err != nil { // the run was stopped
			t.Errorf("close: %v", err)
		}
		if status, _ := v.call(t, second, "GET", "auth/token/lookup-self", ""); status != http.StatusForbidden {
			t.Errorf("the token lives on: %d", status)
		}
		lawtest.NoSecret(t, []lab.Secret{token, second}, fmt.Sprintf("%v %+v %#v", session, session, session))
	})
}

// TestSessionMayNotRevoke: a role whose policies forget that its tokens revoke themselves is told of.
func TestSessionMayNotRevoke(t *testing.T) {
	onBothServing(t, func(t *testing.T, v serving) {
		v.giteaJWT(t, "10m", `path "kvv2/data/erp/*" { capabilities = ["read"] }`)
		session, err := v.Login(t.Context(), vaultprov.Login{Role: "gitea_cicd_erp", IDToken: &source{t: t}})
		if err != nil {
			t.Fatal(err)
		}
		err = session.Close(t.Context())
		if !errors.Is(err, lab.ErrUnauthorized) || !strings.Contains(strings.Join(lab.Hints(err), ""),
			"auth/token/revoke-self") {
			t.Errorf("%v %q", err, lab.Hints(err))
		}
	})
}

// TestAppsLogIn: the tokens of the roles that an app has renew and revoke themselves, though they have no policy default.
func TestAppsLogIn(t *testing.T) {
	onBothServing(t, func(t *testing.T, v serving) {
		key, err := signer()
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		apps := vaultprov.Apps{Instances: []lab.Instance{lab.App("erp").In(lab.Prod)},
			Cluster: &vaultprov.KubernetesConfig{Host: "https://192.0.2.1:6443", Outside: true},
			Issuer: &vaultprov.JWTConfig{Issuer: "https://gitea.example",
				PublicKeys: []string{string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}},
			CI: vaultprov.CI{Audience: "client", Subject: "5", BasePolicies: []string{"erp-ops"}}}
		spec := vaultprov.Spec{Records: vaultprov.Records{Mount: "kvv2"}}
		p, err := v.Plan(t.Context(), spec.With(apps.Spec()))
		if err == nil {
			_, err = p.Apply(t.Context(), nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, role := range []string{"gitea_cicd", "gitea_cicd_erp"} {
			session, err := v.Login(t.Context(), vaultprov.Login{Role: role, IDToken: &source{t: t}})
			if err != nil {
				t.Fatal(err)
			}
			own := *v.Server
			own.Token = session
			sink := vaultprov.KV{Server: &own, Mount: "kvv2", Path: "erp"}
			if err := errors.Join(sink.Prove(t.Context()), sink.Put(t.Context(), "of-"+role, lab.NewSecret("hidden"))); err != nil {
				t.Errorf("%s: a secret of its app: %v", role, err)
			}
			other := vaultprov.KV{Server: &own, Mount: "kvv2", Path: "cms"}
			if err := other.Put(t.Context(), "x", lab.NewSecret("hidden")); !errors.Is(err, lab.ErrUnauthorized) {
				t.Errorf("%s: a secret of another app: %v", role, err)
			}
			token, err := session.Token(t.Context(), lab.Secret{})
			if err != nil {
				t.Fatal(err)
			}
			if status, answer := v.call(t, token, "POST", "auth/token/renew-self", "{}"); status != http.StatusOK {
				t.Errorf("%s: renew: %d %s", role, status, answer)
			}
			if err := session.Close(t.Context()); err != nil {
				t.Errorf("%s: %v", role, err)
			}
		}
	})
}

// idServer is what gives identity tokens, in a test.
func idServer(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

func TestActionsIDToken(t *testing.T) {
	token := sign(t, claims(nil))
	address := idServer(t, func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "bearer hidden-request" ||
			req.URL.Query().Get("audience") != "https://vault.example" ||
			req.URL.Query().Get("api-version") != "2.0" {
			http.Error(w, `{"error":"hidden-request is wrong"}`, http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"count":1,"value":%q}`, token.Reveal())
	})
	env := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": address + "/token?api-version=2.0",
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "hidden-request"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	a, err := vaultprov.ActionsFrom(lookup)
	if err != nil {
		t.Fatal(err)
	}
	a.Audience = "https://vault.example"
	if got, err := a.IDToken(t.Context()); err != nil || !got.Equal(token) {
		t.Errorf("%v", err)
	}
	a.Audience = "another"
	if _, err := a.IDToken(t.Context()); !errors.Is(err, lab.ErrUnauthorized) ||
		strings.Contains(err.Error(), "hidden") {
		t.Errorf("%v", err)
	}
	a.URL = "http://192.0.2.1/"
	if _, err := a.IDToken(t.Context()); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("in plain text: %v", err)
	}
	a.URL = "https://192.0.2.1/"
	if _, err := a.IDToken(t.Context()); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("outside of the boundary: %v", err)
	}
	delete(env, "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if _, err := vaultprov.ActionsFrom(lookup); !errors.Is(err, lab.ErrUnauthorized) {
		t.Errorf("a job without the permission: %v", err)
	}
}

func TestGiteaIDToken(t *testing.T) {
	token := sign(t, claims(nil))
	refresh := "hidden-refresh-1"
	address := idServer(t, func(w http.ResponseWriter, req *http.Request) {
		if req.FormValue("grant_type") != "refresh_token" || req.FormValue("client_id") != "client" ||
			req.FormValue("client_secret") != "hidden-client" ||
			req.FormValue("refresh_token") != refresh {
			http.Error(w,
				`{"error":"unauthorized_client","error_description":"unable to parse `+req.FormValue("refresh_token")+`"}`,
				http.StatusBadRequest)
			return
		}
		refresh = strings.TrimSuffix(refresh, "1") + "11"
		fmt.Fprintf(w, `{"access_token":"hidden-access","token_type":"bearer","refresh_token":%q,"id_token":%q}`,
			refresh, token.Reveal())
	})
	var kept []string
	g := &vaultprov.GiteaIDToken{Address: address, ClientID: "client", ClientSecret: lab.NewSecret("hidden-client"),
		Refresh: lab.NewSecret(refresh),
		Successor: func(_ context.Context, old, successor lab.Secret) error {
			kept = append(kept, old.Reveal(), successor.Reveal())
			return nil
		}}
	for range 2 { // the second exchanges what came with the first
		if got, err := g.IDToken(t.Context()); err != nil || !got.Equal(token) {
			t.Fatalf("%v", err)
		}
	}
	if len(kept) != 4 || kept[1] != kept[2] {
		t.Errorf("%q", kept)
	}
	g.Refresh = lab.NewSecret("hidden-other")
	if _, err := g.IDToken(t.Context()); !errors.Is(err, lab.ErrUnauthorized) ||
		strings.Contains(err.Error(), "hidden") ||
		!strings.Contains(err.Error(), "unauthorized_client") {
		t.Errorf("%v", err)
	}
}

func TestTokenFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hvs.first\n")
	first, err := vaultprov.TokenFile(file).Token(t.Context(), lab.Secret{})
	if err != nil || first.Reveal() != "hvs.first" {
		t.Errorf("%v", err)
	}
	if _, err := vaultprov.TokenFile(file).Token(t.Context(), first); !errors.Is(err, lab.ErrUnauthorized) {
		t.Errorf("a token that was refused: %v", err)
	}
	write("hvs.second")
	if s, err := vaultprov.TokenFile(file).Token(t.Context(), first); err != nil || s.Reveal() != "hvs.second" {
		t.Errorf("%v", err)
	}
	for _, text := range []string{"", "\n", "two words", "caf\u00e9"} {
		write(text)
		if _, err := vaultprov.IDTokenFile(file).IDToken(t.Context()); !errors.Is(err, lab.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
