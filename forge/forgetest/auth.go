package forgetest

import (
	"net/http"
	"slices"
	"strings"
)

// categories of scopes, in the order in which the server writes them.
var categories = []string{"activitypub", "admin", "misc", "notification", "organization", "package", "issue",
	"repository", "user"}

// normalize returns scopes as the server keeps them: write covers read, and all nine that write are "all".
func normalize(scopes []string) (normal []string, wrong string) {
	level := map[string]string{}
	publicOnly := false
	for _, s := range scopes {
		l, category, _ := strings.Cut(s, ":")
		switch {
		case s == "all":
			for _, c := range categories {
				level[c] = "write"
			}
		case s == "public-only":
			publicOnly = true
		case s == "":
		case (l == "read" || l == "write") && slices.Contains(categories, category):
			if level[category] != "write" {
				level[category] = l
			}
		default:
			return nil, s
		}
	}
	if publicOnly {
		normal = append(normal, "public-only")
	}
	writes := 0
	var each []string
	for _, c := range categories {
		if level[c] != "" {
			each = append(each, level[c]+":"+c)
		}
		if level[c] == "write" {
			writes++
		}
	}
	if writes == len(categories) {
		each = []string{"all"}
	}
	return append(normal, each...), ""
}

// authenticate finds out who asks. Credentials that are wrong are refused, even where none are needed.
func (c *call) authenticate() {
	header := c.req.Header.Get("Authorization")
	if header == "" {
		return
	}
	value := ""
	if kind, rest, _ := strings.Cut(header, " "); strings.EqualFold(kind, "token") || strings.EqualFold(kind, "bearer") {
		value = rest
	}
	name, password, basic := c.req.BasicAuth()
	if basic {
		value, c.basic = password, true
	}
	for _, a := range c.state.accounts {
		for _, t := range a.tokens {
			if t.Token == value {
				c.doer, t.Updated = a, now()
				for _, s := range t.Scopes {
					c.scope = append(c.scope, string(s))
				}
			}
		}
	}
	if c.doer == nil {
		c.doer, c.scope = c.granted(value)
	}
	if a := c.state.account(name); c.doer == nil && basic && a != nil && a.org == nil && a.password == password {
		c.doer = a
	}
	if c.doer == nil || c.doer.user.ProhibitLogin {
		panic(c.refuse(http.StatusUnauthorized, "invalid username, password or token"))
	}
	c.sudo()
}

// sudo lets an administrator ask as somebody else.
func (c *call) sudo() {
	name := c.req.Header.Get("Sudo")
	if name == "" {
		return
	}
	if !c.doer.user.IsAdmin {
		panic(c.refuse(http.StatusForbidden, "Only administrators allowed to sudo."))
	}
	a := c.state.account(name)
	if a == nil {
		panic(c.notFound())
	}
	c.doer = a
}

// authorize refuses who may not ask.
func (c *call) authorize(n need) {
	if c.doer == nil {
		panic(c.refuse(http.StatusUnauthorized, "token is required"))
	}
	level := "write"
	if c.req.Method == http.MethodGet {
		level = "read"
	}
	if c.scope != nil && n.category != "" && !c.has(level+":"+n.category) {
		panic(c.refuse(http.StatusForbidden, "token does not have at least one of required scope(s), required=[%s:%s], token scope=%s",
			level, n.category, strings.Join(c.scope, ",")))
	}
	if n.basic && !c.basic {
		panic(c.refuse(http.StatusUnauthorized, "auth required"))
	}
	if n.admin && !c.doer.user.IsAdmin {
		panic(c.refuse(http.StatusForbidden, "user should be the site admin"))
	}
}

// has reports whether the token has a scope.
func (c *call) has(scope string) bool {
	_, category, _ := strings.Cut(scope, ":")
	return slices.Contains(c.scope, "all") || slices.Contains(c.scope, scope) || slices.Contains(c.scope, "write:"+category)
}

// self refuses who is neither the user nor a site administrator.
func (c *call) self(a *account) {
	if c.doer != a && !c.doer.user.IsAdmin {
		panic(c.refuse(http.StatusForbidden, "doer should be the site admin or be same as the contextUser"))
	}
}
