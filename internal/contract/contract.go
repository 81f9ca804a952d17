// Package contract holds servers for tests, and what our clients send to them, against the OpenAPI documents
// of the vendors: the tests of a fake set [fake.HTTP.Check] to [Contract.Check].
//
// The documents of the clouds are not part of this repository. [Load] takes them from $LAB_CONTRACTS, or from the
// folder shared/contracts beside the repository's root, and skips the test where they are absent. Vault and
// Gitea serve their own: [Parse] takes what they serve.
package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Contract is one or more OpenAPI documents, each with the path below which it is served.
type Contract struct{ routers []routers.Router }

// formats defines formats that the validator does not know by itself, for the whole process.
var formats = sync.OnceFunc(func() {
	openapi3.DefineIPv4Format()
	openapi3.DefineIPv6Format()
})

// Load reads documents, by the path below which each is served: "cf-r2.json" below "/client/v4". It skips the
// test where the documents are absent, see [real.Missing].
func Load(tb testing.TB, served map[string]string) *Contract {
	tb.Helper()
	c := &Contract{}
	for name, below := range served {
		b, err := os.ReadFile(filepath.Join(dir(tb), name))
		if err != nil {
			real.Missing(tb, "the API contract "+name+" (LAB_CONTRACTS names its folder)")
		}
		c.add(tb, name, b, below)
	}
	return c
}

// Parse reads a document that a server serves, which has the paths below the given one.
func Parse(tb testing.TB, name string, document []byte, below string) *Contract {
	tb.Helper()
	c := &Contract{}
	c.add(tb, name, document, below)
	return c
}

func (c *Contract) add(tb testing.TB, name string, document []byte, below string) {
	tb.Helper()
	formats()
	doc, err := read(document)
	if err == nil {
		doc.Servers = openapi3.Servers{{URL: below}}
		doc.Security = nil
		var router routers.Router
		if router, err = gorillamux.NewRouter(doc); err == nil {
			c.routers = append(c.routers, router)
		}
	}
	if err != nil {
		tb.Fatalf("contract %s: %v", name, err)
	}
}

// read reads a document of OpenAPI 3, or of 2.0 ("Swagger"), which is converted.
func read(document []byte) (*openapi3.T, error) {
	var version struct {
		Swagger string `json:"swagger"`
	}
	if json.Unmarshal(document, &version) != nil || version.Swagger != "2.0" {
		return openapi3.NewLoader().LoadFromData(document)
	}
	var old openapi2.T
	if err := json.Unmarshal(document, &old); err != nil {
		return nil, err
	}
	return openapi2conv.ToV3(&old)
}

// Check validates a request and the answer to it. A request that no document knows is an error.
func (c *Contract) Check(req *http.Request, sent []byte, answer *http.Response, body []byte) error {
	var route *routers.Route
	var params map[string]string
	err := fmt.Errorf("no document has it")
	for _, r := range c.routers {
		if route, params, err = r.FindRoute(req); err == nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("contract: %w", err)
	}
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true,
		SkipSettingDefaults: true} // they were not sent
	req = req.Clone(req.Context())
	req.Body = io.NopCloser(bytes.NewReader(sent))
	input := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options}
	if answer.StatusCode < 400 { // one that is refused may be wrong
		if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
			return fmt.Errorf("contract: %w", err)
		}
	}
	output := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: answer.StatusCode,
		Header: answer.Header, Body: io.NopCloser(bytes.NewReader(body)), Options: options}
	if err := openapi3filter.ValidateResponse(context.Background(), output); err != nil {
		return fmt.Errorf("contract: the answer %d: %w", answer.StatusCode, err)
	}
	return nil
}

func dir(tb testing.TB) string {
	tb.Helper()
	if d := os.Getenv("LAB_CONTRACTS"); d != "" {
		return d
	}
	out, err := exec.CommandContext(tb.Context(), "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		tb.Fatalf("the root of the module: %v", err)
	}
	d := filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), "shared", "contracts")
	if _, err := fs.Stat(os.DirFS(d), "."); err != nil {
		real.Missing(tb, "the API contracts (LAB_CONTRACTS names their folder)")
	}
	return d
}
