package gcs

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

// APIError is what an API answered instead of doing what it was asked.
type APIError struct {
	Status  int    // of HTTP
	Message string // what the API said, without secrets that were sent; empty if it said nothing in JSON
	kind    error
}

// Error returns the status and the message.
func (e *APIError) Error() string {
	text := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// Unwrap returns the kind of failure, one of the sentinels of package lab, or nil.
func (e *APIError) Unwrap() error { return e.kind }

// kinds are what the statuses mean. Of those that are not here the kind is not known.
var kinds = map[int]error{
	http.StatusBadRequest: lab.ErrInvalid, http.StatusUnprocessableEntity: lab.ErrInvalid,
	http.StatusUnauthorized: lab.ErrUnauthorized, http.StatusForbidden: lab.ErrUnauthorized,
	http.StatusNotFound: lab.ErrNotFound, http.StatusConflict: lab.ErrConflict, http.StatusPreconditionFailed: lab.ErrConflict,
	http.StatusTooManyRequests: lab.ErrBlocked,
	// whether it was done is not known
	http.StatusRequestTimeout: lab.ErrUnreachable, http.StatusInternalServerError: lab.ErrUnreachable,
	http.StatusBadGateway: lab.ErrUnreachable, http.StatusServiceUnavailable: lab.ErrUnreachable,
	http.StatusGatewayTimeout: lab.ErrUnreachable,
}

// shortened is an address as errors show it: without the host, the version and the query.
func shortened(address string) string {
	address, _, _ = strings.Cut(address, "?")
	for _, prefix := range []string{storageAddress + "/storage/v1", storageAddress, iamAddress + "/v1"} {
		if below, found := strings.CutPrefix(address, prefix); found {
			address = below
			break
		}
	}
	return strings.TrimPrefix(address, "/")
}

// fail returns an error about what is at an address.
func (c *client) fail(op, address, hint string, kind error, what string) error {
	return &lab.Error{Op: op, Target: c.project.target(), Path: shortened(address), Hint: hint, Err: fmt.Errorf("%w: %s", kind, what)}
}

// lost returns the error of a request that got no answer.
func (c *client) lost(ctx, timed context.Context, method, address string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e := &lab.Error{Op: verb(method), Target: c.project.target(), Path: shortened(address)}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the address, which has a query
	}
	var dial *net.OpError
	var refused *lab.Error
	switch {
	case errors.As(err, &refused) && errors.Is(err, lab.ErrRefused): // by the boundary, whose hint programs put in their words
		e.Err = lab.NotSent(refused)
	case timed.Err() != nil || err == nil:
		e.Err = fmt.Errorf("%w: %w: no answer in time", lab.ErrUnreachable, lab.ErrTimeout)
	case errors.As(err, &dial) && dial.Op == "dial":
		e.Err = lab.NotSent(fmt.Errorf("%w: %w", lab.ErrUnreachable, err))
	default:
		e.Err = fmt.Errorf("%w: %w", lab.ErrUnreachable, err)
	}
	return e
}

// refused returns the error of an answer that is no success.
func (c *client) refused(method, address string, resp *http.Response, answer []byte) error {
	e := &lab.Error{Op: verb(method), Target: c.project.target(), Path: shortened(address)}
	if resp.StatusCode/100 == 3 {
		e.Err = fmt.Errorf("%w: the API redirects to another address", lab.ErrRefused)
		return e
	}
	var said struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	_ = json.Unmarshal(answer, &said) // a page of a proxy is not shown
	e.Err = &APIError{Status: resp.StatusCode, Message: c.shown(said.Error.Message), kind: kinds[resp.StatusCode]}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		e.Hint = "give a key or an access token that is valid"
	case http.StatusForbidden:
		e.Hint = "allow it to the account, and see whether the API is enabled in the project"
	}
	return e
}

// shown returns what the API said as one short line without secrets.
func (c *client) shown(text string) string {
	c.mu.Lock()
	mask := c.mask
	c.mu.Unlock()
	text = mask.Mask(strings.TrimSpace(strings.ToValidUTF8(text, "")))
	if len(text) > maxMessages {
		text = strings.ToValidUTF8(text[:maxMessages], "") + "..."
	}
	if text == "" {
		return ""
	}
	return lab.Printable(text)
}

// absent reports whether the error says that there is no such thing.
func absent(err error) bool { return errors.Is(err, lab.ErrNotFound) }

// status returns the status that an error is about; 0: none.
func status(err error) int {
	var e *APIError
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}
