package forge

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fingerprint"
	"gitea.arcodange.lab/arcodange-org/lab/internal/mark"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// scope is who has secrets and variables: an organization, a user, or a repository.
type scope struct {
	kind string // "organization", "user" or "repository"
	name string // of a repository "OWNER/NAME"

	secrets   []Secret
	variables []Variable
}

func (s *Spec) scopes() (all []scope) {
	for _, o := range s.Organizations {
		all = append(all, scope{"organization", o.Name, o.Secrets, o.Variables})
	}
	for _, u := range s.Users {
		all = append(all, scope{"user", u.Name, u.Secrets, u.Variables})
	}
	for _, x := range s.Repositories {
		all = append(all, scope{"repository", x.key(), x.Secrets, x.Variables})
	}
	return all
}

// actions returns a client, and the path of the scope's secrets or variables.
func (r *run) actions(s scope, what string) (*client, string) {
	switch s.kind {
	case "organization":
		return r.client, path("orgs", s.name, "actions", what)
	case "user":
		return r.as(s.name), path("user", "actions", what)
	}
	return r.client, "/repos/" + s.name + "/actions/" + what
}

// secretRecord begins the names of the variables that say what a user's secrets are, which the server does not list.
const secretRecord = "LAB_SECRET_"

// secret is one as the API has it.
type secret struct {
	Name        string `json:"name"`
	Description string `json:"description"` // the mark, with the fingerprint

	Created time.Time `json:"created_at"`
}

// wantedSecret is one that is wanted, and where.
type wantedSecret struct {
	Secret
	scope scope
}

func (r *run) secrets() reconcile.Kind {
	want := map[string]wantedSecret{}
	scopes := map[string]scope{}
	for _, s := range r.spec.scopes() {
		scopes[s.name] = s
		for _, w := range s.secrets {
			want[s.name+"/"+w.Name] = wantedSecret{w, s}
		}
	}
	return reconcile.Collection[wantedSecret, secret]{
		Name: "secret", Want: want,
		List: func(ctx context.Context) (map[string]secret, error) { return r.listSecrets(ctx) },
		Diff: func(key string, w wantedSecret, h *secret) reconcile.Delta {
			if h == nil {
				return reconcile.Delta{Action: lab.Create, Cause: "not found"}
			}
			cause, err := r.compare("secret", key, w.Value, h.Description)
			if err != nil || cause == "" {
				return reconcile.Delta{Err: err}
			}
			return reconcile.Delta{Action: lab.Update, Cause: cause}
		},
		Put: func(ctx context.Context, key string, w wantedSecret, _ *secret) error {
			c, at := r.actions(w.scope, "secrets")
			record := r.record("secret", key, w.Value)
			err := c.send(ctx, http.MethodPut, at+path(w.Name), map[string]string{"data": w.Value.Reveal(), "description": record}, nil)
			if err == nil && w.scope.kind == "user" {
				err = r.putVariable(ctx, w.scope, secretRecord+w.Name, record, "of the secret "+w.Name)
			}
			return err
		},
		After: func(_ string, w wantedSecret) []string { return r.after(w.scope.kind + ":" + w.scope.name) },
		Owned: func(key string, h secret) bool {
			ours, err := r.marked(h.Description, "secret", key)
			return ours && err == nil
		},
		Delete: func(ctx context.Context, key string, _ secret) error {
			of, name := split(key)
			c, at := r.actions(scopes[of], "secrets")
			err := c.send(ctx, http.MethodDelete, at+path(name), nil, nil)
			if absent(err) {
				err = nil
			}
			if err == nil && scopes[of].kind == "user" {
				err = r.deleteVariable(ctx, scopes[of], secretRecord+name)
			}
			return err
		},
		Loss: lab.RiskDisrupt,
	}
}

// listSecrets reads the secrets of each scope that has some, or could have some of ours: the server has no list of
// those of several.
func (r *run) listSecrets(ctx context.Context) (map[string]secret, error) {
	scopes := slices.DeleteFunc(r.spec.scopes(), func(s scope) bool { return len(s.secrets) == 0 && !r.spec.Prune })
	lists, err := reconcile.Each(ctx, r.server.parallel(), scopes, func(ctx context.Context, s scope) (all []secret, err error) {
		if s.kind == "user" {
			variables, err := r.listVariables(ctx, s)
			for _, v := range variables {
				if name, ok := strings.CutPrefix(v.Name, secretRecord); ok {
					all = append(all, secret{Name: name, Description: v.Value})
				}
			}
			return all, err
		}
		c, at := r.actions(s, "secrets")
		all, err = list[secret](ctx, c, at)
		if absent(err) {
			return nil, nil
		}
		return all, err
	})
	if err != nil {
		return nil, err
	}
	has := map[string]secret{}
	for n, s := range scopes {
		for _, h := range lists[n] {
			has[s.name+"/"+h.Name] = h
		}
	}
	return has, nil
}

// record is what is kept beside a value that the server does not show: the mark, and a fingerprint of the value.
func (r *run) record(kind, key string, value lab.Secret) string {
	return r.mark(kind, key).String() + ";hmac=" + fingerprint.Of(r.spec.Key, kind+":"+key, value)
}

// compare says why a value must be sent again, from the record beside it; nothing if the record is that of the value. The record
// of another stack is a conflict.
func (r *run) compare(kind, key string, value lab.Secret, record string) (cause string, err error) {
	ours, err := r.marked(record, kind, key)
	m, marked := mark.Parse(record)
	switch {
	case err != nil:
		return "", err
	case marked && m.Kind == delivery:
		return "", r.fail("plan "+kind, key, "remove it from the spec, or do not deliver it", lab.ErrConflict, "it is delivered, see Deliver")
	case !marked:
		return "it is not known what its value is", nil
	case !ours:
		return "its mark is that of another", nil
	case record != r.record(kind, key, value):
		return "its value differs", nil
	}
	return "", nil
}

func (s scope) String() string { return fmt.Sprintf("%s %s", s.kind, s.name) }
