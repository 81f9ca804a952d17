package forge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// ServerError is what the server answered instead of doing what it was asked.
type ServerError struct {
	Status  int    // of HTTP
	Message string // what the server said, without secrets that were sent; empty if it said nothing in JSON
	kind    error
}

// Error returns the status and the message.
func (e *ServerError) Error() string {
	text := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// Unwrap returns the kind of failure, one of the sentinels of package lab, or nil.
func (e *ServerError) Unwrap() error { return e.kind }

// moved says that what a name meant has another one now.
type moved struct{ to string }

func (m *moved) Error() string { return "it is called " + lab.Printable(m.to) + " now" }

func (m *moved) Unwrap() error { return lab.ErrConflict }

// fail returns an error about what is at path.
func (c *client) fail(op, path, hint string, kind error, what string) error {
	return &lab.Error{Op: op, Target: c.server.target(), Path: strings.TrimPrefix(path, "/"), Hint: hint,
		Err: fmt.Errorf("%w: %s", kind, what)}
}

// lost returns the error of a request that got no answer.
func (c *client) lost(ctx, timed context.Context, method, path string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e := &lab.Error{Op: verb(method), Target: c.server.target(), Path: strings.TrimPrefix(path, "/api/v1/")}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the address, which the target has
	}
	var dial *net.OpError
	var refused *lab.Error
	switch {
	case errors.As(err, &refused) && errors.Is(err, lab.ErrRefused): // by the boundary, whose hint programs put in their words
		e.Err = lab.NotSent(refused)
	case timed.Err() != nil:
		e.Err = fmt.Errorf("%w: %w: no answer in time", lab.ErrUnreachable, lab.ErrTimeout)
	case errors.As(err, &dial) && dial.Op == "dial":
		e.Err, e.Hint = lab.NotSent(fmt.Errorf("%w: %w", lab.ErrUnreachable, err)), "see whether the server runs, and at this address"
	default:
		e.Err = fmt.Errorf("%w: %w", lab.ErrUnreachable, err)
		if strings.Contains(err.Error(), "x509:") {
			e.Hint = "give the certificate authority of the server"
		}
	}
	return e
}

// kinds are what the statuses mean. Of those that are not here the kind is not known.
var kinds = map[int]error{
	http.StatusBadRequest: lab.ErrInvalid, http.StatusUnprocessableEntity: lab.ErrInvalid,
	http.StatusUnauthorized: lab.ErrUnauthorized, http.StatusForbidden: lab.ErrUnauthorized,
	http.StatusNotFound: lab.ErrNotFound, http.StatusMethodNotAllowed: lab.ErrNotFound,
	http.StatusConflict: lab.ErrConflict, http.StatusPreconditionFailed: lab.ErrConflict,
	http.StatusLocked: lab.ErrBlocked, http.StatusTooManyRequests: lab.ErrBlocked,
	// a proxy does not know whether the server has done it
	http.StatusBadGateway: lab.ErrUnreachable, http.StatusServiceUnavailable: lab.ErrUnreachable,
	http.StatusGatewayTimeout: lab.ErrUnreachable,
}

// refused returns the error of an answer that is no success.
func (c *client) refused(method, path string, resp *http.Response, answer []byte) error {
	e := &lab.Error{Op: verb(method), Target: c.server.target(), Path: strings.TrimPrefix(path, "/api/v1/")}
	if resp.StatusCode/100 == 3 {
		to, err := url.Parse(resp.Header.Get("Location"))
		was := resp.Request.URL
		if err != nil || to.Host != "" && (to.Host != was.Host || to.Scheme != was.Scheme) {
			e.Err = fmt.Errorf("%w: the server redirects to another one", lab.ErrRefused)
			e.Hint = "use the address that it redirects to, if that is the right server"
			return e
		}
		name := to.Path
		if _, after, ok := strings.Cut(name, "/api/v1/"); ok {
			name = after
		}
		e.Err = &moved{name}
		return e
	}
	var said struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(answer, &said) // a page of a proxy is not shown
	message := c.mask.Mask(strings.TrimSpace(strings.ToValidUTF8(said.Message, "")))
	if len(message) > maxMessages {
		message = message[:maxMessages] + "..."
	}
	if message != "" {
		message = lab.Printable(message)
	}
	e.Err = &ServerError{Status: resp.StatusCode, Message: message, kind: kinds[resp.StatusCode]}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		e.Hint = "give a token that is valid"
		if c.server.User != "" {
			e.Hint = "give the right password of " + lab.Printable(c.server.User)
		}
	case http.StatusLocked:
		e.Hint = "end that the repository is archived first, or leave out what differs"
	case http.StatusForbidden:
		e.Hint = "give a token of a site administrator with the scope all"
	}
	return e
}

// status returns the status that an error is about; 0: none.
func status(err error) int {
	var e *ServerError
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// absent reports whether the error says that there is no such thing, by this name.
func absent(err error) bool {
	var m *moved
	return status(err) == http.StatusNotFound || errors.As(err, &m)
}
