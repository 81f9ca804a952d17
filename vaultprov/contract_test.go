package vaultprov_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/contract"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/vaulttest"
)

// secretPath is the path of a secret of KV, or of all.
var secretPath = regexp.MustCompile(`^(/v1/(?:kvv1-1|kvv2-1/data|kvv2-1/metadata)/)(.*?)(/?)$`)

// numbersToo takes from the durations of a document that they are texts: Vault takes numbers of seconds too, and
// answers with them.
func numbersToo(v any) {
	switch v := v.(type) {
	case map[string]any:
		if v["format"] == "duration" {
			delete(v, "type")
		}
		for _, inner := range v {
			numbersToo(inner)
		}
	case []any:
		for _, inner := range v {
			numbersToo(inner)
		}
	}
}

// TestContract holds what is sent while everything is planned and applied, and what the server of package vaulttest
// answers, against the OpenAPI document that a real Vault serves when it has the same mounts.
func TestContract(t *testing.T) {
	vault := real.VaultDev(t)
	converge := func(x *suite) {
		spec, _ := x.spec(t)
		p, err := x.server.Plan(t.Context(), spec)
		if err == nil {
			_, err = p.Apply(t.Context(), nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	converge(newSuite(t, vault.Address, vault.Token))
	_, document := vault.Call(t, vault.Token, "GET", "sys/internal/specs/openapi", "")
	var read any
	if err := json.Unmarshal([]byte(document), &read); err != nil {
		t.Fatal(err)
	}
	numbersToo(read)
	written, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	c := contract.Parse(t, "vault", written, "/v1")
	fake := vaulttest.New(t, vaulttest.Config{})
	x := newSuite(t, fake.Address(), fake.Root().Reveal())
	var checked atomic.Int64
	x.front.Check = func(req *http.Request, sent []byte, answer *http.Response, body []byte) error {
		if answer.StatusCode >= 400 {
			return nil // the document says nothing of errors
		}
		checked.Add(1)
		req = req.Clone(req.Context())
		if req.Method == "LIST" { // which OpenAPI does not have
			req.Method, req.URL.RawQuery = http.MethodGet, "list=true"
			req.URL.Path = strings.TrimSuffix(req.URL.Path, "/") + "/"
		}
		// a path with slashes is no parameter of OpenAPI
		if m := secretPath.FindStringSubmatch(req.URL.Path); m != nil {
			req.URL.Path = m[1] + "one" + m[3]
		}
		if err := c.Check(req, sent, answer, body); err != nil {
			t.Errorf("%s %s: %v", req.Method, req.URL, err)
		}
		return nil
	}
	converge(x)
	if n := checked.Load(); n < 40 {
		t.Errorf("only %d requests were checked", n)
	}
}
