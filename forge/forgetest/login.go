package forgetest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// session is that of a browser.
type session struct {
	user                         *account // nil: nobody has logged in
	csrf                         string
	clientID, state, redirectURI string
}

// code is an authorization code.
type code struct {
	grant       *grant
	redirectURI string
	expires     time.Time
}

const sessionCookie = "i_like_gitea"

func (s *Server) loginRoutes(mux *http.ServeMux) {
	page := func(pattern string, handler func(*Server, http.ResponseWriter, *http.Request, *session)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if b := s.browser(w, req); req.Method == http.MethodGet || s.sameOrigin(w, req, b) {
				handler(s, w, req, b)
			}
		})
	}
	page("GET /user/login", func(_ *Server, w http.ResponseWriter, _ *http.Request, _ *session) { html(w, 200, "login") })
	page("POST /user/login", (*Server).logIn)
	page("GET /login/oauth/authorize", (*Server).authorizePage)
	page("POST /login/oauth/grant", (*Server).grantPage)
	anyone := need{anyone: true}
	s.handle(mux, "POST /login/oauth/access_token", anyone, (*call).exchange)
	mux.HandleFunc("POST /login/oauth/introspect", s.introspect)
	s.handle(mux, "GET /login/oauth/userinfo", anyone, func(c *call) answer {
		if c.doer == nil {
			return answer{status: http.StatusUnauthorized}
		}
		return ok(map[string]any{"sub": strconv.FormatInt(c.doer.user.ID, 10), "preferred_username": c.doer.user.UserName})
	})
	s.handle(mux, "GET /.well-known/openid-configuration", anyone, func(c *call) answer {
		return ok(map[string]any{"issuer": c.URL(), "authorization_endpoint": c.URL() + "/login/oauth/authorize",
			"token_endpoint": c.URL() + "/login/oauth/access_token", "jwks_uri": c.URL() + "/login/oauth/keys",
			"userinfo_endpoint": c.URL() + "/login/oauth/userinfo", "response_types_supported": []string{"code", "id_token"},
			"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
			"grant_types_supported": []string{"authorization_code", "refresh_token"}})
	})
	s.handle(mux, "GET /login/oauth/keys", anyone, func(c *call) answer {
		public := c.key.PublicKey
		return ok(map[string]any{"keys": []map[string]string{{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": c.keyID(),
			"n": encode(public.N.Bytes()), "e": encode(big.NewInt(int64(public.E)).Bytes())}}})
	})
}

func html(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<!DOCTYPE html><title>"+text+"</title>")
}

// browser returns the session of a request, a new one if it has none.
func (s *Server) browser(w http.ResponseWriter, req *http.Request) *session {
	if cookie, err := req.Cookie(sessionCookie); err == nil && s.sessions[cookie.Value] != nil {
		return s.sessions[cookie.Value]
	}
	return s.newSession(w, &session{})
}

func (s *Server) newSession(w http.ResponseWriter, b *session) *session {
	id := randomHex(16)
	b.csrf = randomHex(16)
	s.sessions[id] = b
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: id, Path: "/", HttpOnly: true})
	if s.before("1.26") {
		http.SetCookie(w, &http.Cookie{Name: "_csrf", Value: b.csrf, Path: "/", HttpOnly: true})
	}
	return b
}

// sameOrigin refuses a form of another site: until 1.25 by a token, since then by the headers of the browser.
func (s *Server) sameOrigin(w http.ResponseWriter, req *http.Request, b *session) bool {
	err := http.NewCrossOriginProtection().Check(req)
	if s.before("1.26") && req.PostFormValue("_csrf") != b.csrf && req.Header.Get("X-Csrf-Token") != b.csrf {
		err = fmt.Errorf("invalid CSRF token")
	}
	if err != nil {
		html(w, http.StatusBadRequest, err.Error())
	}
	return err == nil
}

// logIn answers a wrong password with the same page once more, with status 200.
func (s *Server) logIn(w http.ResponseWriter, req *http.Request, _ *session) {
	a := s.state.account(req.PostFormValue("user_name"))
	if a == nil || a.org != nil || a.password != req.PostFormValue("password") || a.user.ProhibitLogin {
		html(w, http.StatusOK, "Username or password is incorrect.")
		return
	}
	a.user.LastLogin = now()
	s.newSession(w, &session{user: a})
	http.Redirect(w, req, "/", http.StatusSeeOther)
}

func (s *Server) client(id string) *application {
	for _, a := range s.state.accounts {
		for _, app := range a.apps {
			if app.ClientID == id {
				return app
			}
		}
	}
	return nil
}

// accepts reports whether an application has a redirect URI. On loopback, any port is right (RFC 8252, 7.3).
func (a *application) accepts(uri string) bool {
	if slices.Contains(a.RedirectURIs, uri) {
		return true
	}
	u, err := url.Parse(uri)
	if err != nil || a.ConfidentialClient || u.Scheme != "http" || u.Hostname() != "127.0.0.1" {
		return false
	}
	u.Host = u.Hostname()
	return slices.Contains(a.RedirectURIs, u.String())
}

// Grant sets what a user has allowed an application of its own, as "openid profile".
func (s *Server) Grant(user, application, scope string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.state.account(user)
	for _, app := range a.apps {
		if g := app.grantOf(a); app.Name == application && g != nil {
			g.scope = scope
		}
	}
}

func (a *application) grantOf(user *account) *grant {
	for _, g := range a.grants {
		if g.user == user {
			return g
		}
	}
	return nil
}

func (s *Server) authorizePage(w http.ResponseWriter, req *http.Request, b *session) {
	q := req.URL.Query()
	if b.user == nil {
		http.Redirect(w, req, "/user/login?redirect_to="+url.QueryEscape(req.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	app := s.client(q.Get("client_id"))
	if app == nil || !app.accepts(q.Get("redirect_uri")) {
		html(w, http.StatusBadRequest, "Client ID not registered, or Unregistered Redirect URI")
		return
	}
	failed := func(name, why string) {
		to := q.Get("redirect_uri") + "?" + url.Values{"error": {name}, "error_description": {why}, "state": {q.Get("state")}}.Encode()
		http.Redirect(w, req, to, http.StatusSeeOther)
	}
	switch {
	case q.Get("response_type") != "code":
		failed("unsupported_response_type", "Only code response type is supported.")
		return
	case !app.ConfidentialClient && q.Get("code_challenge") == "":
		failed("invalid_request", "PKCE is required for public clients")
		return
	}
	if g := app.grantOf(b.user); g != nil && (app.ConfidentialClient || app.SkipSecondaryAuthorization) {
		s.sendCode(w, req, g, q.Get("redirect_uri"), q.Get("state"), http.StatusFound)
		return
	}
	b.clientID, b.state, b.redirectURI = app.ClientID, q.Get("state"), q.Get("redirect_uri")
	html(w, http.StatusOK, "Authorize")
}

func (s *Server) grantPage(w http.ResponseWriter, req *http.Request, b *session) {
	if b.user == nil || b.clientID == "" || b.clientID != req.PostFormValue("client_id") ||
		b.state != req.PostFormValue("state") || b.redirectURI != req.PostFormValue("redirect_uri") {
		html(w, http.StatusBadRequest, "Bad Request")
		return
	}
	app, scope := s.client(b.clientID), req.PostFormValue("scope")
	if app == nil || req.PostFormValue("granted") != "true" {
		http.Redirect(w, req, b.redirectURI+"?error=access_denied&state="+url.QueryEscape(b.state), http.StatusSeeOther)
		return
	}
	g := app.grantOf(b.user)
	switch {
	case g == nil:
		g = &grant{id: s.state.id(), app: app, user: b.user, scope: scope}
		app.grants = append(app.grants, g)
	case g.scope != scope:
		http.Redirect(w, req, b.redirectURI+"?error=server_error&error_description="+
			url.QueryEscape("a grant exists with different scope")+"&state="+url.QueryEscape(b.state), http.StatusSeeOther)
		return
	}
	s.sendCode(w, req, g, b.redirectURI, b.state, http.StatusSeeOther)
}

func (s *Server) sendCode(w http.ResponseWriter, req *http.Request, g *grant, redirectURI, state string, status int) {
	id := "gta_" + randomHex(16)
	s.codes[id] = code{g, redirectURI, time.Now().Add(5 * time.Minute)}
	http.Redirect(w, req, redirectURI+"?"+url.Values{"code": {id}, "state": {state}}.Encode(), status)
}

// exchange gives tokens for an authorization code or a refresh token, to whoever knows the secret of the application.
func (c *call) exchange() answer {
	failed := func(name, why string) answer {
		return answer{status: http.StatusBadRequest, body: map[string]string{"error": name, "error_description": why}}
	}
	f, err := url.ParseQuery(string(c.body))
	if err != nil || !strings.HasPrefix(c.req.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return failed("unsupported_grant_type", "Only refresh_token or authorization_code grant type is supported")
	}
	app := c.client(f.Get("client_id"))
	if app == nil {
		return failed("invalid_client", fmt.Sprintf("cannot load client with client id: %q", f.Get("client_id")))
	}
	if app.ConfidentialClient && f.Get("client_secret") != app.hidden {
		return failed("invalid_client", "invalid client secret")
	}
	switch f.Get("grant_type") {
	case "authorization_code":
		given, found := c.codes[f.Get("code")]
		delete(c.codes, f.Get("code"))
		switch {
		case !found:
			return failed("unauthorized_client", "client is not authorized")
		case given.grant.app != app || !app.accepts(f.Get("redirect_uri")):
			return failed("invalid_grant", "invalid grant")
		case time.Now().After(given.expires):
			return failed("invalid_grant", "authorization code expired")
		}
		return c.tokens(given.grant)
	case "refresh_token":
		claims, err := c.verify(f.Get("refresh_token"))
		if err != nil || claims.Kind != kindRefresh {
			return failed("unauthorized_client", "unable to parse refresh token")
		}
		g := c.grant(claims.Grant)
		switch {
		case g == nil || g.app != app:
			return failed("invalid_grant", "grant does not exist")
		case c.config.RotateRefreshTokens && claims.Counter != g.counter:
			return failed("unauthorized_client", "token was already used")
		}
		return c.tokens(g)
	}
	return failed("unsupported_grant_type", "Only refresh_token or authorization_code grant type is supported")
}

// introspect tells an application, which proves itself with its secret, of a token. As the real server, it takes a token in
// a form for one of the API, which the caller comes with, and refuses one that is none: in JSON it is only asked about.
func (s *Server) introspect(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	if f, err := url.ParseQuery(string(body)); err == nil && f.Get("token") != "" &&
		strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		http.Error(w, "Failed to authenticate user", http.StatusUnauthorized)
		return
	}
	id, secret, _ := req.BasicAuth()
	if app := s.client(id); app == nil || secret != app.hidden {
		w.Header().Set("WWW-Authenticate", `Basic realm="Gitea OAuth2"`)
		http.Error(w, "no valid authorization", http.StatusUnauthorized)
		return
	}
	var asked struct {
		Token string `json:"token"`
	}
	_ = json.Unmarshal(body, &asked)
	said := map[string]any{"active": false}
	if claims, err := s.verify(asked.Token); err == nil {
		if g := s.grant(claims.Grant); g != nil {
			said = map[string]any{"active": true, "scope": g.scope, "username": g.user.user.UserName, "iss": s.URL(),
				"sub": strconv.FormatInt(g.user.user.ID, 10), "aud": []string{g.app.ClientID}}
		}
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	_ = json.NewEncoder(w).Encode(said)
}

func (s *Server) grant(id int64) *grant {
	for _, a := range s.state.accounts {
		for _, app := range a.apps {
			for _, g := range app.grants {
				if g.id == id {
					return g
				}
			}
		}
	}
	return nil
}

// granted returns who an access token of OAuth2 stands for, and its scopes: all, unless the grant has some beside those of
// OpenID Connect.
func (c *call) granted(token string) (*account, []string) {
	claims, err := c.verify(token)
	if err != nil || claims.Kind != kindAccess || claims.Grant == 0 {
		return nil, nil
	}
	g := c.grant(claims.Grant)
	if g == nil {
		return nil, nil
	}
	var scopes []string
	for _, s := range strings.Fields(g.scope) {
		if !slices.Contains([]string{"openid", "profile", "email", "groups"}, s) {
			scopes = append(scopes, s)
		}
	}
	normal, wrong := normalize(scopes)
	if wrong != "" || normal == nil {
		normal = []string{"all"}
	}
	return g.user, normal
}

// claims are those of services/oauth2_provider/token.go of Gitea, and of an id_token.
type claims struct {
	Grant   int64 `json:"gnt,omitempty"`
	Kind    int   `json:"tt"`
	Counter int   `json:"cnt,omitempty"`
	Expires int64 `json:"exp"`
	Issued  int64 `json:"iat"`

	Issuer            string   `json:"iss,omitempty"`
	Subject           string   `json:"sub,omitempty"`
	Audience          []string `json:"aud,omitempty"`
	Nonce             string   `json:"nonce,omitempty"`
	PreferredUsername string   `json:"preferred_username,omitempty"`
	Email             string   `json:"email,omitempty"`
	Groups            []string `json:"groups,omitempty"`
}

const (
	kindAccess  = 0
	kindRefresh = 1
)

// tokens gives an access token for an hour, a refresh token for 730 hours, and an id_token where the grant has openid.
func (c *call) tokens(g *grant) answer {
	if c.config.RotateRefreshTokens {
		g.counter++
	}
	hour := time.Now().Add(time.Hour).Unix()
	body := map[string]any{"token_type": "bearer", "expires_in": 3600,
		"access_token":  c.sign(claims{Grant: g.id, Kind: kindAccess, Expires: hour}),
		"refresh_token": c.sign(claims{Grant: g.id, Kind: kindRefresh, Counter: g.counter, Expires: time.Now().Add(730 * time.Hour).Unix()})}
	scopes := strings.Fields(g.scope)
	if slices.Contains(scopes, "openid") {
		id := claims{Issuer: c.URL(), Subject: strconv.FormatInt(g.user.user.ID, 10), Audience: []string{g.app.ClientID},
			Expires: hour, Nonce: g.nonce}
		if slices.Contains(scopes, "profile") {
			id.PreferredUsername = g.user.user.UserName
		}
		if slices.Contains(scopes, "email") {
			id.Email = g.user.user.Email
		}
		body["id_token"] = c.sign(id)
	}
	return ok(body)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (s *Server) keyID() string {
	sum := sha256.Sum256(s.key.N.Bytes())
	return encode(sum[:])
}

// sign makes a JSON Web Token, RS256 (RFC 7519).
func (s *Server) sign(c claims) string {
	c.Issued = time.Now().Unix()
	payload, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	signed := encode([]byte(`{"alg":"RS256","kid":"`+s.keyID()+`","typ":"JWT"}`)) + "." + encode(payload)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return signed + "." + encode(signature)
}

func (s *Server) verify(token string) (c claims, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, fmt.Errorf("no token")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return c, err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&s.key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		return c, err
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(payload, &c)
	}
	if err == nil && time.Now().Unix() > c.Expires {
		err = fmt.Errorf("expired")
	}
	return c, err
}
