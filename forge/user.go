package forge

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// user is one as the API has it.
type user struct {
	Login         string `json:"login"`
	LoginName     string `json:"login_name"`
	SourceID      int64  `json:"source_id"`
	FullName      string `json:"full_name"`
	Email         string `json:"email"`
	Admin         bool   `json:"is_admin"`
	Restricted    bool   `json:"restricted"`
	ProhibitLogin bool   `json:"prohibit_login"`
	Visibility    string `json:"visibility"`

	moved error // it has been renamed, or is none
	wrong bool  // it does not log in with the password that is wanted
}

func (r *run) users() reconcile.Kind {
	want := map[string]User{}
	for _, u := range r.spec.Users {
		want[u.Name] = u
	}
	return reconcile.Collection[User, user]{
		Name: "user", Want: want,
		List: func(ctx context.Context) (map[string]user, error) { return r.listUsers(ctx, want) },
		Diff: func(key string, w User, h *user) reconcile.Delta {
			switch {
			case h == nil && w.Email == "":
				return reconcile.Delta{Err: r.fail("plan user", key, "give an email", lab.ErrInvalid,
					"it is not there, and cannot be created without an email")}
			case h == nil:
				d := userFields(w, user{wrong: true}, true).Created(key)
				if w.Password.IsZero() {
					d.Cause += "; its password is random, and known to nobody"
				}
				return d
			case h.moved != nil:
				return reconcile.Delta{Err: h.moved}
			}
			d := userFields(w, *h, false).Changed(key)
			d.Risk = max(visibilityRisk(w.Visibility, h.Visibility), d.Risk)
			if w.Login != nil && !*w.Login && !h.ProhibitLogin || w.Admin != nil && !*w.Admin && h.Admin ||
				w.Restricted != nil && *w.Restricted && !h.Restricted || h.wrong {
				d.Risk = max(d.Risk, lab.RiskDisrupt)
			}
			return d
		},
		Put: func(ctx context.Context, key string, w User, h *user) error { return r.putUser(ctx, key, w, h) },
	}
}

func (r *run) listUsers(ctx context.Context, want map[string]User) (map[string]user, error) {
	all, err := list[user](ctx, r.client, "/admin/users")
	if err != nil {
		return nil, err
	}
	byName := map[string]user{}
	for _, u := range all {
		byName[strings.ToLower(u.Login)] = u
	}
	has, err := found(ctx, r, want, byName, func(ctx context.Context, name string) (u user, err error) {
		if err = r.get(ctx, path("users", name), &u); err == nil { // it is among no users
			u.moved = r.fail("plan user", name, "give the user another name", lab.ErrConflict, "there is an organization of this name")
		}
		return u, err
	}, func(key string, err error) user { return user{moved: r.renamed("user", key, err)} })
	if err != nil {
		return nil, err
	}
	var tried []string
	for key, h := range has {
		if w := want[key]; h.moved == nil && !w.Password.IsZero() && !h.ProhibitLogin && (w.Login == nil || *w.Login) {
			tried = append(tried, key)
		}
	}
	wrong, err := reconcile.Each(ctx, r.server.parallel(), tried, func(ctx context.Context, key string) (bool, error) {
		err := r.loggedIn(key, want[key].Password).get(ctx, "/user", nil)
		if errors.Is(err, lab.ErrUnauthorized) {
			return true, nil
		}
		return false, err
	})
	if err != nil {
		return nil, err
	}
	for n, key := range tried {
		h := has[key]
		h.wrong = wrong[n]
		has[key] = h
	}
	return has, nil
}

func userFields(w User, h user, create bool) (f reconcile.Fields) {
	f.Text("email", strings.ToLower(w.Email), strings.ToLower(h.Email))
	f.Text("fullName", w.FullName, h.FullName)
	f.Flag("restricted", w.Restricted, h.Restricted)
	f.Flag("admin", w.Admin, h.Admin)
	f.Flag("login", w.Login, !h.ProhibitLogin)
	visibility := w.Visibility
	if create {
		visibility = cmp.Or(visibility, "private")
	}
	f.Text("visibility", visibility, h.Visibility)
	if !w.Password.IsZero() {
		has := "(as wanted)"
		if h.wrong {
			has = "(another)"
		}
		f.Exact("password", "(as wanted)", has)
	}
	return f
}

func (r *run) putUser(ctx context.Context, key string, w User, h *user) error {
	if h == nil {
		password := w.Password.Reveal()
		if password == "" {
			password = rand.Text() + "-aA1" // whatever kinds of characters the server asks for
		}
		var is user
		err := r.send(ctx, "POST", "/admin/users", map[string]any{"username": w.Name, "email": w.Email, "full_name": w.FullName,
			"password": password, "must_change_password": false, "restricted": w.Restricted,
			"visibility": cmp.Or(w.Visibility, "private")}, &is)
		if err != nil {
			return err
		}
		h = &is
		if len(userFields(w, is, false).Differ()) == 0 {
			return nil
		}
	}
	body := map[string]any{"login_name": cmp.Or(h.LoginName, h.Login), "source_id": h.SourceID}
	if w.Email != "" {
		body["email"] = w.Email
	}
	if w.FullName != "" {
		body["full_name"] = w.FullName
	}
	if w.Restricted != nil {
		body["restricted"] = *w.Restricted
	}
	if w.Admin != nil {
		body["admin"] = *w.Admin
	}
	if w.Login != nil {
		body["prohibit_login"] = !*w.Login
	}
	if w.Visibility != "" {
		body["visibility"] = w.Visibility
	}
	if h.wrong {
		body["password"], body["must_change_password"] = w.Password.Reveal(), false
	}
	var is user
	if err := r.send(ctx, "PATCH", path("admin", "users", key), body, &is); err != nil {
		return err
	}
	return r.kept("update user", key, userFields(w, is, false), nil)
}
