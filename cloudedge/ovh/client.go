package ovh

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
)

const (
	maxAnswer   = 32 << 20    // bytes
	shortly     = time.Minute // how long a request may take
	tries       = 4           // of what is safe to send again
	maxMessages = 300         // bytes of what the API says that are shown
	maxPages    = 10000       // of a list that has no end
)

// client sends requests to the API, which are JSON. The vendor's go-ovh reads the environment and three configuration
// files, cannot log in by OAuth2 anywhere but at the vendor's, writes to its HTTP client at each request, and neither
// pages nor retries.
type client struct {
	account *Account
	http    *http.Client
	mask    *lab.Masker

	mu    sync.Mutex
	token *oauth2.Token  // of an OAuth2 client
	skew  *time.Duration // how far the API's clock is ahead of ours; nil: not known yet
}

func (a *Account) client() *client {
	c := &client{account: a, mask: lab.NewMasker(a.ClientSecret, a.ApplicationSecret, a.ConsumerKey)}
	trust, _ := httpx.Trust(a.CA) // [Account.Validate] says what is wrong with it
	perSecond := a.PerSecond
	if perSecond == 0 {
		perSecond = defaultPerSecond
	}
	c.http = httpx.Client(httpx.Options{Boundary: a.Boundary, TLS: trust, Parallel: a.parallel(), PerSecond: perSecond, Tries: tries,
		Prepare: c.sign, Counters: a.Counters})
	// A redirect turns a POST into a GET (RFC 9110, 15.4.2), and the signature is over the address.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

func (c *client) close() { c.http.CloseIdleConnections() }

// path joins segments, which it escapes, and begins with a slash.
func path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

func (c *client) get(ctx context.Context, path string, out any) error {
	_, err := c.api(ctx, http.MethodGet, path, nil, nil, out)
	return err
}

func (c *client) send(ctx context.Context, method, path string, in, out any) error {
	_, err := c.api(ctx, method, path, nil, in, out)
	return err
}

// list returns all pages of a list of the second version of the API, which pages by headers.
func list[T any](ctx context.Context, c *client, path string) ([]T, error) {
	var all []T
	header := http.Header{"X-Pagination-Size": {"100"}}
	for range maxPages {
		var some []T
		answer, err := c.api(ctx, http.MethodGet, path, header, nil, &some)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		next := answer.Get("X-Pagination-Cursor-Next")
		if next == "" {
			return all, nil
		}
		header.Set("X-Pagination-Cursor", next)
	}
	return nil, c.fail("list", path, "", lab.ErrConflict, "it has no end")
}

// api sends a request to the API, with a body unless in is nil, and decodes the answer into out unless that is nil.
func (c *client) api(ctx context.Context, method, path string, header http.Header, in, out any) (http.Header, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, c.fail(verb(method), path, "", lab.ErrInvalid, "a value of this type cannot be encoded")
		}
	}
	credentials, err := c.authorize(ctx)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		credentials[name] = values
	}
	answered, answer, err := c.do(ctx, method, path, credentials, body)
	if err != nil || out == nil {
		return answered, err
	}
	if err := json.Unmarshal(answer, out); err != nil { // whose text may hold a part of the answer, which may hold a secret
		return nil, c.fail(verb(method), path, "see whether a proxy answers instead of OVH", lab.ErrConflict,
			fmt.Sprintf("the answer is not what the API says (%d bytes)", len(answer)))
	}
	return answered, nil
}

// do sends a request, and returns the answer if that is a success.
func (c *client) do(ctx context.Context, method, path string, header http.Header, body []byte) (http.Header, []byte, error) {
	timed, cancel := context.WithTimeoutCause(ctx, shortly, lab.ErrTimeout)
	defer cancel()
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(timed, method, c.account.address()+path, content)
	if err != nil {
		return nil, nil, c.fail(verb(method), path, "", lab.ErrInvalid, "not a request")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, c.lost(ctx, timed, method, path, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, c.lost(ctx, timed, method, path, err)
	}
	c.account.log().Debug("request", "method", method, "path", path, "status", resp.StatusCode, "query", resp.Header.Get(queryID))
	if len(answer) > maxAnswer {
		return nil, nil, c.fail(verb(method), path, "", lab.ErrConflict, "the answer is longer than 32 MiB")
	}
	if resp.StatusCode/100 != 2 {
		return nil, nil, c.refused(method, path, resp, answer)
	}
	return resp.Header, answer, nil
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

// absent reports whether the error says that there is no such thing.
func absent(err error) bool { return errors.Is(err, lab.ErrNotFound) }

// fail returns an error about what is at path.
func (c *client) fail(op, path, hint string, kind error, what string) error {
	return &lab.Error{Op: op, Target: c.account.target(), Path: strings.TrimPrefix(path, "/"), Hint: hint,
		Err: fmt.Errorf("%w: %s", kind, what)}
}
