package vaultprov

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
)

// client sends the requests of one plan, one apply or one verb. It is not built on github.com/hashicorp/vault/api,
// whose NewClient reads VAULT_CACERT, VAULT_TOKEN, VAULT_NAMESPACE and a dozen more of the environment whatever
// configuration it is given, and fails where they are wrong (v1.23.0, client.go).
type client struct {
	server *Server
	http   *http.Client

	mu    sync.Mutex
	token lab.Secret // that was used last
}

// fields is what is sent, or an object in it. A [lab.Secret] in it, at any depth, is revealed as it is sent,
// and masked in what is said of the answer.
type fields map[string]any

// answer is what Vault says.
type answer struct {
	Data          json.RawMessage `json:"data"`
	LeaseID       string          `json:"lease_id"`
	LeaseDuration int64           `json:"lease_duration"` // seconds
	Renewable     bool            `json:"renewable"`
	Auth          *auth           `json:"auth"`
	Warnings      []string        `json:"warnings"`

	body []byte // all of it, which may hold secrets
}

// auth is what a login returns.
type auth struct {
	Token     string   `json:"client_token"`
	Accessor  string   `json:"accessor"`
	Policies  []string `json:"token_policies"`
	TTL       int64    `json:"lease_duration"` // seconds; 0: it does not expire
	Renewable bool     `json:"renewable"`
	Type      string   `json:"token_type"`
}

// client returns a client. Close it.
func (s *Server) client() (*client, error) {
	if err := s.invalid("connect", s.Validate()); err != nil {
		return nil, err
	}
	trust, _ := httpx.Trust(s.CA) // it was validated
	return &client{server: s, http: httpx.Client(httpx.Options{Boundary: s.Boundary, TLS: trust,
		Parallel: cmp.Or(s.Parallel, defaultParallel), Tries: 4, Counters: s.Counters,
		Transient: func(r *http.Response) bool { // 503 is a sealed Vault, which does not unseal itself
			return r.StatusCode == http.StatusBadGateway || r.StatusCode == http.StatusGatewayTimeout
		}})}, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// read reads the data of a path into out. The error is a [lab.ErrNotFound] if there is nothing.
func (c *client) read(ctx context.Context, path string, out any) error {
	a, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	return c.decode(a, path, out)
}

// list returns the keys below a path, directories with a slash at their end; none if there is nothing.
func (c *client) list(ctx context.Context, path string) ([]string, error) {
	a, err := c.do(ctx, "LIST", path, nil)
	// Nothing below a path is a 404 without a message; a mount that is not there is one with.
	if e, ok := serverError(err); ok && errors.Is(err, lab.ErrNotFound) && len(e.Messages) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var data struct {
		Keys []string `json:"keys"`
	}
	err = c.decode(a, path, &data)
	return data.Keys, err
}

// write writes to a path, and reads the data of the answer into out; nil: it is not wanted. It may be sent once
// more only where it was surely not done.
func (c *client) write(ctx context.Context, path string, in fields, out any) error {
	if in == nil {
		in = fields{}
	}
	a, err := c.do(ctx, http.MethodPost, path, in)
	if err != nil || out == nil {
		return err
	}
	return c.decode(a, path, out)
}

// delete deletes what is at a path. What is not there is no error.
func (c *client) delete(ctx context.Context, path string) error {
	_, err := c.do(ctx, http.MethodDelete, path, nil)
	if errors.Is(err, lab.ErrNotFound) {
		return nil
	}
	return err
}

func (c *client) decode(a *answer, path string, out any) error {
	data := a.Data
	if len(data) == 0 || string(data) == "null" {
		if data = a.body; len(data) == 0 {
			data = []byte("{}")
		}
	}
	if err := json.Unmarshal(data, out); err != nil {
		return c.garbled(path)
	}
	return nil
}

// garbled is the error of an answer that is not what Vault answers. It says nothing of what it is: that may hold a
// secret.
func (c *client) garbled(path string) error {
	return &lab.Error{Op: "read answer", Target: c.server.target(), Path: path,
		Hint: "check that this is the address of a Vault, and of nothing that stands before it",
		Err:  fmt.Errorf("%w: it is not what Vault answers", lab.ErrInvalid)}
}

// ready waits for a mount of KV v2 that was made a moment ago.
var ready = lab.Poll{What: "a mount that is being upgraded", Timeout: 30 * time.Second}

// do sends a request, and again while the mount is not ready for any: then nothing was done.
func (c *client) do(ctx context.Context, method, path string, in fields) (a *answer, err error) {
	waited := lab.Wait(ctx, ready, func(ctx context.Context) (bool, error) {
		a, err = c.authorized(ctx, method, path, in)
		e, refused := serverError(err)
		return !refused || !e.said("upgrading from non-versioned"), nil
	})
	return a, cmp.Or(err, waited)
}

// authorized sends a request with a token, and again with another where that one is not taken any more: then nothing was
// done. The other may have come to its end meanwhile too.
func (c *client) authorized(ctx context.Context, method, path string, in fields) (*answer, error) {
	if c.server.Token == nil {
		return c.send(ctx, lab.Secret{}, method, path, in)
	}
	c.mu.Lock()
	token := c.token
	c.mu.Unlock()
	var a *answer
	var refused error
	for range 4 {
		if token.IsZero() || refused != nil {
			next, err := c.next(ctx, token)
			if err != nil {
				return nil, errors.Join(refused, err)
			}
			token = next
		}
		a, refused = c.send(ctx, token, method, path, in)
		if e, ok := serverError(refused); !ok || e.Status != http.StatusForbidden || !e.said("invalid token") {
			break
		}
	}
	return a, refused
}

// next asks the source for a token.
func (c *client) next(ctx context.Context, refused lab.Secret) (lab.Secret, error) {
	token, err := c.server.Token.Token(ctx, refused)
	if err != nil {
		return lab.Secret{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = token
	return token, nil
}

// maxAnswer is more than any answer has that we ask for, in bytes.
const maxAnswer = 64 << 20

// send sends a request once, or again where it was surely not done.
func (c *client) send(ctx context.Context, token lab.Secret, method, path string, in fields) (*answer, error) {
	op := strings.ToLower(method)
	var secrets []lab.Secret
	var body io.Reader
	if in != nil {
		plain, err := json.Marshal(reveal(in, &secrets))
		if err != nil {
			return nil, &lab.Error{Op: op, Target: c.server.target(), Path: path,
				Err: errors.New("what is sent has no JSON")}
		}
		body = bytes.NewReader(plain)
	}
	address := strings.TrimSuffix(c.server.Address, "/") + "/v1/" + escape(path)
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, &lab.Error{Op: op, Target: c.server.target(), Path: path,
			Err: fmt.Errorf("%w: %w", lab.ErrInvalid, err)}
	}
	req.Header.Set("X-Vault-Request", "true") // Vault refuses some requests without it, against forgery
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !token.IsZero() {
		req.Header.Set("X-Vault-Token", token.Reveal())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var address *url.Error
		if errors.As(err, &address) {
			err = address.Err // it repeats the URL
		}
		return nil, c.server.unreached(ctx, op, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, c.server.unreached(ctx, op, path, err)
	}
	return c.receive(op, path, resp.StatusCode, text, lab.NewMasker(append(secrets, token)...))
}

// receive returns the answer, or the error that it is.
func (c *client) receive(op, path string, status int, text []byte, masker *lab.Masker) (*answer, error) {
	if status >= 300 {
		e, hint := understand(status, text, masker)
		return nil, &lab.Error{Op: op, Target: c.server.target(), Path: path, Hint: hint, Err: e}
	}
	a := &answer{body: text}
	if len(text) > 0 || status == http.StatusOK {
		if err := json.Unmarshal(text, a); err != nil {
			return nil, c.garbled(path)
		}
	}
	for _, w := range a.Warnings {
		c.server.log().Warn("vault: "+masker.Mask(w), "path", path)
	}
	return a, nil
}

// reveal returns what is sent with its secrets revealed, and adds them to secrets.
func reveal(v any, secrets *[]lab.Secret) any {
	switch v := v.(type) {
	case lab.Secret:
		*secrets = append(*secrets, v)
		return v.Reveal()
	case []lab.Secret:
		out := make([]string, len(v))
		for n, s := range v {
			*secrets = append(*secrets, s)
			out[n] = s.Reveal()
		}
		return out
	case map[string]lab.Secret:
		out := make(map[string]string, len(v))
		for key, s := range v {
			*secrets = append(*secrets, s)
			out[key] = s.Reveal()
		}
		return out
	case fields:
		out := make(map[string]any, len(v))
		for key, inner := range v {
			out[key] = reveal(inner, secrets)
		}
		return out
	case map[string]any:
		return reveal(fields(v), secrets)
	case []any:
		out := slices.Clone(v)
		for n := range out {
			out[n] = reveal(out[n], secrets)
		}
		return out
	}
	return v
}

// escape escapes each part of a path, and leaves the query, which is our own.
func escape(path string) string {
	path, query, asks := strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	for n := range parts {
		parts[n] = url.PathEscape(parts[n])
	}
	path = strings.Join(parts, "/")
	if asks {
		path += "?" + query
	}
	return path
}
