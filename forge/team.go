package forge

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// team is one as the API has it.
type team struct {
	ID          int64             `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	All         bool              `json:"includes_all_repositories"`
	Permission  string            `json:"permission"`
	Units       map[string]string `json:"units_map"`
	Create      bool              `json:"can_create_org_repo"`

	members, repositories []string // read where some are wanted
}

// owners is the team that every organization has, whose permissions are fixed.
const owners = "Owners"

// units are those that a team can have a permission on, each with the most that it can have (models/unit of Gitea).
var units = map[string]string{"repo.code": "write", "repo.issues": "write", "repo.pulls": "write", "repo.releases": "write",
	"repo.wiki": "write", "repo.projects": "write", "repo.packages": "write", "repo.actions": "write",
	"repo.ext_wiki": "read", "repo.ext_issues": "read"}

// access is the permission of a team on everything, and on each unit; nil where nothing is wanted of it.
func (t Team) access(create bool) (permission string, on map[string]string) {
	permission = t.Permission
	switch {
	case t.Name == owners:
		return "", nil
	case len(t.Units) > 0:
		on = map[string]string{}
		for unit := range units {
			on[unit] = cmp.Or(t.Units[unit], "none")
		}
		return "read", on
	case create:
		permission = cmp.Or(permission, "read")
	}
	if permission == "read" || permission == "write" {
		on = map[string]string{}
		for unit, most := range units {
			on[unit] = permission
			if most == "read" {
				on[unit] = most
			}
		}
	}
	return permission, on
}

func (r *run) teams() reconcile.Kind {
	want := map[string]Team{}
	for _, o := range r.spec.Organizations {
		for _, t := range o.Teams {
			want[o.Name+"/"+t.Name] = t
		}
	}
	return reconcile.Collection[Team, team]{
		Name: "team", Want: want,
		List: func(ctx context.Context) (map[string]team, error) { return r.listTeams(ctx, want) },
		Diff: func(key string, w Team, h *team) reconcile.Delta {
			if h == nil {
				return teamFields(w, team{}, true).Created(key)
			}
			d := teamFields(w, *h, false).Changed(key)
			if without(h.members, w.Members) || without(h.repositories, w.Repositories) {
				d.Risk = lab.RiskDisrupt
			}
			return d
		},
		Put: func(ctx context.Context, key string, w Team, h *team) error { return r.putTeam(ctx, key, w, h) },
		After: func(key string, w Team) []string {
			organization, _, _ := strings.Cut(key, "/")
			after := []string{"organization:" + organization}
			for _, m := range w.Members {
				after = append(after, "user:"+m)
			}
			for _, name := range w.Repositories {
				after = append(after, "repository:"+organization+"/"+name)
			}
			return r.after(after...)
		},
	}
}

// without reports whether something that there is, is not wanted. Nil wants everything.
func without(has, want []string) bool {
	return want != nil && slices.ContainsFunc(has, func(name string) bool { return !contains(want, name) })
}

// contains reports whether a name is among others, in whatever case: Gitea has one user of a name.
func contains(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

func (r *run) listTeams(ctx context.Context, want map[string]Team) (map[string]team, error) {
	has := map[string]team{}
	organizations := map[string]bool{}
	for key := range want {
		organization, _, _ := strings.Cut(key, "/")
		organizations[organization] = true
	}
	names := slices.Sorted(maps.Keys(organizations))
	lists, err := reconcile.Each(ctx, r.server.parallel(), names, func(ctx context.Context, name string) ([]team, error) {
		all, err := list[team](ctx, r.client, path("orgs", name, "teams"))
		if absent(err) {
			return nil, nil
		}
		return all, err
	})
	if err != nil {
		return nil, err
	}
	keys := slices.Sorted(maps.Keys(want))
	teams, err := reconcile.Each(ctx, r.server.parallel(), keys, func(ctx context.Context, key string) (*team, error) {
		organization, name, _ := strings.Cut(key, "/")
		all := lists[slices.Index(names, organization)]
		n := slices.IndexFunc(all, func(t team) bool { return strings.EqualFold(t.Name, name) })
		if n < 0 {
			return nil, nil
		}
		t := all[n]
		if want[key].Members != nil {
			members, err := list[struct {
				Login string `json:"login"`
			}](ctx, r.client, path("teams", fmt.Sprint(t.ID), "members"))
			if err != nil {
				return nil, err
			}
			for _, m := range members {
				t.members = append(t.members, m.Login)
			}
		}
		if want[key].Repositories != nil {
			repositories, err := list[repository](ctx, r.client, path("teams", fmt.Sprint(t.ID), "repos"))
			if err != nil {
				return nil, err
			}
			for _, x := range repositories {
				t.repositories = append(t.repositories, x.Name)
			}
		}
		return &t, nil
	})
	if err != nil {
		return nil, err
	}
	for n, key := range keys {
		if teams[n] != nil {
			has[key] = *teams[n]
		}
	}
	return has, nil
}

func teamFields(w Team, h team, create bool) (f reconcile.Fields) {
	f.Text("description", w.Description, h.Description)
	// The server answers "none" for all but admin (1.26, CreateTeam and EditTeam), and the units say what holds.
	permission, on := w.access(create)
	f.Text("permission", summary(permission), summary(h.Permission))
	for _, unit := range slices.Sorted(maps.Keys(on)) {
		f.Text("units."+unit, on[unit], cmp.Or(h.Units[unit], "none"))
	}
	f.Flag("allRepositories", w.AllRepositories, h.All)
	f.Flag("createRepositories", w.CreateRepositories, h.Create)
	f.Set("members", lower(w.Members), lower(h.members))
	f.Set("repositories", lower(w.Repositories), lower(h.repositories))
	return f
}

// summary is what can be compared of a permission on everything.
func summary(permission string) string {
	if permission == "" || permission == "admin" || permission == "owner" {
		return permission
	}
	return "by unit"
}

// lower returns names in small letters, nil for nil: Gitea has one object of a name in whatever case.
func lower(names []string) []string {
	if names == nil {
		return nil
	}
	small := make([]string, len(names))
	for n, name := range names {
		small[n] = strings.ToLower(name)
	}
	return small
}

func (r *run) putTeam(ctx context.Context, key string, w Team, h *team) error {
	r.access.Lock()
	defer r.access.Unlock()
	organization, name, _ := strings.Cut(key, "/")
	permission, on := w.access(h == nil)
	body := map[string]any{"name": name}
	if w.Description != "" {
		body["description"] = w.Description
	}
	if permission != "" {
		body["permission"] = permission
	}
	if on != nil {
		body["units_map"] = on
	}
	if w.AllRepositories != nil {
		body["includes_all_repositories"] = *w.AllRepositories
		if permission == "" && h != nil && h.Permission != "owner" { // without it, the server leaves all repositories as they are
			body["permission"], body["units_map"] = "read", h.Units
			if h.Permission == "admin" {
				body["permission"] = "admin"
			}
		}
	}
	if w.CreateRepositories != nil {
		body["can_create_org_repo"] = *w.CreateRepositories
	}
	var is team
	if h == nil {
		if err := r.send(ctx, "POST", path("orgs", organization, "teams"), body, &is); err != nil {
			return err
		}
	} else if err := r.send(ctx, "PATCH", path("teams", fmt.Sprint(h.ID)), body, &is); err != nil {
		return err
	} else {
		is.members, is.repositories = h.members, h.repositories
	}
	members := func(name string) string { return path("teams", fmt.Sprint(is.ID), "members", name) }
	if err := r.membership(ctx, members, w.Members, is.members); err != nil {
		return err
	}
	repositories := func(name string) string { return path("teams", fmt.Sprint(is.ID), "repos", organization, name) }
	if err := r.membership(ctx, repositories, w.Repositories, is.repositories); err != nil {
		return err
	}
	is.members, is.repositories = w.Members, w.Repositories
	return r.kept("update team", key, teamFields(w, is, false), nil)
}

// membership adds what is wanted and not there, and removes what is there and not wanted. Nil wants nothing.
func (r *run) membership(ctx context.Context, path func(string) string, want, has []string) error {
	if want == nil {
		return nil
	}
	for _, name := range want {
		if !contains(has, name) {
			if err := r.send(ctx, "PUT", path(name), nil, nil); err != nil {
				return err
			}
		}
	}
	for _, name := range has {
		if !contains(want, name) {
			if err := r.send(ctx, "DELETE", path(name), nil, nil); err != nil && !absent(err) {
				return err
			}
		}
	}
	return nil
}
