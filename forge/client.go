package forge

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
	pageSize    = 50               // the most that a server gives by default, MAX_RESPONSE_ITEMS
	maxPages    = 10000            // of a list that has no end
	maxAnswer   = 32 << 20         // bytes
	shortly     = time.Minute      // how long a request may take
	cloning     = 30 * time.Minute // one that copies a repository
	tries       = 4                // of what is safe to send again
	maxMessages = 300              // bytes of what the server says that are shown
)

// client sends requests to the API, which are JSON, as code.gitea.io/sdk/gitea does. That one has a single context for
// all of its requests, follows redirects by which a change of a repository that was renamed becomes a read of
// it that succeeds, shows whole answers in its errors, and lacks the descriptions of secrets and variables.
type client struct {
	server *Server
	http   *http.Client
	base   string // without a slash at the end
	mask   *lab.Masker
	sudo   string // whom requests are made for, by an administrator; empty: for ourselves
	nobody bool   // without any credentials
	login  *login // instead of the server's; nil: the server's
}

type login struct {
	user     string
	password lab.Secret
}

func (s *Server) client(secrets ...lab.Secret) *client {
	return &client{server: s, base: strings.TrimRight(s.Address, "/"),
		mask: lab.NewMasker(append(secrets, s.Token, s.Password)...),
		http: s.httpClient()}
}

func (s *Server) httpClient() *http.Client {
	trust, _ := httpx.Trust(s.CA) // [Server.Validate] says what is wrong with it
	c := httpx.Client(httpx.Options{Boundary: s.Boundary, TLS: trust, Parallel: s.parallel(), Tries: tries, Counters: s.Counters})
	// A name that was given up leads to the new one by a redirect, which turns a PATCH into a GET (RFC 9110, 15.4.2).
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

func (c *client) close() { c.http.CloseIdleConnections() }

// as returns a client that does everything for another user.
func (c *client) as(user string) *client {
	other := *c
	other.sudo = user
	return &other
}

// loggedIn returns a client that is logged in as another user.
func (c *client) loggedIn(user string, password lab.Secret) *client {
	other := *c
	other.sudo, other.login = "", &login{user, password}
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

func (c *client) get(ctx context.Context, path string, out any) error {
	_, err := c.api(ctx, http.MethodGet, path, nil, out)
	return err
}

func (c *client) send(ctx context.Context, method, path string, in, out any) error {
	_, err := c.api(ctx, method, path, in, out)
	return err
}

// list returns all pages of a list.
func list[T any](ctx context.Context, c *client, path string) ([]T, error) {
	var all []T
	for page := 1; page <= maxPages; page++ {
		var some []T
		header, err := c.api(ctx, http.MethodGet, fmt.Sprintf("%s?limit=%d&page=%d", path, pageSize, page), nil, &some)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		// Not every list has a Link; the total counts what this user may not see too, so that an empty page ends the list.
		total, err := strconv.Atoi(header.Get("X-Total-Count"))
		if len(some) == 0 || !strings.Contains(header.Get("Link"), `rel="next"`) && (err != nil || len(all) >= total) {
			return all, nil
		}
	}
	return nil, c.fail("list", path, "", lab.ErrConflict, "it has no end")
}

// api sends a request to the API, with a body unless in is nil, and decodes the answer into out unless that is nil.
func (c *client) api(ctx context.Context, method, path string, in, out any) (http.Header, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, c.fail(verb(method), path, "", lab.ErrInvalid, "a value of this type cannot be encoded")
		}
	}
	limit := shortly
	if path == migratePath {
		limit = cloning
		var cancel context.CancelFunc
		ctx, cancel = unhurried(ctx)
		defer cancel()
	}
	header, answer, err := c.do(ctx, limit, method, "/api/v1"+path, "application/json", body)
	if err != nil || out == nil {
		return header, err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return nil, c.fail(verb(method), path, "see whether a proxy answers instead of Gitea", lab.ErrConflict,
			"the answer is not what the API says: "+strings.SplitN(err.Error(), "\n", 2)[0])
	}
	return header, nil
}

// do sends a request, and returns the answer if that is a success.
func (c *client) do(
	ctx context.Context, limit time.Duration, method, path, content string, body []byte,
) (http.Header, []byte, error) {
	timed, cancel := context.WithTimeoutCause(ctx, limit, lab.ErrTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(timed, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, c.fail(verb(method), path, "", lab.ErrInvalid, "not a request")
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", content)
	}
	switch s := c.server; {
	case c.nobody:
	case c.login != nil:
		req.SetBasicAuth(c.login.user, c.login.password.Reveal())
	case !s.Token.IsZero():
		req.Header.Set("Authorization", "token "+s.Token.Reveal())
	default:
		req.SetBasicAuth(s.User, s.Password.Reveal())
	}
	if c.sudo != "" {
		req.Header.Set("Sudo", c.sudo)
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
