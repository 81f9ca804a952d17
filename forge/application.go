package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// application is an OAuth2 application as the API has it.
type application struct {
	ID           int64    `json:"id"`
	Name         string   `json:"name"`
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"` // only in answers to what makes a new one
	Confidential bool     `json:"confidential_client"`
	SkipGrant    bool     `json:"skip_secondary_authorization"`
	RedirectURIs []string `json:"redirect_uris"`

	lost   string     // why a new secret must be made; empty: the one in the sink works
	stored lab.Secret // what is in the sink
}

// String shows nothing of the secret.
func (a application) String() string { return a.Name }

// GoString does the same as String.
func (a application) GoString() string { return a.Name }

// SecretName returns the name of the client secret of an application in the sink, see [Spec].Sink.
func SecretName(user, application string) string { return "oauth2-" + user + "-" + application }

func (r *run) applications() reconcile.Kind {
	want := map[string]Application{}
	for _, u := range r.spec.Users {
		for _, a := range u.Applications {
			want[u.Name+"/"+a.Name] = a
		}
	}
	return reconcile.Collection[Application, application]{
		Name: "application", Want: want,
		List: func(ctx context.Context) (map[string]application, error) { return r.listApplications(ctx, want) },
		Diff: func(key string, w Application, h *application) reconcile.Delta {
			if h == nil {
				return applicationFields(w, application{}).Created(key)
			}
			d := applicationFields(w, *h).Changed(key)
			if h.lost != "" && d.Action == "" {
				d = reconcile.Delta{Action: lab.Update, Cause: h.lost}
			}
			if d.Action != "" && !w.Public {
				d.Cause += "; it gets a new secret, which the server makes with any change"
				d.Risk = lab.RiskDisrupt
			}
			return d
		},
		Put: func(ctx context.Context, key string, w Application, h *application) error {
			return r.putApplication(ctx, key, w, h)
		},
		After: func(key string, _ Application) []string { of, _ := split(key); return r.after("user:" + of) },
	}
}

func (r *run) listApplications(ctx context.Context, want map[string]Application) (map[string]application, error) {
	var owners []string
	for _, u := range r.spec.Users {
		if len(u.Applications) > 0 {
			owners = append(owners, u.Name)
		}
	}
	lists, err := reconcile.Each(ctx, r.server.parallel(), owners, func(ctx context.Context, owner string) ([]application, error) {
		all, err := list[application](ctx, r.as(owner), "/user/applications/oauth2")
		if absent(err) {
			return nil, nil
		}
		return all, err
	})
	if err != nil {
		return nil, err
	}
	has := map[string]application{}
	for n, owner := range owners {
		for _, h := range lists[n] {
			key := owner + "/" + h.Name
			w, wanted := want[key]
			if _, twice := has[key]; twice || !wanted {
				continue
			}
			if !w.Public {
				if err := r.proveApplication(ctx, key, &h); err != nil {
					return nil, err
				}
			}
			has[key] = h
		}
	}
	return has, nil
}

// proveApplication finds out whether the secret in the sink is the one of the application, by using it.
func (r *run) proveApplication(ctx context.Context, key string, h *application) error {
	stored, err := r.spec.Sink.Get(ctx, SecretName(split(key)))
	switch {
	case errors.Is(err, lab.ErrNotFound):
		h.lost = "its secret is not in " + r.spec.Sink.String()
		return nil
	case err != nil:
		return err
	}
	h.stored = stored
	// A token in the form would be taken for one of the API, and refused: none is asked about.
	_, _, err = r.loggedIn(h.ClientID, stored).do(ctx, shortly, http.MethodPost, "/login/oauth/introspect",
		"application/x-www-form-urlencoded", []byte{})
	if errors.Is(err, lab.ErrUnauthorized) {
		h.lost = "the secret in " + r.spec.Sink.String() + " is not the one that it has"
		return nil
	}
	return err
}

// putApplication creates an application, or changes one and gives it a new secret, which goes to the sink. When it does not
// get there, it is known to nobody, and the next plan makes another one.
func (r *run) putApplication(ctx context.Context, key string, w Application, h *application) error {
	owner, _ := split(key)
	sink, name := r.spec.Sink, SecretName(split(key))
	old := lab.Secret{}
	if !w.Public {
		if err := sink.Prove(ctx); err != nil {
			return err
		}
		stored, err := sink.Get(ctx, name)
		if err != nil && !errors.Is(err, lab.ErrNotFound) {
			return err
		}
		if _, replaces := sink.(lab.Replacer); !stored.IsZero() && !replaces {
			return &lab.Error{Op: "update application", Target: r.server.target(), Path: key, Hint: "remove " + name + " from " + sink.String(),
				Err: fmt.Errorf("%w: its secret is kept, and nothing can be replaced there", lab.ErrConflict)}
		}
		old = stored
	}
	body := map[string]any{"name": w.Name, "redirect_uris": w.RedirectURIs, "confidential_client": !w.Public,
		"skip_secondary_authorization": w.SkipGrant}
	method, at := http.MethodPost, "/user/applications/oauth2"
	if h != nil {
		method, at = http.MethodPatch, at+path(fmt.Sprint(h.ID))
	}
	var is application
	if err := r.as(owner).send(ctx, method, at, body, &is); err != nil {
		return err
	}
	if w.Public {
		return nil
	}
	value := lab.NewSecret(is.ClientSecret)
	if value.IsZero() {
		return r.fail("update application", key, "", lab.ErrConflict, "the server shows no secret")
	}
	if old.IsZero() {
		return sink.Put(ctx, name, value)
	}
	return sink.(lab.Replacer).Replace(ctx, name, old, value)
}

func applicationFields(w Application, h application) (f reconcile.Fields) {
	f.Set("redirectURIs", w.RedirectURIs, h.RedirectURIs)
	f.Exact("public", fmt.Sprint(w.Public), fmt.Sprint(!h.Confidential))
	f.Exact("skipGrant", fmt.Sprint(w.SkipGrant), fmt.Sprint(h.SkipGrant))
	return f
}
