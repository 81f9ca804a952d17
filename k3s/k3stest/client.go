package k3stest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// request asks the API itself, without the front, so that nothing is counted.
func (w *world) request(tb testing.TB, method, path, contentType string, body any) (int, map[string]any) {
	tb.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		tb.Fatal(err)
	}
	req := httptest.NewRequest(method, path, bytes.NewReader(b))
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", "application/json")
	answer := httptest.NewRecorder()
	w.Handler.ServeHTTP(answer, req)
	out := map[string]any{}
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil && err != io.EOF {
		tb.Fatalf("%s %s: %v", method, path, err)
	}
	return answer.Code, out
}

// path returns that of a resource in the world's namespace.
func (w *world) path(apiVersion, resource, name string) string {
	root := "/apis/" + apiVersion
	if !strings.Contains(apiVersion, "/") {
		root = "/api/" + apiVersion
	}
	return fmt.Sprintf("%s/namespaces/%s/%s/%s", root, w.name, resource, name)
}

// read returns an object; nil if it is not there.
func (w *world) read(tb testing.TB, apiVersion, resource, name string) map[string]any {
	tb.Helper()
	code, u := w.request(tb, http.MethodGet, w.path(apiVersion, resource, name), "", nil)
	if code == http.StatusNotFound {
		return nil
	}
	if code != http.StatusOK {
		tb.Fatalf("read %s: %v", name, u)
	}
	return u
}

// as applies an object of the core group in the world's namespace as somebody else does: by another field
// manager, and by force.
func (w *world) as(tb testing.TB, manager, manifest string) {
	tb.Helper()
	var content map[string]any
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(manifest, "NS", w.name)), &content); err != nil {
		tb.Fatal(err)
	}
	meta := content["metadata"].(map[string]any)
	path := w.path("v1", strings.ToLower(content["kind"].(string))+"s", meta["name"].(string))
	code, answer := w.request(tb, http.MethodPatch, path+"?force=true&fieldManager="+manager, "application/apply-patch+yaml", content)
	if code >= http.StatusMultipleChoices {
		tb.Fatalf("apply %s as %s: %v", manifest, manager, answer)
	}
}
