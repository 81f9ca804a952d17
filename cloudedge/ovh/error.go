package ovh

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

// queryID is the header by which OVH's support finds a request.
const queryID = "X-Ovh-Queryid"

// APIError is what the API answered instead of doing what it was asked.
type APIError struct {
	Status  int    // of HTTP
	Class   string // "Client::Forbidden"; empty if it said none
	Message string // what the API said, without secrets that were sent; empty if it said nothing in JSON
	QueryID string // by which OVH's support finds the request
	Actions []string
	kind    error
}

// Error returns the status, the class, the message, and the actions that are missing.
func (e *APIError) Error() string {
	text := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	if e.Class != "" {
		text += ": " + e.Class
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if len(e.Actions) > 0 {
		text += ": not allowed by IAM: " + strings.Join(e.Actions, ", ")
	}
	if e.QueryID != "" {
		text += " (query " + e.QueryID + ")"
	}
	return text
}

// Unwrap returns the kind of failure, one of the sentinels of package lab, or nil.
func (e *APIError) Unwrap() error { return e.kind }

// kinds are what the statuses mean. Of those that are not here the kind is not known.
var kinds = map[int]error{
	http.StatusBadRequest: lab.ErrInvalid, http.StatusUnprocessableEntity: lab.ErrInvalid,
	http.StatusUnauthorized: lab.ErrUnauthorized, http.StatusForbidden: lab.ErrUnauthorized,
	http.StatusNotFound: lab.ErrNotFound, http.StatusConflict: lab.ErrConflict,
	http.StatusLocked: lab.ErrBlocked, http.StatusTooManyRequests: lab.ErrBlocked,
	// whether it was done is not known
	http.StatusInternalServerError: lab.ErrUnreachable, http.StatusBadGateway: lab.ErrUnreachable,
	http.StatusServiceUnavailable: lab.ErrUnreachable, http.StatusGatewayTimeout: lab.ErrUnreachable,
}

// lost returns the error of a request that got no answer.
func (c *client) lost(ctx, timed context.Context, method, path string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e := &lab.Error{Op: verb(method), Target: c.account.target(), Path: strings.TrimPrefix(path, "/")}
	if method == "log in" {
		e.Op = method
	}
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
		e.Err = lab.NotSent(fmt.Errorf("%w: %w", lab.ErrUnreachable, err))
	default:
		e.Err = fmt.Errorf("%w: %w", lab.ErrUnreachable, err)
	}
	return e
}

// refused returns the error of an answer that is no success.
func (c *client) refused(method, path string, resp *http.Response, answer []byte) error {
	e := &lab.Error{Op: verb(method), Target: c.account.target(), Path: strings.TrimPrefix(path, "/")}
	if resp.StatusCode/100 == 3 {
		e.Err = fmt.Errorf("%w: the API redirects to another address", lab.ErrRefused)
		return e
	}
	var said struct {
		Class   string         `json:"class"`
		Message string         `json:"message"`
		Details map[string]any `json:"details"`
	}
	_ = json.Unmarshal(answer, &said) // a page of a proxy is not shown
	api := &APIError{Status: resp.StatusCode, Class: c.shown(said.Class), Message: c.shown(said.Message),
		QueryID: c.shown(resp.Header.Get(queryID)), kind: kinds[resp.StatusCode]}
	if missing, ok := said.Details["unauthorizedActionsByIAM"].(string); ok {
		for action := range strings.SplitSeq(missing, ",") {
			if action = c.shown(strings.TrimSpace(action)); action != "" {
				api.Actions = append(api.Actions, action)
			}
		}
	}
	e.Err = api
	switch {
	case len(api.Actions) > 0:
		e.Hint = "allow the identity " + strings.Join(api.Actions, " and ") + " by a policy"
	case resp.StatusCode == http.StatusForbidden:
		e.Hint = "allow it by an IAM policy, or by the access rules of the consumer key"
	case resp.StatusCode == http.StatusUnauthorized:
		e.Hint = "give an OAuth2 client or keys of an application that are valid"
	}
	return e
}

// shown returns what the API said as one short line without secrets.
func (c *client) shown(text string) string {
	text = c.mask.Mask(strings.TrimSpace(strings.ToValidUTF8(text, "")))
	if text == "" {
		return ""
	}
	if len(text) > maxMessages {
		text = strings.ToValidUTF8(text[:maxMessages], "") + "..."
	}
	return lab.Printable(text)
}

// status returns the status that an error is about; 0: none.
func status(err error) int {
	var e *APIError
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}
