package vaultprov_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/vaulttest"
)

func (v serving) kv(t *testing.T) {
	t.Helper()
	v.asRoot(t, "POST", "sys/mounts/kvv2", map[string]any{"type": "kv", "options": map[string]string{"version": "2"}})
}

// TestKVIsASink: what every sink keeps, in an entry of its own and as one value of several.
func TestKVIsASink(t *testing.T) {
	onBothServing(t, func(t *testing.T, v serving) {
		v.kv(t)
		for name, secret := range map[string]string{"Entry": "token", "Value": "backup#access_key", "Deep": "a/b/c"} {
			t.Run(name, func(t *testing.T) {
				lawtest.Sink(t, secret, vaultprov.KV{Server: v.Server, Mount: "kvv2", Path: "erp/" + name})
			})
		}
		t.Run("CasRequired", func(t *testing.T) {
			v.asRoot(t, "POST", "kvv2/config", map[string]any{"cas_required": true})
			lawtest.Sink(t, "token", vaultprov.KV{Server: v.Server, Mount: "kvv2", Path: "strict"})
		})
		if answer := v.asRoot(t, "LIST", "kvv2/metadata/erp", nil); strings.Contains(answer, "proof") {
			t.Errorf("a proof was left: %s", answer)
		}
	})
}

// TestKVKeepsOtherValues: what an entry has beside the secret stays, and so does what people have said of it.
func TestKVKeepsOtherValues(t *testing.T) {
	onBothServing(t, func(t *testing.T, v serving) {
		v.kv(t)
		v.asRoot(t, "POST", "kvv2/data/erp/config", map[string]any{"data": map[string]any{"admin": "by hand",
			"n": 1234567890, "deep": map[string]any{"a": []int{1}}}})
		v.asRoot(t, "POST", "kvv2/metadata/erp/config",
			map[string]any{"custom_metadata": map[string]string{"owner": "somebody"}})
		sink := vaultprov.KV{Server: v.Server, Mount: "kvv2"}
		binary := lab.NewSecret("\xff\x00hidden")
		if err := errors.Join(sink.Put(t.Context(), "erp/config#token", lab.NewSecret("hidden")),
			sink.Put(t.Context(), "erp/config#binary", binary)); err != nil {
			t.Fatal(err)
		}
		if s, err := sink.Get(t.Context(), "erp/config#binary"); err != nil || !s.Equal(binary) {
			t.Errorf("bytes that are no text: %v", err)
		}
		answer := v.asRoot(t, "GET", "kvv2/data/erp/config", nil)
		for _, want := range []string{`"admin":"by hand"`, `"n":1234567890`, `"deep":{"a":[1]}`, `"token":"hidden"`,
			`"owner":"somebody"`} {
			if !strings.Contains(answer, want) {
				t.Errorf("want %s in %s", want, answer)
			}
		}
		if err := sink.Put(t.Context(), "erp/config#admin", lab.NewSecret("hidden")); !errors.Is(err, lab.ErrConflict) {
			t.Errorf("a value that is there: %v", err)
		}
		v.asRoot(t, "DELETE", "kvv2/data/erp/config", nil) // by hand, and its versions stay
		if _, err := sink.Get(t.Context(), "erp/config#token"); !errors.Is(err, lab.ErrNotFound) {
			t.Errorf("what was deleted: %v", err)
		}
		if err := sink.Put(t.Context(), "erp/config#token", lab.NewSecret("hidden again")); err != nil {
			t.Errorf("in the place of what was deleted: %v", err)
		}
	})
}

// TestKVRefuses: names that are none, mounts that are none, and tokens that may not.
func TestKVRefuses(t *testing.T) {
	onBothServing(t, func(t *testing.T, v serving) {
		v.kv(t)
		v.asRoot(t, "POST", "sys/mounts/kvv1", map[string]any{"type": "kv",
			"options": map[string]string{"version": "1"}})
		v.giteaJWT(t, "10m", itself+`path "kvv2/data/erp/*" { capabilities = ["read"] }`)
		reader, err := v.Login(t.Context(), vaultprov.Login{Role: "gitea_cicd_erp", IDToken: &source{t: t}})
		if err != nil {
			t.Fatal(err)
		}
		reads := *v.Server
		reads.Token = reader
		for name, test := range map[string]struct {
			server      *vaultprov.Server
			mount, name string
			kind        error
		}{
			"no mount":            {v.Server, "", "x", lab.ErrInvalid},
			"no name":             {v.Server, "kvv2", "", lab.ErrInvalid},
			"no key":              {v.Server, "kvv2", "x#", lab.ErrInvalid},
			"a way out":           {v.Server, "kvv2", "../sys/raw", lab.ErrInvalid},
			"an empty part":       {v.Server, "kvv2", "a//b", lab.ErrInvalid},
			"a mount that is not": {v.Server, "nosuch", "x", lab.ErrNotFound},
			"may not write":       {&reads, "kvv2", "erp/x", lab.ErrUnauthorized},
			"may not read":        {&reads, "kvv2", "other/x", lab.ErrUnauthorized},
			"another cluster": {&vaultprov.Server{Address: v.Address, Token: v.Token, Cluster: "another"},
				"kvv2", "x", lab.ErrRefused},
		} {
			err := vaultprov.KV{Server: test.server, Mount: test.mount}.Put(t.Context(), test.name,
				lab.NewSecret("hidden"))
			if !errors.Is(err, test.kind) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("%s: %v, want %v", name, err, test.kind)
			}
		}
		if err := (vaultprov.KV{Server: &reads, Mount: "kvv2", Path: "erp"}).Prove(t.Context()); !errors.Is(err,
			lab.ErrUnauthorized) {
			t.Errorf("a path that cannot be written to is proved: %v", err)
		}
		if err := reader.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := (vaultprov.KV{Server: &reads, Mount: "kvv2"}).Prove(t.Context()); !errors.Is(err,
			lab.ErrUnauthorized) {
			t.Errorf("after the session: %v", err)
		}
	})
}

// TestKVIsCutOff: the answer to a write is lost, or the write; the next run finds what is there.
func TestKVIsCutOff(t *testing.T) {
	for _, done := range []bool{false, true} {
		f := vaulttest.New(t, vaulttest.Config{})
		v := serving{f.Access(), f.Root()}
		v.kv(t)
		sink := vaultprov.KV{Server: v.Server, Mount: "kvv2"}
		for n, write := range []func(lab.Secret) error{
			func(s lab.Secret) error { return sink.Put(t.Context(), "a", s) },
			func(s lab.Secret) error { return sink.Replace(t.Context(), "a", lab.NewSecret("hidden"), s) },
			func(lab.Secret) error { return sink.Prove(t.Context()) },
		} {
			s := lab.NewSecret("hidden" + strings.Repeat("!", n))
			f.HTTP.Faults.At(1, fake.HTTPFault{Done: done})
			if err := write(s); !errors.Is(err, lab.ErrUnreachable) || lab.SafeToRetry(err) {
				t.Errorf("write %d: %v", n, err)
			}
			if err := write(s); err != nil {
				t.Errorf("write %d, again: %v", n, err)
			}
		}
		if answer := v.asRoot(t, "LIST", "kvv2/metadata/", nil); strings.Contains(answer, "proof") {
			t.Errorf("a proof was left: %s", answer)
		}
	}
}

// TestProxyAnswers: what stands before a Vault and answers in its place is taken neither for a sealed one nor for one
// that holds nothing.
func TestProxyAnswers(t *testing.T) {
	for status, kind := range map[int]error{200: lab.ErrInvalid, 403: lab.ErrInvalid, 404: lab.ErrInvalid,
		503: lab.ErrUnreachable} {
		for _, body := range []string{"404 page not found\n", "", "<html>hidden</html>"} {
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
			}))
			s := &vaultprov.Server{Address: proxy.URL, Token: vaultprov.StaticToken(lab.NewSecret("token"))}
			sink := vaultprov.KV{Server: s, Mount: "kvv2"}
			_, err := sink.Get(t.Context(), "x")
			if _, bad := s.Status(t.Context()); lab.Kind(bad) == nil || lab.Kind(bad) == lab.ErrBlocked {
				t.Errorf("%d %q: status: %v", status, body, bad)
			}
			if !errors.Is(err, kind) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("%d %q: %v, want %v", status, body, err, kind)
			}
			proxy.Close()
		}
	}
}

// TestTokenExpires: a token that ends in the middle of the work does not end the work.
func TestTokenExpires(t *testing.T) {
	f := vaulttest.New(t, vaulttest.Config{})
	v := serving{f.Access(), f.Root()}
	v.kv(t)
	v.giteaJWT(t, "10m", itself+`path "kvv2/*" { capabilities = ["create", "read", "update", "delete", "list"] }`)
	ids := &source{t: t}
	session, err := v.Login(t.Context(), vaultprov.Login{Role: "gitea_cicd_erp", IDToken: ids})
	if err != nil {
		t.Fatal(err)
	}
	v.Server.Token = session
	sink := vaultprov.KV{Server: v.Server, Mount: "kvv2"}
	for n, end := range []func(){func() {}, f.RevokeTokens, f.RevokeTokens} {
		end()
		if err := errors.Join(sink.Put(t.Context(), strings.Repeat("a", n+1), lab.NewSecret("hidden")),
			sink.Prove(t.Context())); err != nil {
			t.Errorf("%d: %v", n, err)
		}
		if ids.count() != n+1 {
			t.Errorf("%d identity tokens were asked for", ids.count())
		}
	}
	if err := session.Close(t.Context()); err != nil || f.Tokens() != 0 {
		t.Errorf("%v; %d tokens live on", err, f.Tokens())
	}
}

// TestAmbient: nothing of the environment is read, which github.com/hashicorp/vault/api does.
func TestAmbient(t *testing.T) {
	f := vaulttest.New(t, vaulttest.Config{})
	for name, value := range map[string]string{"VAULT_ADDR": "http://192.0.2.1", "VAULT_TOKEN": "hidden",
		"VAULT_CACERT": "/nonexistent", "VAULT_NAMESPACE": "x",
		"VAULT_SKIP_VERIFY": "true", "HTTP_PROXY": "http://192.0.2.1:1", "HTTPS_PROXY": "http://192.0.2.1:1",
		"VAULT_MAX_RETRIES": "x"} {
		t.Setenv(name, value)
	}
	st, err := (&vaultprov.Server{Address: f.Address()}).Status(t.Context())
	if err != nil || st.Code() != http.StatusOK || st.Cluster != f.Cluster() {
		t.Errorf("%v, %v", st, err)
	}
	_, err = vaultprov.KV{Server: &vaultprov.Server{Address: f.Address()}, Mount: "kvv2"}.Get(t.Context(), "x")
	if !errors.Is(err, lab.ErrUnauthorized) {
		t.Errorf("without a token: %v", err)
	}
}

func TestServerProblems(t *testing.T) {
	for address, says := range map[string]string{
		"":                               "nothing is assumed",
		"vault.lab:8200":                 "not the address",
		"https://":                       "not the address",
		"https://vault.lab:8200/v1":      "behind the host",
		"https://vault.lab:8200?x":       "behind the host",
		"https://root:hidden@vault:8200": "holds a user",
		"http://vault.lab:8200":          "in plain text",
		"http://192.168.1.202:8200":      "in plain text",
		"http://127.0.0.1.example:8200":  "in plain text",
		"://hidden":                      "not a URL",
		"http://127.0.0.1:8200/":         "",
		"http://[::1]:8200":              "",
		"http://localhost:8200":          "",
		"https://vault.lab":              "",
	} {
		ps := (&vaultprov.Server{Address: address}).Validate()
		if err := ps.Err(); (says == "") != (err == nil) || err != nil &&
			(!strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hidden")) {
			t.Errorf("%q: %v, want %q", address, err, says)
		}
	}
	ps := (&vaultprov.Server{Address: "http://vault.lab", Plaintext: true, CA: "x", Parallel: -1}).Validate()
	var paths []string
	for _, p := range ps {
		paths = append(paths, p.Path)
	}
	if !slices.Equal(paths, []string{"ca", "parallel"}) {
		t.Errorf("%v", ps)
	}
}

// TestTokenExpiresInApply: the token ends three times while a plan is made and applied, with many requests under way,
// and everything is made.
func TestTokenExpiresInApply(t *testing.T) {
	onBothServing(t, func(t *testing.T, v serving) {
		v.giteaJWT(t, "10m", `path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }`)
		ids := &source{t: t}
		session, err := v.Login(t.Context(), vaultprov.Login{Role: "gitea_cicd_erp", IDToken: ids})
		if err != nil {
			t.Fatal(err)
		}
		x := newSuite(t, v.Address, v.root.Reveal())
		server := x.server
		server.Token = session
		var mu sync.Mutex
		var ended lab.Secret // the token that ended last
		revoked, requests := 0, 0
		x.front.Check = func(*http.Request, []byte, *http.Response, []byte) error {
			mu.Lock()
			defer mu.Unlock()
			if requests++; revoked == 3 || requests < 20 { // a request is sent four times at most
				return nil
			}
			token, err := session.Token(context.Background(), lab.Secret{})
			if err != nil || token.Equal(ended) { // requests that are under way, and have not yet heard of it
				return err
			}
			v.call(t, token, "POST", "auth/token/revoke-self", "{}")
			ended, requests = token, 0
			revoked++
			return nil
		}
		spec, _ := x.spec(t)
		p, err := server.Plan(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := p.Apply(t.Context(), nil); err != nil || !r.Complete() {
			t.Fatalf("%v\n%v", err, r)
		}
		if p, err := server.Plan(t.Context(), spec); err != nil || !p.Empty() {
			t.Errorf("the second plan: %v, %v", p, err)
		}
		if n := ids.count(); n != 4 || revoked != 3 {
			t.Errorf("%d logins, and %d tokens ended", n, revoked)
		}
		if err := session.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
