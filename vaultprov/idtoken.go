package vaultprov

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
)

// IDTokenSource is where identity tokens come from, which are JSON web tokens (RFC 7519) that somebody else signs:
// [ActionsIDToken], [GiteaIDToken] or [IDTokenFile]. It is safe for concurrent use.
type IDTokenSource interface {
	// IDToken returns a token that is valid now. It is asked for one at each login.
	IDToken(context.Context) (lab.Secret, error)
}

// IDTokenFile is a source that reads a file.
type IDTokenFile string

// IDToken reads the file, without the space around its content.
func (f IDTokenFile) IDToken(context.Context) (lab.Secret, error) { return readToken(string(f)) }

// ActionsIDToken is a source that asks the runner of a CI job, by the contract of GitHub's Actions.
//
// No release of Gitea up to 1.27 gives jobs one; [GiteaIDToken] works there.
type ActionsIDToken struct {
	URL      string     // ACTIONS_ID_TOKEN_REQUEST_URL
	Token    lab.Secret // ACTIONS_ID_TOKEN_REQUEST_TOKEN
	Audience string     // that the token shall have; empty means the forge's own
	Endpoint
}

// Endpoint is how a source reaches its server.
type Endpoint struct {
	Boundary lab.Dialer // nil means loopback only
	CA       string     // certificates in PEM; empty means the system's
}

func (e Endpoint) client() (*http.Client, error) {
	trust, err := httpx.Trust(e.CA)
	if err != nil {
		return nil, fmt.Errorf("%w: the CA %w", lab.ErrInvalid, err)
	}
	return httpx.Client(httpx.Options{Boundary: e.Boundary, TLS: trust, Tries: 4}), nil
}

// ActionsFrom takes the URL and the token from where lookup finds ACTIONS_ID_TOKEN_REQUEST_URL and
// ACTIONS_ID_TOKEN_REQUEST_TOKEN, such as [os.LookupEnv].
func ActionsFrom(lookup func(name string) (string, bool)) (ActionsIDToken, error) {
	address, hasURL := lookup("ACTIONS_ID_TOKEN_REQUEST_URL")
	token, hasToken := lookup("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if !hasURL || !hasToken || address == "" || token == "" {
		return ActionsIDToken{}, &lab.Error{Op: "get identity token", Path: "ACTIONS_ID_TOKEN_REQUEST_URL",
			Hint: "give the job the permission id-token: write; where the forge has none to give, use a refresh token",
			Err:  fmt.Errorf("%w: the job may ask for none", lab.ErrUnauthorized)}
	}
	return ActionsIDToken{URL: address, Token: lab.NewSecret(token)}, nil
}

// IDToken asks the runner.
func (a ActionsIDToken) IDToken(ctx context.Context) (lab.Secret, error) {
	address := a.URL
	if a.Audience != "" {
		separator := "?"
		if strings.Contains(address, "?") {
			separator = "&"
		}
		address += separator + "audience=" + url.QueryEscape(a.Audience)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return lab.Secret{}, idTokenError("the runner", fmt.Errorf("%w: its address is not a URL", lab.ErrInvalid))
	}
	req.Header.Set("Authorization", "bearer "+a.Token.Reveal())
	req.Header.Set("Accept", "application/json")
	var out struct {
		Value string `json:"value"`
	}
	if err := a.ask(req, &out, a.Token); err != nil {
		return lab.Secret{}, idTokenError("the runner", err)
	}
	return lab.NewSecret(out.Value), nil
}

// GiteaIDToken is a source that exchanges a refresh token of Gitea, which was got once for a bot user and a
// confidential OAuth2 application. It proves the bot, neither the repository nor the branch.
type GiteaIDToken struct {
	Address      string // the URL of Gitea
	ClientID     string // of the application, which is the audience of the token
	ClientSecret lab.Secret
	Refresh      lab.Secret // the refresh token

	// Successor keeps the refresh token that comes with each exchange: it lives longer than the one that was
	// exchanged, and where Gitea is told to invalidate those, it alone works. Nil: it is dropped.
	Successor func(ctx context.Context, old, successor lab.Secret) error
	Endpoint

	mu sync.Mutex // guards Refresh, which its successor replaces
}

// IDToken exchanges the refresh token.
func (g *GiteaIDToken) IDToken(ctx context.Context) (lab.Secret, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {g.ClientID},
		"client_secret": {g.ClientSecret.Reveal()},
		"refresh_token": {g.Refresh.Reveal()}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost,
		strings.TrimSuffix(g.Address, "/")+"/login/oauth/access_token",
		strings.NewReader(form.Encode()))
	if err != nil {
		return lab.Secret{}, idTokenError("Gitea", fmt.Errorf("%w: its address is not a URL", lab.ErrInvalid))
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	var out struct {
		IDToken string `json:"id_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := g.ask(req, &out, g.Refresh, g.ClientSecret); err != nil {
		return lab.Secret{}, idTokenError("Gitea", err)
	}
	if successor := lab.NewSecret(out.Refresh); g.Successor != nil && !successor.IsZero() &&
		!successor.Equal(g.Refresh) {
		if err := g.Successor(ctx, g.Refresh, successor); err != nil {
			return lab.Secret{}, err
		}
		g.Refresh = successor
	}
	if out.IDToken == "" {
		return lab.Secret{}, idTokenError("Gitea", fmt.Errorf("%w: it gives none for this refresh token: it was asked "+
			"for without the scope openid",
			lab.ErrInvalid))
	}
	return lab.NewSecret(out.IDToken), nil
}

func idTokenError(of string, err error) error {
	return &lab.Error{Op: "get identity token", Target: of, Err: err}
}

// ask sends a request and reads the JSON of the answer, which is not repeated in an error: it may hold a token.
func (e Endpoint) ask(req *http.Request, out any, secrets ...lab.Secret) error {
	if httpx.Plaintext(req.URL) {
		return fmt.Errorf("%w: it would send a secret in plain text to %s", lab.ErrRefused, req.URL.Host)
	}
	c, err := e.client()
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()
	resp, err := c.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %s does not answer", cmp.Or(lab.Kind(err), req.Context().Err(), lab.ErrUnreachable),
			req.URL.Host)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxToken))
	if err != nil {
		return fmt.Errorf("%w: %s does not answer", lab.ErrUnreachable, req.URL.Host)
	}
	if resp.StatusCode != http.StatusOK {
		var said struct { // of OAuth2 (RFC 6749, 5.2)
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		_ = json.Unmarshal(body, &said)
		kind := lab.ErrUnauthorized
		if resp.StatusCode >= http.StatusInternalServerError {
			kind = lab.ErrUnreachable
		}
		return fmt.Errorf("%w: %s answers %s %s", kind, req.URL.Host, resp.Status,
			lab.Mask(strings.TrimSpace(said.Error+" "+said.Description), secrets...))
	}
	if json.Unmarshal(body, out) != nil {
		return fmt.Errorf("%w: %s does not answer with JSON", lab.ErrInvalid, req.URL.Host)
	}
	return nil
}

// checkIDToken refuses what is not a token that ends. It verifies no signature: that is for Vault.
func checkIDToken(token lab.Secret) error {
	parts := strings.Split(token.Reveal(), ".")
	var claims struct {
		Expires *json.Number `json:"exp"`
	}
	fail := func(kind error, what, hint string) error {
		return &lab.Error{Op: "log in", Path: "identity token", Hint: hint, Err: fmt.Errorf("%w: %s", kind, what)}
	}
	if len(parts) != 3 {
		return fail(lab.ErrInvalid, "it is not a JSON web token", "look at where it comes from")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return fail(lab.ErrInvalid, "it is not a JSON web token", "look at where it comes from")
	}
	if claims.Expires == nil {
		return fail(lab.ErrRefused, "it never expires: it has no claim exp", "let who signs it set one")
	}
	seconds, err := claims.Expires.Float64()
	if err != nil {
		return fail(lab.ErrInvalid, "its claim exp is not a number", "look at where it comes from")
	}
	if !time.Now().Before(time.Unix(int64(seconds), 0)) {
		return fail(lab.ErrUnauthorized, "it has expired", "get another; look at the clocks")
	}
	return nil
}
