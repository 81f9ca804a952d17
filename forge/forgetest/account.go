package forgetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/mail"
	"strings"
	"time"

	"code.gitea.io/sdk/gitea"
)

func (s *Server) accountRoutes(mux *http.ServeMux) {
	admin, user := need{category: "admin", admin: true}, need{category: "user"}
	s.handle(mux, "GET /api/v1/user", user, func(c *call) answer { return ok(c.shown(c.doer)) })
	s.handle(mux, "GET /api/v1/users/{user}", user, func(c *call) answer { return ok(c.shown(c.owner("user"))) }) // or an organization
	s.handle(mux, "GET /api/v1/admin/users", admin, func(c *call) answer { return list(c, c.state.all(false), c.shown) })
	s.handle(mux, "POST /api/v1/admin/users", admin, (*call).createUser)
	s.handle(mux, "PATCH /api/v1/admin/users/{user}", admin, (*call).editUser)
	s.handle(mux, "DELETE /api/v1/admin/users/{user}", admin, func(c *call) answer {
		delete(c.state.accounts, strings.ToLower(c.person().user.UserName))
		return done
	})
	s.handle(mux, "POST /api/v1/admin/users/{user}/rename", admin, func(c *call) answer {
		var o gitea.RenameUserOption
		c.read(&o)
		return c.rename(c.person(), o.NewUsername)
	})
	s.handle(mux, "GET /api/v1/users/{user}/keys", user, func(c *call) answer {
		return list(c, c.person().keys, itself[gitea.PublicKey])
	})
	s.handle(mux, "GET /api/v1/user/keys", user, func(c *call) answer { return list(c, c.doer.keys, itself[gitea.PublicKey]) })
	s.handle(mux, "POST /api/v1/admin/users/{user}/keys", admin, func(c *call) answer { return c.addKey(c.person()) })
	s.handle(mux, "POST /api/v1/user/keys", user, func(c *call) answer { return c.addKey(c.doer) })
	s.handle(mux, "DELETE /api/v1/admin/users/{user}/keys/{id}", admin, func(c *call) answer { return c.removeKey(c.person()) })
	s.handle(mux, "DELETE /api/v1/user/keys/{id}", user, func(c *call) answer { return c.removeKey(c.doer) })
}

// shown is an account as the API shows it to an administrator.
func (c *call) shown(a *account) gitea.User {
	u := a.user
	if o := a.org; o != nil {
		u.FullName, u.Email, u.Description, u.Website, u.Location = o.FullName, o.Email, o.Description, o.Website, o.Location
		u.Visibility = gitea.VisibleType(o.Visibility)
	}
	u.HTMLURL = c.URL() + "/" + u.UserName
	if u.LastLogin.IsZero() {
		u.LastLogin = time.Unix(0, 0).UTC()
	}
	return u
}

// userOptions are those of admin_user.go in modules/structs of Gitea, of which the SDK lacks some.
type userOptions struct {
	gitea.CreateUserOption
	Restricted *bool      `json:"restricted"`
	Created    *time.Time `json:"created_at"`
}

func (c *call) createUser() answer {
	var o userOptions
	c.read(&o)
	c.newAccount("Username", o.Username)
	c.required("Email", o.Email)
	c.size("FullName", o.FullName, 100)
	if _, err := mail.ParseAddress(o.Email); err != nil {
		return c.refuse(http.StatusUnprocessableEntity, "[Email]: Email")
	}
	if len(o.Password) < 8 { // MIN_PASSWORD_LENGTH
		return c.refuse(http.StatusBadRequest, "PasswordIsRequired")
	}
	for _, a := range c.state.accounts {
		if strings.EqualFold(a.user.Email, o.Email) {
			return c.refuse(http.StatusUnprocessableEntity, "e-mail already in use [email: %s]", o.Email)
		}
	}
	a := c.state.addUser(o.Username, o.Email, o.Password)
	a.user.FullName, a.user.LoginName = o.FullName, o.LoginName
	if o.Restricted != nil && !c.before("1.25") {
		a.user.Restricted = *o.Restricted
	}
	if o.Visibility != nil && *o.Visibility != "" {
		a.user.Visibility = *o.Visibility
	}
	return created(c.shown(a))
}

func (c *call) editUser() answer {
	a := c.person()
	var o gitea.EditUserOption
	c.read(&o)
	c.required("LoginName", o.LoginName)
	a.user.LoginName = o.LoginName
	if o.Password != "" {
		if len(o.Password) < 8 {
			return c.refuse(http.StatusBadRequest, "password must be at least 8 characters")
		}
		a.password = o.Password
	}
	for _, text := range []struct{ to, from *string }{{&a.user.Email, o.Email}, {&a.user.FullName, o.FullName},
		{&a.user.Description, o.Description}, {&a.user.Website, o.Website}, {&a.user.Location, o.Location}} {
		if text.from != nil {
			*text.to = *text.from
		}
	}
	for _, flag := range []struct{ to, from *bool }{{&a.user.IsActive, o.Active}, {&a.user.IsAdmin, o.Admin},
		{&a.user.ProhibitLogin, o.ProhibitLogin}, {&a.user.Restricted, o.Restricted}} {
		if flag.from != nil {
			*flag.to = *flag.from
		}
	}
	if o.Visibility != nil && *o.Visibility != "" {
		a.user.Visibility = *o.Visibility
	}
	return ok(c.shown(a))
}

// rename gives an account another name. The former one leads to it.
func (c *call) rename(a *account, name string) answer {
	c.newAccount("NewName", name)
	was := strings.ToLower(a.user.UserName)
	delete(c.state.accounts, was)
	c.state.moved[was] = a
	a.user.UserName = name
	if a.org != nil {
		a.org.Name = name
		//lint:ignore SA1019 the server still answers it
		a.org.UserName = name
	}
	c.state.accounts[strings.ToLower(name)] = a
	return done
}

// fingerprint returns that of an authorized key.
func (c *call) fingerprint(key string) string {
	parts := strings.Fields(key)
	var blob []byte
	if len(parts) >= 2 {
		blob, _ = base64.StdEncoding.DecodeString(parts[1])
	}
	if len(parts) < 2 || !bytes.Contains(blob, []byte(parts[0])) {
		panic(c.refuse(http.StatusUnprocessableEntity, "Invalid key content: unable to parse the key"))
	}
	sum := sha256.Sum256(blob)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

func (c *call) addKey(a *account) answer {
	var o gitea.CreateKeyOption
	c.read(&o)
	c.required("Title", o.Title)
	c.required("Key", o.Key)
	fingerprint := c.fingerprint(o.Key)
	for _, other := range c.state.accounts {
		for _, k := range other.keys {
			if k.Fingerprint == fingerprint {
				return c.refuse(http.StatusUnprocessableEntity, "Key content has been used as non-deploy key")
			}
		}
	}
	for _, k := range a.keys {
		if k.Title == o.Title {
			return c.refuse(http.StatusUnprocessableEntity, "Key title has been used")
		}
	}
	k := &gitea.PublicKey{ID: c.state.id(), Key: strings.TrimSpace(o.Key), Title: o.Title, Fingerprint: fingerprint,
		Created: now(), Updated: now()}
	a.keys = append(a.keys, k)
	return created(*k)
}

func (c *call) removeKey(a *account) (answer answer) {
	left, found := without(a.keys, func(k *gitea.PublicKey) bool { return k.ID == c.number("id") })
	if !found {
		return c.notFound()
	}
	a.keys = left
	return done
}
