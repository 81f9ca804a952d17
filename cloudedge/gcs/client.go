package gcs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
)

const (
	maxAnswer   = 32 << 20    // bytes
	shortly     = time.Minute // how long a request may take
	tries       = 5           // of what is safe to send again
	maxMessages = 300         // bytes of what the API says that are shown
	maxPages    = 10000       // of a list that has no end
	pageSize    = 100         // the most that a page of service accounts has
)

// client sends requests to the APIs, which are JSON. The vendor's google.golang.org/api comes with gRPC and OpenTelemetry, looks for
// credentials in the environment, and does not retry.
type client struct {
	project *Project
	http    *http.Client // sends again what is safe to: reads, and what was refused with 429
	once    *http.Client // sends nothing again: a key that is created twice is one too many
	mask    *lab.Masker

	mu    sync.Mutex
	token *oauth2.Token
}

func (p *Project) client() *client {
	c := &client{project: p}
	k, _ := p.key() // [Project.Validate] says what is wrong with it
	c.mask = lab.NewMasker(p.Key, p.AccessToken, lab.NewSecret(k.PrivateKey))
	trust, _ := httpx.Trust(p.CA)
	o := httpx.Options{Boundary: p.Boundary, TLS: trust, Parallel: p.parallel(), Counters: p.Counters}
	c.once = httpx.Client(o)
	o.Tries, o.Transient = tries, transient
	c.http = httpx.Client(o)
	for _, h := range []*http.Client{c.http, c.once} {
		h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return c
}

// transient are the statuses of reads that are sent again (docs.cloud.google.com/storage/docs/retry-strategy).
func transient(resp *http.Response) bool {
	return resp.StatusCode == http.StatusRequestTimeout || resp.StatusCode/100 == 5 && resp.StatusCode != http.StatusNotImplemented
}

func (c *client) close() {
	c.http.CloseIdleConnections()
	c.once.CloseIdleConnections()
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

// bucketPath, keyPath and accountPath are those of the APIs, with what is below.
func bucketPath(below ...string) string { return storageAddress + "/storage/v1/b" + path(below...) }

func (c *client) keyPath(below ...string) string {
	return storageAddress + "/storage/v1/projects" + path(append([]string{c.project.ID, "hmacKeys"}, below...)...)
}

func (c *client) accountPath(below ...string) string {
	return iamAddress + "/v1/projects" + path(append([]string{c.project.ID, "serviceAccounts"}, below...)...)
}

func (c *client) get(ctx context.Context, address string, out any) error {
	return c.api(ctx, c.http, http.MethodGet, address, nil, out)
}

// send sends a request that writes. It is sent again only where it was not done.
func (c *client) send(ctx context.Context, method, address string, in, out any) error {
	return c.api(ctx, c.http, method, address, in, out)
}

// list reads all pages of a list: page decodes the one at an address, and returns where the next begins. Size names the parameter that
// says how long pages are.
func (c *client) list(ctx context.Context, address, size string, page func(context.Context, string) (next string, err error)) error {
	q := url.Values{size: {strconv.Itoa(pageSize)}}
	for range maxPages {
		next, err := page(ctx, address+"?"+q.Encode())
		if err != nil || next == "" {
			return err
		}
		q.Set("pageToken", next)
	}
	return c.fail("list", address, "", lab.ErrConflict, "it has no end")
}

// api sends a request to an API, with a body unless in is nil, and decodes the answer into out unless that is nil.
func (c *client) api(ctx context.Context, through *http.Client, method, address string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return c.fail(verb(method), address, "", lab.ErrInvalid, "a value of this type cannot be encoded")
		}
	}
	token, err := c.authorize(ctx)
	if err != nil {
		return err
	}
	header := http.Header{"Authorization": {"Bearer " + token.Reveal()}, "Accept": {"application/json"}}
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	resp, answer, err := c.do(ctx, through, method, address, header, body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode/100 != 2:
		return c.refused(method, address, resp, answer)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return c.fail(verb(method), address, "see whether a proxy answers instead of Google", lab.ErrConflict,
			"the answer is not what the API says")
	}
	return nil
}

// do sends a request and returns the answer to it, whatever it is.
func (c *client) do(ctx context.Context, through *http.Client, method, address string, header http.Header, body []byte) (
	*http.Response, []byte, error) {
	timed, cancel := context.WithTimeoutCause(ctx, shortly, lab.ErrTimeout)
	defer cancel()
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(timed, method, c.resolve(address), content)
	if err != nil {
		return nil, nil, c.fail(verb(method), address, "", lab.ErrInvalid, "not a request")
	}
	req.Header = header
	resp, err := through.Do(req)
	var answer []byte
	if err == nil {
		defer resp.Body.Close()
		answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	}
	if err != nil {
		return nil, nil, c.lost(ctx, timed, method, address, err)
	}
	c.project.log().Debug("request", "method", method, "path", req.URL.Path, "status", resp.StatusCode)
	if len(answer) > maxAnswer {
		return nil, nil, c.fail(verb(method), address, "", lab.ErrConflict, "the answer is longer than 32 MiB")
	}
	return resp, answer, nil
}

// resolve returns where an address of Google's is.
func (c *client) resolve(address string) string {
	for _, vendor := range []string{storageAddress, iamAddress} {
		if below, found := strings.CutPrefix(address, vendor); found {
			return c.project.at(vendor) + below
		}
	}
	return address
}

// authorize returns an access token.
func (c *client) authorize(ctx context.Context) (lab.Secret, error) {
	p := c.project
	if !p.AccessToken.IsZero() {
		return p.AccessToken, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.token.Valid() {
		token, err := c.logIn(ctx)
		if err != nil {
			return lab.Secret{}, err
		}
		c.token = token
		c.mask = lab.NewMasker(p.Key, lab.NewSecret(token.AccessToken))
	}
	return lab.NewSecret(c.token.AccessToken), nil
}

// logIn gets a token for the key of the service account (RFC 7523).
func (c *client) logIn(ctx context.Context) (*oauth2.Token, error) {
	timed, cancel := context.WithTimeoutCause(ctx, shortly, lab.ErrTimeout)
	defer cancel()
	k, _ := c.project.key()
	config := jwt.Config{Email: k.ClientEmail, PrivateKey: []byte(k.PrivateKey), PrivateKeyID: k.PrivateKeyID, Scopes: []string{scope},
		TokenURL: c.project.at(loginAddress) + loginPath}
	sent := &transport{next: c.http.Transport}
	token, err := config.TokenSource(context.WithValue(timed, oauth2.HTTPClient, &http.Client{Transport: sent,
		CheckRedirect: c.http.CheckRedirect})).Token()
	var said *oauth2.RetrieveError
	switch {
	case err == nil:
		return token, nil
	case errors.As(err, &said): // its text has the whole answer
		status := said.Response.StatusCode
		if status/100 == 5 {
			return nil, c.fail("log in", k.ClientEmail, "", lab.ErrUnreachable, said.Response.Status)
		}
		return nil, c.fail("log in", k.ClientEmail, "see whether the key was removed, and whether this machine's clock is right",
			lab.ErrUnauthorized, said.Response.Status)
	case sent.err != nil || timed.Err() != nil:
		return nil, c.lost(ctx, timed, "log in", k.ClientEmail, sent.err)
	}
	return nil, c.fail("log in", k.ClientEmail, "give the key as Google has handed it out", lab.ErrInvalid,
		"the private key cannot be used") // the error may show a part of it
}

// transport keeps the error of a request: package jwt makes a text of it.
type transport struct {
	next http.RoundTripper
	err  error
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	t.err = err
	return resp, err
}

// until calls look, and again after each poll, until it is done or fails, or the wait is over: then the error wraps
// [lab.ErrTimeout].
func (c *client) until(ctx context.Context, what string, look func(context.Context) (done bool, err error)) error {
	timed, cancel := context.WithTimeoutCause(ctx, c.project.wait(), lab.ErrTimeout)
	defer cancel()
	for {
		done, err := look(timed)
		if done || err != nil && timed.Err() == nil {
			return err
		}
		c.project.log().Info("waiting", "for", what)
		t := time.NewTimer(c.project.poll())
		select {
		case <-t.C:
		case <-timed.Done():
			t.Stop()
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return &lab.Error{Op: "wait for " + what, Target: c.project.target(), Hint: "plan again later", Err: lab.ErrTimeout}
		}
	}
}

// conditional calls try, which reads and writes under a precondition, again where the write was refused because something was
// written meanwhile, or was answered with a failure that passes. A write without an answer is left to the next plan.
func (c *client) conditional(ctx context.Context, try func() error) error {
	for n := 1; ; n++ {
		err := try()
		s := status(err)
		again := s == http.StatusPreconditionFailed || s == http.StatusConflict || s == http.StatusTooManyRequests || s/100 == 5
		if !again || n == tries {
			return err
		}
		t := time.NewTimer(c.project.poll())
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		}
	}
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
	case http.MethodPatch, http.MethodPut:
		return "update"
	}
	return method
}
