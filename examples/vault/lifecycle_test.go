package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/rogpeppe/go-internal/testscript"

	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/vaulttest"
)

// installed are two servers as they are installed, at $INSTALLED and $LOST, and a recipient of age.
func installed(t *testing.T, env *testscript.Env) error {
	env.Setenv("INSTALLED", vaulttest.New(t, vaulttest.Config{Uninitialized: true}).Address())
	env.Setenv("LOST", vaulttest.New(t, vaulttest.Config{Uninitialized: true}).Address())
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	env.Values["identity"] = identity
	env.Setenv("RECIPIENT", identity.Recipient().String())
	return nil
}

// decrypt decrypts a file as age -d does.
func decrypt(ts *testscript.TestScript, _ bool, files []string) {
	r, err := age.Decrypt(armor.NewReader(bytes.NewBufferString(ts.ReadFile(files[0]))),
		ts.Value("identity").(*age.X25519Identity))
	ts.Check(err)
	b, err := io.ReadAll(r)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(files[1]), b, 0o600))
}

// logsIn gives the server a role for CI jobs, and the script an identity token for it, in the file idtoken, and from a
// runner at $RUNNER.
func logsIn(t *testing.T, env *testscript.Env, v *vaulttest.Server) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	for _, write := range []struct {
		path string
		body map[string]any
	}{
		{"sys/auth/gitea_jwt", map[string]any{"type": "jwt"}},
		{"auth/gitea_jwt/config", map[string]any{"jwt_validation_pubkeys": []string{
			string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}}},
		{"sys/policies/acl/erp", map[string]any{"policy": `path "sys/leases" { capabilities = ["read", "sudo"] }`}},
		{"auth/gitea_jwt/role/erp", map[string]any{"role_type": "jwt", "user_claim": "sub", "bound_subject": "5",
			"token_policies": []string{"erp"}}},
	} {
		body, err := json.Marshal(write.body)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.Address()+"/v1/"+write.path,
			bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("X-Vault-Request", "true")
		req.Header.Set("X-Vault-Token", v.Root().Reveal())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode >= 300 {
			return fmt.Errorf("%s: %s", write.path, resp.Status)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil)
	if err != nil {
		return err
	}
	now := time.Now()
	token, err := jwt.Signed(signer).Claims(jwt.Claims{Subject: "5", IssuedAt: jwt.NewNumericDate(now),
		Expiry: jwt.NewNumericDate(now.Add(time.Hour))}).Serialize()
	if err != nil {
		return err
	}
	runner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"value":%q}`, token)
	}))
	t.Cleanup(runner.Close)
	env.Setenv("RUNNER", runner.URL)
	return os.WriteFile(filepath.Join(env.WorkDir, "idtoken"), []byte(token), 0o600)
}

// tokens fails unless so many tokens that are not of root live.
func tokens(ts *testscript.TestScript, _ bool, args []string) {
	if n := fmt.Sprint(ts.Value("vault").(*vaulttest.Server).Tokens()); n != args[0] {
		ts.Fatalf("%s tokens live, want %s", n, args[0])
	}
}
