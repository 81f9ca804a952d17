package vaulttest

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/contract"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// secretPath is the path of a secret, whatever its depth, or of all.
var secretPath = regexp.MustCompile(`^(/v1/(?:kvv1|kvv2/data|kvv2/metadata)/)(.*?)(/?)$`)

// TestContract holds the answers to the requests of testdata/same.txt against the OpenAPI document that a real Vault
// serves of itself and of its mounts.
func TestContract(t *testing.T) {
	vault := real.VaultDev(t)
	mounts := []string{
		`sys/mounts/kvv2 {"type":"kv","options":{"version":"2"}}`, `sys/mounts/kvv1 {"type":"kv"}`,
		`sys/mounts/postgres {"type":"database"}`,
		`sys/mounts/transit {"type":"transit"}`, `sys/auth/gitea_jwt {"type":"jwt"}`,
		`sys/auth/kubernetes {"type":"kubernetes"}`,
		`sys/auth/approle {"type":"approle"}`,
	}
	for _, mount := range mounts {
		path, body, _ := strings.Cut(mount, " ")
		if status, answer := vault.Call(t, vault.Token, "POST", path, body); status != http.StatusNoContent {
			t.Fatalf("%s: %d %s", path, status, answer)
		}
	}
	_, document := vault.Call(t, vault.Token, "GET", "sys/internal/specs/openapi", "")
	c := contract.Parse(t, "vault", []byte(document), "/v1")
	fake := New(t, Config{})
	checked := 0
	fake.HTTP.Check = func(req *http.Request, sent []byte, answer *http.Response, body []byte) error {
		if answer.StatusCode >= 400 { // the document says nothing of errors, and has no paths that are not there
			return nil
		}
		checked++
		req = req.Clone(req.Context())
		if req.Method == "LIST" { // which OpenAPI does not have
			req.Method, req.URL.RawQuery = http.MethodGet, "list=true"
			req.URL.Path = strings.TrimSuffix(req.URL.Path, "/") + "/"
		}
		// a path with slashes is no parameter of OpenAPI
		if m := secretPath.FindStringSubmatch(req.URL.Path); m != nil {
			req.URL.Path = m[1] + "one" + m[3]
		}
		if req.Method == http.MethodPut {
			req.Method = http.MethodPost
		}
		err := c.Check(req, sent, answer, body)
		if err != nil && !strings.Contains(err.Error(), "request body has an "+
			"error") { // some are in forms that Vault takes, and does not document
			t.Errorf("%s %s: %v", req.Method, req.URL, err)
		}
		return nil
	}
	s := &speaker{fake.Address(), map[string]string{"root": fake.Root().Reveal(), "key": publicKey(t)}}
	for _, line := range sameLines(t) {
		s.say(t, line)
	}
	if checked < 80 {
		t.Errorf("only %d answers were checked", checked)
	}
}
