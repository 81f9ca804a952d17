package ovh

import (
	"context"
	"crypto/sha1" // what the API asks for; the signature is over TLS, and good for a moment
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// The headers of a request that is signed with the keys of an application.
const (
	applicationHeader = "X-Ovh-Application"
	consumerHeader    = "X-Ovh-Consumer"
	timestampHeader   = "X-Ovh-Timestamp"
	signatureHeader   = "X-Ovh-Signature"
)

// authorize returns the headers by which a request says whose it is.
func (c *client) authorize(ctx context.Context) (http.Header, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.account; a.ClientID == "" {
		if c.skew == nil {
			if err := c.readClock(ctx); err != nil {
				return nil, err
			}
		}
		return http.Header{applicationHeader: {a.ApplicationKey}, consumerHeader: {a.ConsumerKey.Reveal()}}, nil
	}
	if !c.token.Valid() {
		token, err := c.logIn(ctx, c.account.ClientID, c.account.ClientSecret)
		if err != nil {
			return nil, err
		}
		c.token = token
	}
	return http.Header{"Authorization": {"Bearer " + c.token.AccessToken}}, nil
}

// readClock reads the API's time: a signature is over it, and the clock of a machine without one is wrong after a power
// cut.
func (c *client) readClock(ctx context.Context) error {
	const path = "/v1/auth/time"
	_, answer, err := c.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(string(answer), 10, 64)
	if err != nil {
		return c.fail("read", path, "see whether a proxy answers instead of OVH", lab.ErrConflict, "the answer is no time")
	}
	skew := time.Until(time.Unix(seconds, 0))
	c.skew = &skew
	return nil
}

// sign adds the time and the signature to a request that is made with the keys of an application.
func (c *client) sign(req *http.Request) error {
	if req.Header.Get(applicationHeader) == "" {
		return nil
	}
	var body []byte
	if req.GetBody != nil {
		b, err := req.GetBody()
		if err != nil {
			return err
		}
		if body, err = io.ReadAll(b); err != nil {
			return err
		}
	}
	c.mu.Lock()
	now := strconv.FormatInt(time.Now().Add(*c.skew).Unix(), 10)
	c.mu.Unlock()
	req.Header.Set(timestampHeader, now)
	req.Header.Set(signatureHeader, signature(c.account.ApplicationSecret, c.account.ConsumerKey, req.Method, req.URL.String(),
		string(body), now))
	return nil
}

// signature is that of a request, as https://help.ovhcloud.com/csm/en-gb-api-getting-started-ovhcloud-api and go-ovh
// say.
func signature(application, consumer lab.Secret, method, address, body, now string) string {
	sum := sha1.Sum([]byte(application.Reveal() + "+" + consumer.Reveal() + "+" + method + "+" + address + "+" + body + "+" + now))
	return "$1$" + hex.EncodeToString(sum[:])
}

// logIn gets a token for an OAuth2 client. The error wraps [lab.ErrUnauthorized] where the client or its secret is not
// known.
func (c *client) logIn(ctx context.Context, id string, secret lab.Secret) (*oauth2.Token, error) {
	timed, cancel := context.WithTimeoutCause(ctx, shortly, lab.ErrTimeout)
	defer cancel()
	config := clientcredentials.Config{ClientID: id, ClientSecret: secret.Reveal(), TokenURL: c.account.login(),
		Scopes: []string{"all"}, AuthStyle: oauth2.AuthStyleInHeader}
	token, err := config.Token(context.WithValue(timed, oauth2.HTTPClient, c.http))
	var said *oauth2.RetrieveError
	switch {
	case err == nil:
		return token, nil
	case !errors.As(err, &said):
		return nil, c.lost(ctx, timed, "log in", id, err)
	}
	// Its text has the whole answer.
	e := &lab.Error{Op: "log in", Target: c.account.target(), Path: id, Hint: "give the secret of an OAuth2 client that exists"}
	answer := &APIError{Status: said.Response.StatusCode, Class: c.shown(said.ErrorCode), kind: kinds[said.Response.StatusCode]}
	if answer.Status == http.StatusBadRequest && said.ErrorCode == "invalid_client" {
		answer.kind = lab.ErrUnauthorized // RFC 6749, 5.2
	}
	if !errors.Is(answer.kind, lab.ErrUnauthorized) {
		e.Hint = ""
	}
	if answer.kind == nil {
		e.Err = fmt.Errorf("%w: %w", lab.ErrUnreachable, answer)
	} else {
		e.Err = answer
	}
	return nil, e
}
