package cloudflare_test

import (
	"bytes"
	"context"
	"encoding/json"
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
	check := contract.Cloudflare(tb)
	w.SetCheck(func(req *http.Request, sent []byte, answer *http.Response, body []byte) error {
		if req.UserAgent() == "dashboard" {
			return nil
		}
		return check(req, sent, answer, body)
	})
	return w
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
