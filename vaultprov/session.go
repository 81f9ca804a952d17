package vaultprov

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Session is a token that was got for one piece of work. It is a [TokenSource]: the token is renewed while the session
// is open, and replaced by another where it has come to its end all the same. Close it: that revokes the token, and all
// credentials that were asked for with it. A Session is safe for concurrent use.
type Session struct {
	server *Server
	again  func(ctx context.Context, c *client, refused lab.Secret) (login, error)

	mu     sync.Mutex // held while logging in: one at a time
	now    lab.Secret
	all    []lab.Secret // tokens that are to be revoked
	renews context.CancelFunc
	ended  sync.WaitGroup
	closed bool
}

// login is a token that a session got.
type login struct {
	token     lab.Secret
	ttl       int64 // seconds; 0: it does not expire
	renewable bool
	batch     bool // it cannot be revoked
}

// login returns what a login has answered.
func (a *answer) login() login {
	if a.Auth == nil {
		return login{}
	}
	return login{lab.NewSecret(a.Auth.Token), a.Auth.TTL, a.Auth.Renewable, a.Auth.Type == "batch"}
}

// without returns the server without its own token.
func (s *Server) without() *Server {
	plain := *s
	plain.Token = nil
	return &plain
}

// Session returns a session of a token that is there already, such as one that a job was handed. Closing it revokes the
// token.
func (s *Server) Session(token lab.Secret) *Session {
	session := &Session{server: s.without(), now: token, all: []lab.Secret{token}}
	session.again = func(context.Context, *client, lab.Secret) (login, error) {
		return login{}, noToken("it has expired, or was revoked")
	}
	return session
}

// begin gets the first token.
func (s *Session) begin(ctx context.Context) error {
	_, err := s.Token(ctx, lab.Secret{})
	if err != nil {
		err = errors.Join(err, s.Close(ctx))
	}
	return err
}

// Token returns the session's token, and logs in again where that one was refused.
func (s *Session) Token(ctx context.Context, refused lab.Secret) (lab.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return lab.Secret{}, noToken("the session is closed")
	}
	if !s.now.IsZero() && !s.now.Equal(refused) {
		return s.now, nil
	}
	return s.next(ctx, refused)
}

// next gets a token, and lets it be renewed. The caller holds the lock.
func (s *Session) next(ctx context.Context, refused lab.Secret) (lab.Secret, error) {
	c, err := s.server.client()
	if err != nil {
		return lab.Secret{}, err
	}
	defer c.close()
	l, err := s.again(ctx, c, refused)
	if l.token.IsZero() && err == nil {
		err = c.garbled("login")
	}
	if !l.token.IsZero() && !l.batch {
		s.all = append(s.all, l.token)
	}
	if err != nil {
		return lab.Secret{}, err
	}
	s.now = l.token
	s.keep(ctx, l)
	return l.token, nil
}

// keep renews a token from now on until the session is closed or another token takes its place.
func (s *Session) keep(ctx context.Context, l login) {
	if s.renews != nil {
		s.renews()
	}
	if !l.renewable || l.ttl <= 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.renews = cancel
	s.ended.Go(func() { s.renew(ctx, l.token, l.ttl) })
}

// renew renews a token whenever two thirds of its time are over, until that gives it no more.
func (s *Session) renew(ctx context.Context, token lab.Secret, ttl int64) {
	c, err := s.server.client()
	if err != nil {
		return
	}
	defer c.close()
	for first := ttl; ; {
		timer := time.NewTimer(time.Duration(ttl) * time.Second * 2 / 3)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		a, err := c.send(ctx, token, http.MethodPost, "auth/token/renew-self", fields{})
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, lab.ErrUnreachable): // and it is sent again soon
			if ttl /= 3; ttl < 1 {
				return
			}
			continue
		case err != nil || a.Auth == nil:
			s.server.log().Warn("the token cannot be renewed: another is got when it has expired", "error", err)
			return
		}
		if ttl = a.Auth.TTL; ttl < first/3 || ttl < 1 {
			return // it comes to its end (token_max_ttl)
		}
	}
}

// Close revokes the session's tokens, also if ctx has ended. One that has expired is no error. The session gives no
// token afterwards.
func (s *Session) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.renews != nil {
		s.renews()
	}
	s.ended.Wait()
	s.closed = true
	if len(s.all) == 0 {
		return nil
	}
	c, err := s.server.client()
	if err != nil {
		return err
	}
	defer c.close()
	var errs []error
	var left []lab.Secret
	for _, token := range s.all {
		_, err := c.send(ctx, token, http.MethodPost, "auth/token/revoke-self", fields{})
		e, answered := serverError(err)
		switch {
		case err == nil, answered && e.said("invalid token"): // it is gone
			continue
		case answered && e.Status == http.StatusForbidden:
			err = &lab.Error{Op: "revoke token", Target: s.server.target(),
				Hint: `give a policy of the role the rule path "auth/token/revoke-self" { capabilities = ["update"] }`,
				Err:  fmt.Errorf("%w: it lives on until it expires", e)}
		}
		errs, left = append(errs, err), append(left, token)
	}
	s.all = left
	return errors.Join(errs...)
}
