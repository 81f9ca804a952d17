package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Check validates a request and the answer to it, as [fake.HTTP.Check] does.
type Check = func(req *http.Request, sent []byte, answer *http.Response, body []byte) error

// OVH returns what holds an account of OVH against the documents of OVH. Logins, the text of a zone and DNSSEC are in none of them.
func OVH(tb testing.TB) Check {
	tb.Helper()
	c := Load(tb, map[string]string{"ovh-me.json": "/v1", "ovh-domain.json": "/v1", "ovh-iam.json": "/v2"})
	return func(req *http.Request, sent []byte, answer *http.Response, body []byte) error {
		if p := req.URL.Path; strings.Contains(p, "/auth/") || strings.HasSuffix(p, "/export") || strings.HasSuffix(p, "/dnssec") {
			return nil
		}
		return c.Check(req, sent, answer, body)
	}
}

// Google returns what holds a project of Google Cloud against the documents of storage and of IAM. The login is in none of them, and
// neither is S3, whose paths are of one bucket.
func Google(tb testing.TB) Check {
	tb.Helper()
	c := Load(tb, map[string]string{"gcs-storage.json": "/storage/v1", "gcs-iam.json": ""})
	return func(req *http.Request, sent []byte, answer *http.Response, body []byte) error {
		if strings.Count(req.URL.Path, "/") == 1 || answer.StatusCode == http.StatusNoContent {
			return nil
		}
		// A null removes a field (RFC 7396), of which the documents, made from Google's discovery format, say nothing.
		sent = bytes.ReplaceAll(sent, []byte(`"retentionPolicy":null,`), nil)
		return c.Check(req, sent, answer, body)
	}
}

// Cloudflare returns what holds an account of Cloudflare against the documents of Cloudflare, and the envelope of all answers
// too. The documents are of 2024: batches of records, whose parts are checked, and widgets are newer.
func Cloudflare(tb testing.TB) Check {
	tb.Helper()
	served := map[string]string{}
	for _, name := range []string{"account-tokens", "user-tokens", "r2", "dns", "zones", "tunnels", "pages"} {
		served["cf-"+name+".json"] = "/client/v4"
	}
	c := Load(tb, served)
	return func(req *http.Request, sent []byte, answer *http.Response, body []byte) error {
		var e struct {
			Success *bool
			Errors  []json.RawMessage
			Result  json.RawMessage
		}
		if err := json.Unmarshal(body, &e); err != nil || e.Success == nil || *e.Success != (answer.StatusCode < 400) ||
			(len(e.Errors) > 0) != (answer.StatusCode >= 400) || e.Result == nil {
			return fmt.Errorf("not an answer of the API: %s", body)
		}
		switch {
		case answer.StatusCode >= 400: // what the documents say of errors contradicts itself: success is true, and false
			return nil
		case strings.HasSuffix(req.URL.Path, "/dns_records/batch"):
			return c.checkBatch(req, sent)
		case strings.Contains(req.URL.Path, "/challenges/widgets"):
			return nil
		case strings.HasSuffix(req.URL.Path, "/r2/buckets") && req.Method == http.MethodGet:
			// The document says that the result is an object, and a list: nothing is both. It says nothing of a status 299.
			unspecified := *answer
			unspecified.StatusCode = 299
			answer = &unspecified
		}
		if at := strings.LastIndex(req.URL.Path, "/settings/"); at >= 0 && req.Method == http.MethodPatch {
			// Without the ID, which stands in the path, a value may be that of several settings.
			id, err := json.Marshal(req.URL.Path[at+len("/settings/"):])
			if err != nil {
				return err
			}
			sent = bytes.Replace(sent, []byte("{"), []byte(`{"id":`+string(id)+","), 1)
		}
		return c.Check(req, sent, answer, body)
	}
}

// checkBatch checks a batch of records: each of its parts is what another request has.
func (c *Contract) checkBatch(req *http.Request, sent []byte) error {
	var batch struct{ Patches, Posts []json.RawMessage }
	if err := json.Unmarshal(sent, &batch); err != nil {
		return err
	}
	part := func(method, path string, body []byte) error {
		one := req.Clone(req.Context())
		one.Method, one.URL.Path, one.RequestURI = method, path, ""
		if bytes.Contains(body, []byte(`"data":{`)) && !bytes.Contains(body, []byte(`"content":`)) {
			// The document requires of all what it says that those with data have to read alone.
			body = bytes.Replace(body, []byte("{"), []byte(`{"content":"",`), 1)
		}
		one.ContentLength = int64(len(body))
		return c.Check(one, body, &http.Response{StatusCode: 299, Header: http.Header{}}, nil)
	}
	records := strings.TrimSuffix(req.URL.Path, "/batch")
	for _, raw := range batch.Posts {
		if err := part(http.MethodPost, records, raw); err != nil {
			return err
		}
	}
	for _, raw := range batch.Patches {
		if err := part(http.MethodPatch, records+"/"+strings.Repeat("0", 32), raw); err != nil {
			return err
		}
	}
	return nil
}
