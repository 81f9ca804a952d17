package vaultprov

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Root returns a session of root, for what only root may do, such as the first policies of a new Vault. Its token is
// that of the keys, or, where there is none or it was revoked, a new one that is made of the shares, and ends after an
// hour if nobody renews it. Closing the session revokes it: so no root token outlives its work.
func (s *Server) Root(ctx context.Context, keys Keys) (*Session, error) {
	session := &Session{server: s.without()}
	session.again = func(ctx context.Context, c *client, refused lab.Secret) (login, error) {
		if !keys.Root.IsZero() && !keys.Root.Equal(refused) {
			_, err := c.send(ctx, keys.Root, http.MethodGet, "auth/token/lookup-self", nil)
			if e, ok := serverError(err); !ok || e.Status != http.StatusForbidden {
				return login{token: keys.Root}, err
			}
		}
		return c.shortRoot(ctx, keys)
	}
	return session, session.begin(ctx)
}

// rootTTL is how long a token that was made of the shares lives when nobody renews it.
const rootTTL = time.Hour

// shortRoot makes a token of root that ends by itself, should the run be killed before it can revoke it: the one that
// is made of the shares, which never ends, makes it, and is revoked at once.
func (c *client) shortRoot(ctx context.Context, keys Keys) (l login, err error) {
	endless, err := c.generateRoot(ctx, keys)
	if err != nil {
		return l, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_, failed := c.send(ctx, endless, http.MethodPost, "auth/token/revoke-self", fields{})
		err = errors.Join(err, failed)
	}()
	a, err := c.send(ctx, endless, http.MethodPost, "auth/token/create",
		fields{"policies": []string{"root"}, "no_parent": true,
			"ttl": int64(rootTTL.Seconds()), "display_name": "lab"})
	if err != nil {
		return l, err
	}
	return a.login(), nil
}

// rootStatus is what sys/generate-root answers.
type rootStatus struct {
	Nonce    string `json:"nonce"`
	OTP      string `json:"otp"`
	Complete bool   `json:"complete"`
	Encoded  string `json:"encoded_token"`
	Required int    `json:"required"`
}

const rootAttempt = "sys/generate-root/attempt"

// generateRoot makes a root token of shares. An attempt that does not come to its end is cancelled.
func (c *client) generateRoot(ctx context.Context, keys Keys) (token lab.Secret, err error) {
	var begun rootStatus
	err = c.anonymous(ctx, http.MethodPost, rootAttempt, fields{}, &begun)
	if e, ok := serverError(err); ok && e.said("already in progress") {
		return token, &lab.Error{Op: "make root token", Target: c.server.target(),
			Hint: "if nobody is at it, a run was cut off: vault operator generate-root -cancel",
			Err:  fmt.Errorf("%w: somebody is making one", lab.ErrConflict)}
	}
	defer func() { // also where it is not known whether it was begun
		if err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
			defer cancel()
			err = errors.Join(err, c.anonymous(ctx, http.MethodDelete, rootAttempt, nil, nil))
		}
	}()
	if err != nil {
		return token, err
	}
	given, err := newShares(keys.Shares, begun.Required)
	if err != nil {
		return token, err
	}
	var done rootStatus
	wrong, err := given.open(c.server.target(), func(set [][]byte) error {
		for _, share := range set {
			in := fields{"key": lab.NewSecret(hex.EncodeToString(share)), "nonce": begun.Nonce}
			if err := c.anonymous(ctx, http.MethodPost, "sys/generate-root/update", in, &done); err != nil {
				return wrongSet(err)
			}
		}
		return nil
	})
	if err != nil {
		return token, err
	}
	for _, place := range wrong {
		c.server.log().Warn(fmt.Sprintf("share %d is none of this Vault: remove it from the keys", place))
	}
	encoded, err := base64.RawStdEncoding.DecodeString(done.Encoded)
	if err != nil || !done.Complete || len(encoded) != len(begun.OTP) {
		return token, c.garbled("sys/generate-root/update")
	}
	for n := range encoded { // it is encoded with the one-time password, which only who began was told
		encoded[n] ^= begun.OTP[n]
	}
	return lab.NewSecret(string(encoded)), nil
}
