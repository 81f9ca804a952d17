package cloudflare

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Message is one thing that the API says of a request.
type Message struct {
	Code    int    `json:"code"` // of Cloudflare: 10006 is a bucket that does not exist
	Message string `json:"message"`
}

// ServerError is what the API answered instead of doing what it was asked. The status may be one of success.
type ServerError struct {
	Status   int       // of HTTP
	Messages []Message // without secrets that were sent; empty if it said nothing in JSON
	kind     error
}

// Error returns the status and the messages.
func (e *ServerError) Error() string {
	text := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	for n, m := range e.Messages {
		if n == 0 {
			text += ": "
		} else {
			text += "; "
		}
		text += fmt.Sprintf("%s (%d)", m.Message, m.Code)
	}
	return text
}

// Unwrap returns the kind of failure, one of the sentinels of package lab, or nil.
func (e *ServerError) Unwrap() error { return e.kind }

// fail returns an error about what is at path.
func (c *client) fail(op, path, hint string, kind error, what string) error {
	return &lab.Error{Op: op, Target: c.account.target(), Path: c.shown(path), Hint: hint, Err: fmt.Errorf("%w: %s", kind, what)}
}

// shown is a path of the API without what the target says.
func (c *client) shown(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, "/accounts/"+c.account.ID), "/")
}

// lost returns the error of a request that got no answer.
func (c *client) lost(ctx, timed context.Context, r request, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e := &lab.Error{Op: verb(r.method), Target: c.account.target(), Path: c.shown(r.path)}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the address
	}
	var dial *net.OpError
	var refused *lab.Error
	switch {
	case errors.As(err, &refused) && errors.Is(err, lab.ErrRefused): // by the boundary, whose hint programs put in their words
		e.Err = lab.NotSent(refused)
	case timed.Err() != nil:
		e.Err = fmt.Errorf("%w: %w: no answer in time", lab.ErrUnreachable, lab.ErrTimeout)
	case errors.As(err, &dial) && dial.Op == "dial":
		e.Err = lab.NotSent(fmt.Errorf("%w: %w", lab.ErrUnreachable, err))
	default:
		e.Err = fmt.Errorf("%w: %w", lab.ErrUnreachable, err)
	}
	return e
}

// kinds are what the statuses mean. Of those that are not here the kind is not known.
var kinds = map[int]error{
	http.StatusBadRequest: lab.ErrInvalid, http.StatusUnprocessableEntity: lab.ErrInvalid,
	http.StatusUnauthorized: lab.ErrUnauthorized, http.StatusForbidden: lab.ErrUnauthorized,
	http.StatusNotFound: lab.ErrNotFound, http.StatusMethodNotAllowed: lab.ErrNotFound,
	http.StatusConflict: lab.ErrConflict, http.StatusPreconditionFailed: lab.ErrConflict,
	http.StatusTooManyRequests: lab.ErrBlocked,
	// whether it was done is not known; 520 to 524 are Cloudflare's own
	http.StatusInternalServerError: lab.ErrUnreachable, http.StatusBadGateway: lab.ErrUnreachable,
	http.StatusServiceUnavailable: lab.ErrUnreachable, http.StatusGatewayTimeout: lab.ErrUnreachable,
	520: lab.ErrUnreachable, 521: lab.ErrUnreachable, 522: lab.ErrUnreachable, 523: lab.ErrUnreachable, 524: lab.ErrUnreachable,
}

// The codes of errors that are told apart. Those of R2 are of its documentation; none was seen from the real API.
const (
	codeAuthentication = 10000 // what the token is not allowed, with 403; or that it is none
	codeBucketExists   = 10004
	codeNoBucket       = 10006
	codeNoCORS         = 10059
	codeInvalidToken   = 1000
	codeZoneExists     = 1061
	codeNoRecord       = 81044
	codeAddressExists  = 81053 // an A, AAAA or CNAME of this name
	codeAliasExists    = 81054 // a CNAME of this name
	codeRecordExists   = 81057
	codeSameRecord     = 81058
)

// refused returns the error of an answer that is no success.
func (c *client) refused(r request, resp *http.Response, said envelope) error {
	e := &lab.Error{Op: verb(r.method), Target: c.account.target(), Path: c.shown(r.path)}
	kind := kinds[resp.StatusCode]
	if kind == nil && resp.StatusCode/100 == 2 { // "success": false
		kind = lab.ErrInvalid
	}
	s := &ServerError{Status: resp.StatusCode, kind: kind}
	for _, m := range said.Errors {
		text := c.mask.Mask(strings.TrimSpace(strings.ToValidUTF8(m.Message, "")))
		if len(text) > maxMessages {
			text = strings.ToValidUTF8(text[:maxMessages], "") + "..."
		}
		s.Messages = append(s.Messages, Message{m.Code, lab.Printable(text)})
	}
	if resp.StatusCode/100 == 3 {
		s.kind = lab.ErrRefused
		e.Hint = "give the address that it redirects to, if that is the right server"
	}
	e.Err = s
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		e.Hint = "give a token that is valid"
	case http.StatusForbidden:
		e.Hint = "give a token that is allowed to do this: it can grant only what it is granted itself"
	case http.StatusTooManyRequests:
		e.Hint = "plan again in five minutes"
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

// says reports whether the API has answered with one of the codes.
func says(err error, codes ...int) bool {
	var e *ServerError
	return errors.As(err, &e) && slices.ContainsFunc(e.Messages, func(m Message) bool { return slices.Contains(codes, m.Code) })
}

// absent reports whether the error says that there is no such thing.
func absent(err error) bool { return status(err) == http.StatusNotFound }
