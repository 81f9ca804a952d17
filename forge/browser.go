package forge

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// browser asks for pages of the server as somebody who has logged in there. It reads none of them: what matters is
// where they lead to.
type browser struct {
	*client
	http *http.Client
	jar  http.CookieJar
}

func (c *client) browser() (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	h := *c.http
	h.Jar = jar
	return &browser{c, &h, jar}, nil
}

// page asks for a page, or sends a form, and returns the status and where it leads to; nil: nowhere.
func (b *browser) page(ctx context.Context, method, path string, form url.Values) (status int, to *url.URL, err error) {
	timed, cancel := context.WithTimeoutCause(ctx, shortly, lab.ErrTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(timed, method, b.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, b.fail("log in", path, "", lab.ErrInvalid, "not a request")
	}
	where := req.URL.Path // without what is in the query
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, cookie := range b.jar.Cookies(req.URL) {
		if cookie.Name == "_csrf" { // until 1.25
			req.Header.Set("X-Csrf-Token", cookie.Value)
		}
	}
	resp, err := b.http.Do(req)
	if err != nil {
		return 0, nil, b.lost(ctx, timed, method, where, err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // so that the connection is used again
	if resp.StatusCode/100 == 3 {
		if to, err = resp.Location(); err != nil {
			return 0, nil, b.fail("log in", where, "", lab.ErrConflict, "the server redirects to nowhere")
		}
	}
	if resp.StatusCode >= 400 {
		return 0, nil, b.fail("log in", where, "", lab.ErrConflict, resp.Status)
	}
	return resp.StatusCode, to, nil
}

// authorizationCode logs in as the user of an identity, and allows the application to stand for it (RFC 6749, 4.1).
func (r *run) authorizationCode(ctx context.Context, w JobIdentity, id string) (lab.Secret, error) {
	none := lab.Secret{}
	b, err := r.browser()
	if err != nil {
		return none, err
	}
	if _, _, err := b.page(ctx, http.MethodGet, "/user/login", nil); err != nil { // for its cookies
		return none, err
	}
	status, to, err := b.page(ctx, http.MethodPost, "/user/login",
		url.Values{"user_name": {w.Name}, "password": {w.Password.Reveal()}})
	switch {
	case err != nil:
		return none, err
	case status == http.StatusOK: // the same page once more
		return none, r.fail("log in", w.Name, "", lab.ErrUnauthorized, "the password is wrong, or the user may not log in to the pages")
	case to != nil && strings.Contains(to.Path, "change_password"), to != nil && strings.Contains(to.Path, "/user/two_factor"),
		to != nil && strings.Contains(to.Path, "/user/webauthn"):
		return none, r.fail("log in", w.Name, "let no person use this account", lab.ErrConflict,
			"the server asks for more than a password: "+lab.Printable(to.Path))
	}
	state := rand.Text()
	ask := url.Values{"client_id": {id}, "redirect_uri": {jobRedirect}, "response_type": {"code"}, "state": {state}, "scope": {jobScope}}
	_, to, err = b.page(ctx, http.MethodGet, "/login/oauth/authorize?"+ask.Encode(), nil)
	if err == nil && to == nil { // it asks
		_, to, err = b.page(ctx, http.MethodPost, "/login/oauth/grant", url.Values{"client_id": {id}, "redirect_uri": {jobRedirect},
			"state": {state}, "scope": {jobScope}, "nonce": {""}, "granted": {"true"}})
	}
	if err != nil {
		return none, err
	}
	if to == nil || !strings.HasPrefix(to.String(), jobRedirect+"?") || to.Query().Get("state") != state || to.Query().Get("code") == "" {
		why := "the server gives no authorization code"
		if to != nil && to.Query().Get("error_description") != "" {
			why += ": " + lab.Printable(to.Query().Get("error_description"))
		}
		return none, r.fail("authorize", w.Name+"/"+JobApplication, "remove its authorization in the settings of the user, and plan again",
			lab.ErrConflict, why)
	}
	return lab.NewSecret(to.Query().Get("code")), nil
}
