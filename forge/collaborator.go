package forge

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// collaborators are the permissions of the users of a repository that are there beside its owner and teams.
type collaborators map[string]string

// collaborators has one object a repository: all of its collaborators.
func (r *run) collaborators() reconcile.Kind {
	want := map[string]collaborators{}
	for _, x := range r.spec.Repositories {
		if x.Collaborators != nil {
			want[x.key()] = x.Collaborators
		}
	}
	return reconcile.Collection[collaborators, collaborators]{
		Name: "collaborators", Want: want,
		List: func(ctx context.Context) (map[string]collaborators, error) { return r.listCollaborators(ctx, want) },
		Diff: func(key string, w collaborators, h *collaborators) reconcile.Delta {
			var has collaborators
			if h != nil {
				has = *h
			}
			before, after := has.String(), w.String()
			if before == after {
				return reconcile.Delta{}
			}
			d := reconcile.Delta{Action: lab.Update, Cause: "they differ", Diff: lab.Diff(key, []byte(before), []byte(after))}
			if without(slices.Collect(maps.Keys(has)), slices.Collect(maps.Keys(w))) {
				d.Risk = lab.RiskDisrupt
			}
			return d
		},
		Put: func(ctx context.Context, key string, w collaborators, h *collaborators) error {
			var has collaborators
			if h != nil {
				has = *h
			}
			r.access.Lock()
			defer r.access.Unlock()
			at := "/repos/" + key + "/collaborators"
			for _, name := range slices.Sorted(maps.Keys(w)) {
				if has.of(name) != w[name] {
					if err := r.send(ctx, http.MethodPut, at+path(name), map[string]string{"permission": w[name]}, nil); err != nil {
						return err
					}
				}
			}
			for _, name := range slices.Sorted(maps.Keys(has)) {
				if w.of(name) == "" {
					if err := r.send(ctx, http.MethodDelete, at+path(name), nil, nil); err != nil && !absent(err) {
						return err
					}
				}
			}
			return nil
		},
		After: func(key string, w collaborators) []string {
			after := []string{"repository:" + key}
			for _, name := range slices.Sorted(maps.Keys(w)) {
				after = append(after, "user:"+name)
			}
			return r.after(after...)
		},
	}
}

// of returns the permission of a user, in whatever case the name is written.
func (c collaborators) of(name string) string {
	for n, permission := range c {
		if strings.EqualFold(n, name) {
			return permission
		}
	}
	return ""
}

func (c collaborators) String() string {
	var lines []string
	for name, permission := range c {
		lines = append(lines, lab.Printable(strings.ToLower(name))+": "+permission+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// listCollaborators reads who they are, and the permission of each by itself, which the list does not say. What the API
// says is what a user may do in all: an administrator of the server or of the organization, who may do everything, has what is
// wanted.
func (r *run) listCollaborators(ctx context.Context, want map[string]collaborators) (map[string]collaborators, error) {
	keys := slices.Sorted(maps.Keys(want))
	lists, err := reconcile.Each(ctx, r.server.parallel(), keys, func(ctx context.Context, key string) (collaborators, error) {
		at := "/repos/" + key + "/collaborators"
		users, err := list[user](ctx, r.client, at)
		if err != nil {
			if absent(err) {
				return nil, nil
			}
			return nil, err
		}
		has := collaborators{}
		for _, u := range users {
			var p struct {
				Permission string `json:"permission"`
			}
			if err := r.get(ctx, at+path(u.Login, "permission"), &p); err != nil {
				return nil, err
			}
			if p.Permission == "owner" { // not as a collaborator
				p.Permission = cmp.Or(want[key].of(u.Login), "admin")
			}
			has[u.Login] = p.Permission
		}
		return has, nil
	})
	if err != nil {
		return nil, err
	}
	all := map[string]collaborators{}
	for n, key := range keys {
		if lists[n] != nil {
			all[key] = lists[n]
		}
	}
	return all, nil
}
