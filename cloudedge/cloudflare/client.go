package cloudflare

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
)

const (
	maxPages    = 1000     // of a list that has no end
	maxAnswer   = 64 << 20 // bytes
	shortly     = time.Minute
	tries       = 4 // of what is safe to send again
	perSecond   = 4
	maxMessages = 500 // bytes of what the API says that are shown
	below       = "/client/v4"
)

// client sends requests to the API. cloudflare-go is not used: it sends a POST again whose answer was lost, takes an answer
// that says "success": false for one that is empty, does not escape paths, and drops the cursor of the list of buckets.
type client struct {
	account *Account
	http    *http.Client
	base    string
	token   lab.Secret
	mask    *lab.Masker
}

func (a *Account) client() *client {
	trust, _ := httpx.Trust(a.CA) // [Account.Validate] says what is wrong with it
	o := httpx.Options{Boundary: a.Boundary, TLS: trust, Parallel: a.parallel(), Tries: tries, Counters: a.Counters}
	if a.Address == "" { // Cloudflare's own
		o.PerSecond = perSecond
	}
	h := httpx.Client(o)
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{account: a, http: h, base: a.address() + below, token: a.Token, mask: lab.NewMasker(a.Token)}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// as returns a client that comes with another token.
func (c *client) as(token lab.Secret) *client {
	other := *c
	other.token, other.mask = token, lab.NewMasker(token, c.account.Token)
	return &other
}

// path joins segments, which it escapes, and begins with a slash.
func path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// inAccount is a path below that of the account.
func (c *client) inAccount(segments ...string) string {
	return path("accounts", c.account.ID) + path(segments...)
}

// request is a request to the API.
type request struct {
	method, path string
	query        url.Values
	header       map[string]string
	in           any // the body in JSON; nil: none
}

// info says where in a list an answer is.
type info struct {
	Page       int    `json:"page"`
	PerPage    int    `json:"per_page"`
	Count      int    `json:"count"`
	TotalCount int    `json:"total_count"`
	TotalPages int    `json:"total_pages"`
	Cursor     string `json:"cursor"`
}

// envelope is what every answer of the API is.
type envelope struct {
	Success bool            `json:"success"`
	Errors  []Message       `json:"errors"`
	Result  json.RawMessage `json:"result"`
	Info    info            `json:"result_info"`
}

func (c *client) get(ctx context.Context, path string, out any) error {
	return c.send(ctx, request{method: http.MethodGet, path: path}, out)
}

// send sends a request, and decodes the result into out unless that is nil.
func (c *client) send(ctx context.Context, r request, out any) error {
	_, err := c.do(ctx, r, out)
	return err
}

// list returns all pages of a list. Those of Cloudflare say how many objects there are, or how many pages, or neither: then
// a page that is not full is the last.
func list[T any](ctx context.Context, c *client, r request, perPage int) ([]T, error) {
	var all []T
	r.method = http.MethodGet
	for page := 1; page <= maxPages; page++ {
		q := url.Values{}
		for name, values := range r.query {
			q[name] = values
		}
		q.Set("page", strconv.Itoa(page))
		if perPage > 0 {
			q.Set("per_page", strconv.Itoa(perPage))
		}
		some := []T{}
		one := r
		one.query = q
		i, err := c.do(ctx, one, &some)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		full := max(i.PerPage, perPage)
		switch {
		case len(some) == 0, i.TotalPages > 0 && page >= i.TotalPages, i.TotalCount > 0 && len(all) >= i.TotalCount,
			i.TotalPages == 0 && i.TotalCount == 0 && (full == 0 || len(some) < full):
			return all, nil
		}
	}
	return nil, c.fail("list", r.path, "", lab.ErrConflict, "it has no end")
}

// do sends a request, and decodes the result of a success.
func (c *client) do(ctx context.Context, r request, out any) (info, error) {
	timed, cancel := context.WithTimeoutCause(ctx, shortly, lab.ErrTimeout)
	defer cancel()
	var body io.Reader
	if r.in != nil {
		b, err := json.Marshal(r.in)
		if err != nil {
			return info{}, c.fail(verb(r.method), r.path, "", lab.ErrInvalid, "a value of this type cannot be encoded")
		}
		body = bytes.NewReader(b)
	}
	address := c.base + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(timed, r.method, address, body)
	if err != nil {
		return info{}, c.fail(verb(r.method), r.path, "", lab.ErrInvalid, "not a request")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	if r.in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return info{}, c.lost(ctx, timed, r, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return info{}, c.lost(ctx, timed, r, err)
	}
	if !httpx.Reads(r.method) && c.account.Log != nil {
		c.account.Log.DebugContext(ctx, "request", "method", r.method, "path", r.path, "status", resp.StatusCode)
	}
	if len(answer) > maxAnswer {
		return info{}, c.fail(verb(r.method), r.path, "", lab.ErrConflict, "the answer is longer than 64 MiB")
	}
	return c.decode(r, resp, answer, out)
}

func (c *client) decode(r request, resp *http.Response, answer []byte, out any) (info, error) {
	var e envelope
	err := json.Unmarshal(answer, &e)
	if resp.StatusCode/100 != 2 || err == nil && !e.Success && (len(e.Errors) > 0 || r.method != http.MethodDelete) {
		return info{}, c.refused(r, resp, e)
	}
	if err != nil && out == nil && len(bytes.TrimSpace(answer)) == 0 {
		return info{}, nil // an answer to a DELETE may be empty
	}
	if err == nil && out != nil {
		if len(e.Result) == 0 || string(e.Result) == "null" {
			return e.Info, c.fail(verb(r.method), r.path, "plan again", lab.ErrConflict, "the answer has no result")
		}
		err = json.Unmarshal(e.Result, out)
	}
	if err != nil {
		// The text of the error may hold a part of the answer, which may hold a secret.
		return info{}, c.fail(verb(r.method), r.path, "see whether a proxy answers instead of Cloudflare", lab.ErrConflict,
			fmt.Sprintf("the answer is not what the API says (%d bytes)", len(answer)))
	}
	return e.Info, nil
}

// verb is what a request does, for errors.
func verb(method string) string {
	switch method {
	case http.MethodGet:
		return "read"
	case http.MethodPost:
		return "create"
	case http.MethodDelete:
		return "delete"
	}
	return "update"
}
