package contract_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/contract"
)

func TestCheck(t *testing.T) {
	c := contract.Load(t, map[string]string{"ovh-me.json": "/1.0", "ovh-iam.json": "/v2"})
	for _, test := range []struct {
		method, path, sent string
		status             int
		body, says         string
	}{
		{"GET", "/1.0/me/api/oauth2/client", "", 200, `["a"]`, ""},
		{"GET", "/1.0/me/api/oauth2/client", "", 200, `{"a":1}`, "the answer 200"},
		{"GET", "/1.0/me/api/oauth3", "", 200, `[]`, "contract: "},
		{"POST", "/1.0/me/api/oauth2/client", `{"name":"a","description":"b","flow":"CLIENT_CREDENTIALS"}`, 200,
			`{"clientId":"a","clientSecret":"b"}`, ""},
		{"POST", "/1.0/me/api/oauth2/client", `{"name":"a","description":"b","flow":"NO_SUCH"}`, 200,
			`{"clientId":"a","clientSecret":"b"}`, "NO_SUCH"},
	} {
		req := httptest.NewRequestWithContext(t.Context(), test.method, "http://api.example.com"+test.path, strings.NewReader(test.sent))
		req.Header.Set("Content-Type", "application/json")
		answer := &http.Response{StatusCode: test.status, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(""))}
		err := c.Check(req, []byte(test.sent), answer, []byte(test.body))
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s %s %s: %v, want %q", test.method, test.path, test.sent, err, test.says)
		}
	}
}
