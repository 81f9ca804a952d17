package vaultprov_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// bot is a user of a real Gitea, with an application to which it has once consented.
type bot struct {
	gitea                                   *real.GiteaServer
	name, id, clientID, clientSecret, first string // first is its refresh token
}

// api sends a request as the administrator.
func api(t *testing.T, g *real.GiteaServer, method, path string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, g.URL+"/api/v1/"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "token "+g.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = errors.New(resp.Status + " " + string(text))
	}
	if err == nil {
		err = json.Unmarshal(text, out)
	}
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// newBot makes the bot and lets it consent, by the pages of Gitea, as it is done once for a lab.
func newBot(t *testing.T, g *real.GiteaServer) *bot {
	t.Helper()
	const password = "bot-s3cret-0123456789"
	b := &bot{gitea: g, name: "ci-bot"}
	var user struct {
		ID json.Number `json:"id"`
	}
	api(t, g, "POST", "admin/users", map[string]any{"username": b.name, "email": "bot@example.com",
		"password":             password,
		"must_change_password": false, "restricted": true}, &user)
	var app struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	const back = "http://127.0.0.1/callback"
	api(t, g, "POST", "user/applications/oauth2", map[string]any{"name": "vault", "confidential_client": true,
		"redirect_uris": []string{back}}, &app)
	b.id, b.clientID, b.clientSecret = user.ID.String(), app.ID, app.Secret

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	send := func(method, path string, form url.Values) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, g.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	send("POST", "/user/login", url.Values{"user_name": {b.name}, "password": {password}})
	asks := url.Values{"client_id": {b.clientID}, "redirect_uri": {back}, "response_type": {"code"},
		"scope": {"openid profile email groups"}, "state": {"s"}}
	resp := send("GET", "/login/oauth/authorize?"+asks.Encode(), nil)
	if resp.StatusCode == http.StatusOK { // the page that asks for consent
		resp = send("POST", "/login/oauth/grant", url.Values{"client_id": {b.clientID}, "redirect_uri": {back},
			"state": {"s"},
			"scope": {"openid profile email groups"}, "granted": {"true"}})
	}
	location, err := resp.Location()
	if err != nil || location.Query().Get("code") == "" {
		t.Fatalf("the consent: %s %v, %v", resp.Status, location, err)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {b.clientID},
		"client_secret": {b.clientSecret}, "redirect_uri": {back},
		"code": {location.Query().Get("code")}}
	answer, err := http.PostForm(g.URL+"/login/oauth/access_token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var tokens struct {
		Refresh string `json:"refresh_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&tokens); err != nil || tokens.Refresh == "" {
		t.Fatalf("%s, %v", answer.Status, err)
	}
	b.first = tokens.Refresh
	return b
}

// TestGitea: a job logs in with what a real Gitea signs, and with nothing else.
func TestGitea(t *testing.T) {
	g := real.Gitea(t)
	b := newBot(t, g)
	onBothServing(t, func(t *testing.T, v serving) {
		v.asRoot(t, "POST", "sys/auth/gitea_jwt", map[string]any{"type": "jwt"})
		v.asRoot(t, "POST", "auth/gitea_jwt/config", map[string]any{"oidc_discovery_url": g.URL, "bound_issuer": g.URL})
		v.asRoot(t, "PUT", "sys/policies/acl/erp-ops", map[string]any{"policy": itself})
		role := map[string]any{"role_type": "jwt", "user_claim": "preferred_username",
			"bound_audiences": []string{b.clientID}, "bound_subject": b.id,
			"token_policies": []string{"erp-ops"}, "token_ttl": "10m", "token_no_default_policy": true}
		v.asRoot(t, "POST", "auth/gitea_jwt/role/erp", role)
		role["bound_subject"] = "1"
		v.asRoot(t, "POST", "auth/gitea_jwt/role/other", role)
		source := &vaultprov.GiteaIDToken{Address: g.URL, ClientID: b.clientID,
			ClientSecret: lab.NewSecret(b.clientSecret), Refresh: lab.NewSecret(b.first)}
		session, err := v.Login(t.Context(), vaultprov.Login{Role: "erp", IDToken: source})
		if err != nil {
			t.Fatal(err)
		}
		if err := session.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := v.Login(t.Context(), vaultprov.Login{Role: "other", IDToken: source}); !errors.Is(err, lab.ErrUnauthorized) {
			t.Errorf("another user: %v", err)
		}
		source.Refresh = lab.NewSecret("hidden")
		if _, err := v.Login(t.Context(), vaultprov.Login{Role: "erp", IDToken: source}); !errors.Is(err, lab.ErrUnauthorized) ||
			strings.Contains(err.Error(), "hidden") {
			t.Errorf("another refresh token: %v", err)
		}
	})
}
