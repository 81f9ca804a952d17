package cloudflare_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/contract"
)

// world is an account in this process.
type world struct {
	*cloudflaretest.Server
	account cloudflare.Account
	sink    lab.SecretDir
}

func newWorld(tb testing.TB, c cloudflaretest.Config) *world {
	tb.Helper()
	if c.Zones == nil {
		c.Zones = []string{"example.fr", "other.fr"}
	}
	s := cloudflaretest.New(tb, c)
	dir := lab.SecretDir{Path: filepath.Join(tb.TempDir(), "secrets")}
	if err := os.Mkdir(dir.Path, 0o700); err != nil {
		tb.Fatal(err)
	}
	a := s.Access()
	a.Counters = &cloudflare.Counters{}
	return &world{Server: s, account: a, sink: dir}
}

// checked holds all that is sent and answered against what Cloudflare publishes.
func (w *world) checked(tb testing.TB) *world {
	tb.Helper()
	served := map[string]string{}
	for _, name := range []string{"account-tokens", "user-tokens", "r2", "dns", "zones", "tunnels", "pages"} {
		served["cf-"+name+".json"] = "/client/v4"
	}
	c := contract.Load(tb, served)
	w.SetCheck(func(req *http.Request, sent []byte, answer *http.Response, body []byte) error {
		var e struct {
			Success *bool
			Errors  []cloudflare.Message
			Result  json.RawMessage
		}
		if err := json.Unmarshal(body, &e); err != nil || e.Success == nil || *e.Success != (answer.StatusCode < 400) ||
			(len(e.Errors) > 0) != (answer.StatusCode >= 400) || e.Result == nil {
			return fmt.Errorf("not an answer of the API: %s", body)
		}
		if answer.StatusCode >= 400 { // what the documents say of errors contradicts itself: success is true, and false
			return nil
		}
		if req.UserAgent() == "dashboard" {
			return nil
		}
		if strings.HasSuffix(req.URL.Path, "/dns_records/batch") {
			return checkBatch(c, req, sent)
		}
		if unpublished(req.URL.Path) {
			return nil
		}
		if strings.HasSuffix(req.URL.Path, "/r2/buckets") && req.Method == http.MethodGet {
			// The document says that the result is an object, and a list: nothing is both. This says nothing of a status 299.
			answer.StatusCode = 299
		}
		if at := strings.LastIndex(req.URL.Path, "/settings/"); at >= 0 && req.Method == http.MethodPatch {
			// Without the ID, which stands in the path, a value may be that of several settings.
			id, _ := json.Marshal(req.URL.Path[at+len("/settings/"):])
			sent = bytes.Replace(sent, []byte("{"), []byte(`{"id":`+string(id)+","), 1)
		}
		return c.Check(req, sent, answer, body)
	})
	return w
}

// unpublished reports whether no document has a path: widgets are newer than the documents.
func unpublished(path string) bool { return strings.Contains(path, "/challenges/widgets") }

// checkBatch checks a batch of records, which is newer than the documents: each of its parts is what another request has.
func checkBatch(c *contract.Contract, req *http.Request, sent []byte) error {
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

// call asks the API, as the owner of the account does in the dashboard.
func (w *world) call(tb testing.TB, method, path string, in any, header ...string) json.RawMessage {
	tb.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		tb.Fatal(err)
	}
	path = strings.ReplaceAll(path, "{a}", w.account.ID)
	req, err := http.NewRequestWithContext(context.Background(), method, w.URL()+"/client/v4"+path, bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.account.Token.Reveal())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "dashboard") // what it sends is not checked
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		tb.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, answer, err)
	}
	var e struct{ Result json.RawMessage }
	if err := json.Unmarshal(answer, &e); err != nil {
		tb.Fatal(err)
	}
	return e.Result
}

func (w *world) plan(tb testing.TB, s cloudflare.Spec) *lab.Plan {
	tb.Helper()
	p, err := w.account.Plan(context.Background(), s)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// apply plans and applies, and confirms everything.
func (w *world) apply(tb testing.TB, s cloudflare.Spec) (*lab.Report, error) {
	tb.Helper()
	return apply(w.plan(tb, s))
}

func apply(p *lab.Plan) (*lab.Report, error) {
	o := &lab.ApplyOptions{}
	for _, c := range p.Changes() {
		o.Confirmed = append(o.Confirmed, lab.Confirm(c.ID))
	}
	return p.Apply(context.Background(), o)
}

// converge applies until there is nothing to do, which is after one apply.
func (w *world) converge(tb testing.TB, s cloudflare.Spec) {
	tb.Helper()
	if r, err := w.apply(tb, s); err != nil {
		tb.Fatalf("%v\n%v", err, r)
	}
	w.settled(tb, s)
}

func (w *world) settled(tb testing.TB, s cloudflare.Spec) {
	tb.Helper()
	if p := w.plan(tb, s); !p.Empty() {
		tb.Fatalf("there is still to do:\n%v", p)
	}
}

// changes are the IDs of a plan with their actions, "create bucket:a".
func changes(p *lab.Plan) (all []string) {
	for _, c := range p.Changes() {
		all = append(all, string(c.Action)+" "+strings.TrimPrefix(c.ID, "cloudflare/"))
	}
	return all
}

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }
