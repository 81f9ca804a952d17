package forgetest

import (
	"net/http"
	"slices"
	"strconv"

	"code.gitea.io/sdk/gitea"
)

func (s *Server) tokenRoutes(mux *http.ServeMux) {
	n := need{category: "user", basic: true}
	s.handle(mux, "GET /api/v1/users/{user}/tokens", n, func(c *call) answer {
		a := c.person()
		c.self(a)
		newest := slices.Clone(a.tokens)
		slices.Reverse(newest)
		return list(c, newest, func(t *gitea.AccessToken) gitea.AccessToken {
			shown := *t
			shown.Token = ""
			return shown
		})
	})
	s.handle(mux, "POST /api/v1/users/{user}/tokens", n, (*call).createToken)
	s.handle(mux, "DELETE /api/v1/users/{user}/tokens/{id}", n, (*call).deleteToken)

	u := need{category: "user"}
	s.handle(mux, "GET /api/v1/user/applications/oauth2", u, func(c *call) answer {
		return list(c, c.doer.apps, itself[application])
	})
	s.handle(mux, "POST /api/v1/user/applications/oauth2", u, (*call).createApplication)
	s.handle(mux, "GET /api/v1/user/applications/oauth2/{id}", u, func(c *call) answer { return ok(*c.application()) })
	s.handle(mux, "PATCH /api/v1/user/applications/oauth2/{id}", u, (*call).editApplication)
	s.handle(mux, "DELETE /api/v1/user/applications/oauth2/{id}", u, func(c *call) answer {
		gone := c.application()
		c.doer.apps, _ = without(c.doer.apps, func(a *application) bool { return a == gone })
		return done
	})
}

func (c *call) createToken() answer {
	a := c.person()
	c.self(a)
	var o gitea.CreateAccessTokenOption
	c.read(&o)
	c.required("Name", o.Name)
	if slices.ContainsFunc(a.tokens, func(t *gitea.AccessToken) bool { return t.Name == o.Name }) {
		return c.refuse(http.StatusBadRequest, "access token name has been used already")
	}
	var scopes []string
	for _, s := range o.Scopes {
		scopes = append(scopes, string(s))
	}
	scopes, wrong := normalize(scopes)
	if wrong != "" {
		return c.refuse(http.StatusBadRequest, "invalid access token scope provided: invalid access token scope: %s", wrong)
	}
	if scopes == nil {
		return c.refuse(http.StatusBadRequest, "access token must have a scope")
	}
	return created(*c.state.addToken(a, o.Name, scopes))
}

// deleteToken deletes a token by its ID, or by its name where that is not a number.
func (c *call) deleteToken() answer {
	a, id := c.person(), c.req.PathValue("id")
	c.self(a)
	number, _ := strconv.ParseInt(id, 0, 64)
	left, found := without(a.tokens, func(t *gitea.AccessToken) bool {
		return number != 0 && t.ID == number || number == 0 && t.Name == id
	})
	if !found {
		return c.notFound()
	}
	a.tokens = left
	return done
}

// application returns the application of a path, which must be one of the account that asks.
func (c *call) application() *application {
	for _, a := range c.doer.apps {
		if a.ID == c.number("id") {
			return a
		}
	}
	panic(c.notFound())
}

type applicationOptions struct {
	Name                       string   `json:"name"`
	ConfidentialClient         bool     `json:"confidential_client"`
	SkipSecondaryAuthorization bool     `json:"skip_secondary_authorization"`
	RedirectURIs               []string `json:"redirect_uris"`
}

// createApplication makes an application. Names are not unique: a second one of the same name is made.
func (c *call) createApplication() answer {
	var o applicationOptions
	c.read(&o)
	c.required("Name", o.Name)
	a := &application{ID: c.state.id(), Name: o.Name, ClientID: randomUUID(), ConfidentialClient: o.ConfidentialClient,
		SkipSecondaryAuthorization: o.SkipSecondaryAuthorization, RedirectURIs: o.RedirectURIs, Created: now(),
		hidden: "gto_" + randomHex(26)}
	c.doer.apps = append(c.doer.apps, a)
	shown := *a
	shown.ClientSecret = a.hidden
	return created(shown)
}

// editApplication changes an application, and gives it another secret.
func (c *call) editApplication() answer {
	a := c.application()
	var o applicationOptions
	c.read(&o)
	a.Name, a.ConfidentialClient, a.RedirectURIs = o.Name, o.ConfidentialClient, o.RedirectURIs
	a.SkipSecondaryAuthorization, a.hidden = o.SkipSecondaryAuthorization, "gto_"+randomHex(26)
	shown := *a
	shown.ClientSecret = a.hidden
	return ok(shown)
}

func randomUUID() string {
	h := randomHex(16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}
