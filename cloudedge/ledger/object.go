package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
)

const (
	maxObject = 64 << 20 // bytes
	shortly   = time.Minute
	tries     = 4 // of reads
)

// store reads and writes the objects of the app (docs.cloud.google.com/storage/docs/json_api/v1/objects).
type store struct {
	l    *Ledger
	http *http.Client
}

func (l *Ledger) store() *store {
	trust, _ := httpx.Trust(l.CA) // [Ledger.Validate] says what is wrong with it
	return &store{l, httpx.Client(httpx.Options{Boundary: l.Boundary, TLS: trust, Tries: tries, Counters: l.Counters})}
}

func (s *store) close() { s.http.CloseIdleConnections() }

// object is an object that was read.
type object struct {
	text       []byte
	generation int64 // 0: there is none
}

func (s *store) fail(op, name, hint string, kind error, what string) error {
	return &lab.Error{Op: op, Target: "gs://" + s.l.Bucket, Path: s.l.object(name), Hint: hint, Err: fmt.Errorf("%w: %s", kind, what)}
}

// read returns an object, the zero one if there is none.
func (s *store) read(ctx context.Context, name string) (o object, err error) {
	resp, text, err := s.send(ctx, "read", name, http.MethodGet, "/storage/v1/b/"+url.PathEscape(s.l.Bucket)+"/o/"+
		url.PathEscape(s.l.object(name)), url.Values{"alt": {"media"}}, nil)
	switch {
	case err != nil:
		return o, err
	case resp.StatusCode == http.StatusNotFound:
		return o, nil
	case resp.StatusCode != http.StatusOK:
		return o, s.refused("read", name, resp)
	}
	o.text = text
	if o.generation, err = strconv.ParseInt(resp.Header.Get("X-Goog-Generation"), 10, 64); err != nil || o.generation <= 0 {
		return o, s.fail("read", name, "see whether a proxy answers instead of Google", lab.ErrConflict, "the answer has no generation")
	}
	return o, nil
}

// errChanged is the error of a write whose generation is not that of the object any more.
var errChanged = errors.New("somebody else has written it")

// write replaces the object of a generation, 0 for none, and returns the new generation. The error is errChanged when
// the object has another, and a [lab.ErrUnreachable] when it is not known whether it was written.
func (s *store) write(ctx context.Context, name string, generation int64, text []byte) (int64, error) {
	q := url.Values{"uploadType": {"media"}, "name": {s.l.object(name)}, "ifGenerationMatch": {strconv.FormatInt(generation, 10)}}
	resp, answer, err := s.send(ctx, "write", name, http.MethodPost, "/upload/storage/v1/b/"+url.PathEscape(s.l.Bucket)+"/o", q, text)
	if err != nil {
		return 0, err
	}
	var made struct {
		Generation string `json:"generation"`
	}
	switch {
	case resp.StatusCode == http.StatusPreconditionFailed:
		return 0, errChanged
	case resp.StatusCode != http.StatusOK:
		return 0, s.refused("write", name, resp)
	}
	if err := json.Unmarshal(answer, &made); err == nil {
		if g, err := strconv.ParseInt(made.Generation, 10, 64); err == nil && g > 0 {
			return g, nil
		}
	}
	return 0, s.fail("write", name, "", lab.ErrUnreachable, "the answer has no generation")
}

// remove removes the object of a generation. One that is gone, or another, is left.
func (s *store) remove(ctx context.Context, name string, generation int64) error {
	resp, _, err := s.send(ctx, "remove", name, http.MethodDelete, "/storage/v1/b/"+url.PathEscape(s.l.Bucket)+"/o/"+
		url.PathEscape(s.l.object(name)), url.Values{"ifGenerationMatch": {strconv.FormatInt(generation, 10)}}, nil)
	switch {
	case err != nil:
		return err
	case resp.StatusCode/100 == 2, resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusPreconditionFailed:
		return nil
	}
	return s.refused("remove", name, resp)
}

func (s *store) send(ctx context.Context, op, name, method, path string, q url.Values, body []byte) (*http.Response, []byte, error) {
	timed, cancel := context.WithTimeoutCause(ctx, shortly, lab.ErrTimeout)
	defer cancel()
	token, err := s.l.Token(timed)
	if err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(timed, method, s.l.address()+path+"?"+q.Encode(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, s.fail(op, name, "", lab.ErrInvalid, "not a request")
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.http.Do(req)
	var text []byte
	if err == nil {
		defer resp.Body.Close()
		text, err = io.ReadAll(io.LimitReader(resp.Body, maxObject+1))
	}
	switch {
	case err != nil:
		return nil, nil, s.lost(ctx, timed, op, name, err)
	case len(text) > maxObject:
		return nil, nil, s.fail(op, name, "", lab.ErrConflict, "it is longer than 64 MiB")
	}
	if s.l.Log != nil && !httpx.Reads(method) {
		s.l.Log.DebugContext(ctx, "request", "method", method, "object", s.l.object(name), "status", resp.StatusCode)
	}
	return resp, text, nil
}

// lost returns the error of a request that was not answered.
func (s *store) lost(ctx, timed context.Context, op, name string, err error) error {
	e := &lab.Error{Op: op, Target: "gs://" + s.l.Bucket, Path: s.l.object(name)}
	switch {
	case ctx.Err() != nil:
		e.Err = context.Cause(ctx)
	case timed.Err() != nil:
		e.Err = fmt.Errorf("%w: %w after %s", lab.ErrUnreachable, lab.ErrTimeout, shortly)
	case errors.Is(err, lab.ErrRefused):
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		e.Err = err
	default:
		var inner *url.Error // its text has the address, with all that is in the query
		if errors.As(err, &inner) {
			err = inner.Err
		}
		e.Err, e.Hint = fmt.Errorf("%w: %w", lab.ErrUnreachable, err), "see whether the service can be reached from here"
	}
	if lab.SafeToRetry(err) {
		return lab.NotSent(e)
	}
	return e
}

// refused returns the error of an answer that is no success. What it says may hold the object: it is left out.
func (s *store) refused(op, name string, resp *http.Response) error {
	kind, hint := lab.ErrInvalid, ""
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		kind, hint = lab.ErrUnauthorized, "give a token that is valid"
	case resp.StatusCode == http.StatusForbidden:
		kind, hint = lab.ErrUnauthorized, "let the account read and write objects of the bucket: roles/storage.objectUser"
	case resp.StatusCode == http.StatusNotFound:
		kind, hint = lab.ErrNotFound, "create the bucket first"
	case resp.StatusCode == http.StatusTooManyRequests:
		kind = lab.ErrBlocked
	case resp.StatusCode/100 == 5, resp.StatusCode == http.StatusRequestTimeout:
		kind = lab.ErrUnreachable
	}
	return s.fail(op, name, hint, kind, resp.Status)
}
