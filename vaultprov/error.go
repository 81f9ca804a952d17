package vaultprov

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// ServerError is what Vault said. It wraps the sentinel of package lab that fits.
type ServerError struct {
	Status   int      // of HTTP
	Messages []string // without the secrets that were sent; empty where the answer has none
	kind     error
	warnings []string
	data     json.RawMessage // of a 404 that has some, of KV version 2
}

// Error returns the messages and the status.
func (e *ServerError) Error() string {
	if len(e.Messages) == 0 {
		return fmt.Sprintf("the server answers %d %s", e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("%s [%d]", strings.Join(e.Messages, "; "), e.Status)
}

// Unwrap returns the kind, nil when it is not known.
func (e *ServerError) Unwrap() error { return e.kind }

// said reports whether one of the messages contains the text, whatever the case.
func (e *ServerError) said(text string) bool {
	return strings.Contains(strings.ToLower(strings.Join(e.Messages, "\n")), strings.ToLower(text))
}

// meaning is what an answer means: those with a text stand before those of the status alone.
type meaning struct {
	status int    // 0: any
	text   string // in a message, in lower case; empty: any
	kind   error
	hint   string
}

// meanings are those of the answers that people meet. The texts are those of Vault 1.21 (vault/core.go,
// vault/request_handling.go, sdk/logical/error.go, and the plugins).
var meanings = []meaning{
	{503, "vault is sealed", lab.ErrBlocked, "unseal it"},
	{0, "is not initialized", lab.ErrBlocked, "initialise it, if it is new; otherwise look at its storage"},
	{0, "already initialized", lab.ErrConflict, ""},
	{0, "sqlstate 28p01", lab.ErrUnauthorized,
		"change the password in the database first; after rotate-root Vault alone knows it: leave it out"},
	{0, "error verifying connection", lab.ErrInvalid, "look at the connection, and whether Vault reaches the database"},
	{400, "error checking oidc discovery url", lab.ErrBlocked, "Vault asks the issuer when this is written: look at " +
		"whether it runs, whether Vault resolves its name, and whether it trusts its certificate"},
	{400, "error checking jwks url", lab.ErrBlocked, "Vault asks for the keys when this is written: look at " +
		"whether the server runs, whether Vault resolves its name, and whether it trusts its certificate"},
	{400, "kubernetes.io/serviceaccount/ca.crt", lab.ErrInvalid, "this Vault runs in no cluster: say that it is " +
		"outside, and name the certificates of the API server"},
	{0, "check-and-set parameter", lab.ErrConflict, "plan again"},
	{0, "path is already in use", lab.ErrConflict, "plan again"},
	{0, "path already in use", lab.ErrConflict, "plan again"}, // of an audit device
	{0, "upgrading from non-versioned", lab.ErrBlocked, "wait a few seconds"},
	{0, "not active", lab.ErrBlocked, "name the address of the active server, or wait until one is elected"},
	{0, "rate limit quota exceeded", lab.ErrBlocked, "wait"},
	{403, "invalid token", lab.ErrUnauthorized, "log in again: the token has expired, or was revoked"},
	{403, "missing client token", lab.ErrUnauthorized, "name a token"},
	{400, "missing client token", lab.ErrUnauthorized, "name a token"},
	{400, "error validating token", lab.ErrUnauthorized, "look at the claims of the token, and at what the role asks " +
		"for"},
	{400, "error validating claims", lab.ErrUnauthorized, "look at the claims of the token, and at what the role asks " +
		"for"},
	{400, "not found in token", lab.ErrUnauthorized, "look at the claims of the token, and at what the role asks for"},
	{400, "could not be converted to string", lab.ErrUnauthorized,
		"look at the claims of the token, and at what the role asks for"},
	{400, "no audiences bound to the role", lab.ErrUnauthorized, "give the role the audience of its tokens"},
	{400, "invalid role or secret id", lab.ErrUnauthorized, "get another secret ID"},
	{0, "no handler for route", lab.ErrNotFound, "look at whether the mount is there, and at its name"},
	{0, "unsupported path", lab.ErrNotFound, "look at the type and the version of the mount"},
	{400, "", lab.ErrInvalid, ""},
	{401, "", lab.ErrUnauthorized, "log in again"},
	{403, "", lab.ErrUnauthorized, "look at the policies of the token"},
	{404, "", lab.ErrNotFound, ""},
	{405, "", lab.ErrInvalid, "look at the type and the version of the mount"},
	{429, "", lab.ErrBlocked, "name the address of the active server"},
	{472, "", lab.ErrBlocked, "name the address of the active server"},
	{473, "", lab.ErrBlocked, "name the address of the active server"},
	{501, "", lab.ErrBlocked, "initialise it, if it is new; otherwise look at its storage"},
	{502, "", lab.ErrUnreachable, "look at what stands before the server"},
	{503, "", lab.ErrBlocked, "unseal it"},
	{504, "", lab.ErrUnreachable, "look at what stands before the server"},
}

// understand returns the error of an answer and the hint that goes with it.
func understand(status int, body []byte, masker *lab.Masker) (*ServerError, string) {
	var said struct {
		Errors   []string        `json:"errors"`
		Warnings []string        `json:"warnings"`
		Data     json.RawMessage `json:"data"`
	}
	e := &ServerError{Status: status}
	if json.Unmarshal(body, &said) != nil { // it is not Vault's, and is not repeated
		e.kind = lab.ErrInvalid
		if status >= http.StatusInternalServerError {
			e.kind = lab.ErrUnreachable
		}
		return e, "check that this is the address of a Vault, and look at what stands before it"
	}
	e.warnings = said.Warnings
	if status == http.StatusNotFound {
		e.data = said.Data
	}
	for _, m := range said.Errors {
		// go-multierror writes "1 error occurred:\n\t* permission denied\n\n"
		m = strings.Join(strings.Fields(m), " ")
		if _, rest, ok := strings.Cut(m, "occurred: "); ok {
			m = strings.ReplaceAll(strings.TrimPrefix(rest, "* "), " * ", ", ")
		}
		e.Messages = append(e.Messages, masker.Mask(m))
	}
	for _, m := range meanings {
		if (m.status == 0 || m.status == status) && (m.text == "" || e.said(m.text)) {
			e.kind = m.kind
			return e, m.hint
		}
	}
	return e, ""
}

// unreached returns the error of a request that got no answer.
func (s *Server) unreached(ctx context.Context, op, path string, err error) error {
	var dial *net.OpError
	if errors.As(err, &dial) && lab.Kind(dial.Err) != nil {
		err = dial.Err // the boundary's own words
	}
	e := &lab.Error{Op: op, Target: s.target(), Path: path, Err: err}
	switch {
	case ctx.Err() != nil:
		e.Err = context.Cause(ctx)
	case lab.Kind(err) == nil:
		e.Hint = "check that the server runs and accepts connections there"
		e.Err = fmt.Errorf("%w: %w", lab.ErrUnreachable, err)
	}
	return e
}

// serverError returns what Vault said, if err is that.
func serverError(err error) (*ServerError, bool) {
	var e *ServerError
	ok := errors.As(err, &e)
	return e, ok
}
