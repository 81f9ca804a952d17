package forgetest

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"code.gitea.io/sdk/gitea"
)

func (s *Server) organizationRoutes(mux *http.ServeMux) {
	n := need{category: "organization"}
	team := func(f func(*call, *team) answer) func(*call) answer {
		return func(c *call) answer { return f(c, c.team()) }
	}
	s.handle(mux, "GET /api/v1/orgs", n, func(c *call) answer { return list(c, c.state.all(true), organization) })
	s.handle(mux, "GET /api/v1/admin/orgs", need{category: "admin", admin: true}, func(c *call) answer {
		return list(c, c.state.all(true), organization)
	})
	s.handle(mux, "POST /api/v1/orgs", n, (*call).createOrganization)
	s.handle(mux, "GET /api/v1/orgs/{org}", n, func(c *call) answer { return ok(*c.organization().org) })
	s.handle(mux, "PATCH /api/v1/orgs/{org}", n, (*call).editOrganization)
	s.handle(mux, "POST /api/v1/orgs/{org}/rename", n, func(c *call) answer {
		var o struct {
			NewName string `json:"new_name"`
		}
		c.read(&o)
		return c.rename(c.organization(), o.NewName)
	})
	s.handle(mux, "GET /api/v1/orgs/{org}/teams", n, func(c *call) answer {
		teams := slices.SortedFunc(slices.Values(c.organization().teams), func(a, b *teamOf) int {
			return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
		})
		return list(c, teams, func(t *teamOf) gitea.Team { return t.listed() })
	})
	s.handle(mux, "POST /api/v1/orgs/{org}/teams", n, (*call).createTeam)
	s.handle(mux, "GET /api/v1/teams/{id}", n, team(func(c *call, t *teamOf) answer { return ok(t.Team) }))
	s.handle(mux, "PATCH /api/v1/teams/{id}", n, team((*call).editTeam))
	s.handle(mux, "GET /api/v1/teams/{id}/members", n, team(func(c *call, t *teamOf) answer { return list(c, t.members, c.shown) }))
	s.handle(mux, "PUT /api/v1/teams/{id}/members/{user}", n, team(func(c *call, t *teamOf) answer {
		if a := c.person(); !slices.Contains(t.members, a) {
			t.members = append(t.members, a)
		}
		return done
	}))
	s.handle(mux, "DELETE /api/v1/teams/{id}/members/{user}", n, team(func(c *call, t *teamOf) answer {
		a := c.person()
		if t.Name == "Owners" && len(t.members) == 1 && t.members[0] == a {
			return c.refuse(http.StatusInternalServerError, "user is the last member of owner team [uid: %d]", a.user.ID)
		}
		t.members, _ = without(t.members, func(m *account) bool { return m == a })
		return done
	}))
	s.handle(mux, "GET /api/v1/teams/{id}/repos", n, team(func(c *call, t *teamOf) answer { return list(c, t.repos, c.repoShown) }))
	s.handle(mux, "PUT /api/v1/teams/{id}/repos/{owner}/{repo}", n, team(func(c *call, t *teamOf) answer {
		r := c.repository()
		if r.owner.org == nil || r.owner.org.ID != t.Organization.ID {
			return c.notFound()
		}
		if !slices.Contains(t.repos, r) {
			t.repos = append(t.repos, r)
		}
		return done
	}))
	s.handle(mux, "DELETE /api/v1/teams/{id}/repos/{owner}/{repo}", n, team(func(c *call, t *teamOf) answer {
		r := c.repository()
		t.repos, _ = without(t.repos, func(other *repo) bool { return other == r })
		return done
	}))
}

// teamOf is the type, where team is a function.
type teamOf = team

func organization(a *account) gitea.Organization { return *a.org }

func (c *call) createOrganization() answer {
	var o gitea.CreateOrgOption
	c.read(&o)
	c.newAccount("UserName", o.Name)
	c.size("FullName", o.FullName, 100)
	c.size("Description", o.Description, 255)
	if o.Visibility == "" {
		o.Visibility = gitea.VisibleTypePublic
	}
	a := &account{user: gitea.User{ID: c.state.id(), UserName: o.Name, Created: now()}}
	//lint:ignore SA1019 the server still answers UserName
	a.org = &gitea.Organization{ID: a.user.ID, Name: o.Name, UserName: o.Name, FullName: o.FullName, Email: o.Email,
		Description: o.Description, Website: o.Website, Location: o.Location, Visibility: string(o.Visibility),
		RepoAdminChangeTeamAccess: o.RepoAdminChangeTeamAccess}
	owners := &team{Team: gitea.Team{ID: c.state.id(), Name: "Owners", Organization: a.org, Permission: "owner",
		CanCreateOrgRepo: true, IncludesAllRepositories: true}, members: []*account{c.doer}}
	owners.grant("owner", nil)
	a.teams = append(a.teams, owners)
	c.state.accounts[strings.ToLower(o.Name)] = a
	return created(*a.org)
}

func (c *call) editOrganization() answer {
	a := c.organization()
	var o struct {
		FullName                  *string `json:"full_name"`
		Email                     *string `json:"email"`
		Description               *string `json:"description"`
		Website                   *string `json:"website"`
		Location                  *string `json:"location"`
		Visibility                *string `json:"visibility"`
		RepoAdminChangeTeamAccess *bool   `json:"repo_admin_change_team_access"`
	}
	c.read(&o)
	if o.Visibility != nil && *o.Visibility == "" {
		o.Visibility = nil
	}
	for _, text := range []struct{ to, from *string }{{&a.org.FullName, o.FullName}, {&a.org.Email, o.Email},
		{&a.org.Description, o.Description}, {&a.org.Website, o.Website}, {&a.org.Location, o.Location},
		{&a.org.Visibility, o.Visibility}} {
		if text.from != nil {
			*text.to = *text.from
		}
	}
	if o.RepoAdminChangeTeamAccess != nil {
		a.org.RepoAdminChangeTeamAccess = *o.RepoAdminChangeTeamAccess
	}
	return ok(*a.org)
}

// units are what a team may have permissions on.
var units = []string{"repo.actions", "repo.code", "repo.ext_issues", "repo.ext_wiki", "repo.issues", "repo.packages",
	"repo.projects", "repo.pulls", "repo.releases", "repo.wiki"}

// team returns the team of a path.
func (c *call) team() *team {
	for _, a := range c.state.accounts {
		for _, t := range a.teams {
			if t.ID == c.number("id") {
				return t
			}
		}
	}
	panic(c.notFound())
}

// grant sets what a team may do: on all units, or on each of some.
func (t *team) grant(permission string, each map[string]string) {
	t.Permission, t.UnitsMap, t.Units = gitea.AccessMode(permission), map[string]string{}, nil
	if permission == "admin" || permission == "owner" {
		each = map[string]string{}
		for _, u := range units {
			each[u] = permission
		}
	} else {
		t.Permission = "none" // of a team with units: each has its own
	}
	for _, u := range slices.Sorted(maps.Keys(each)) {
		t.UnitsMap[u] = each[u]
		t.Units = append(t.Units, gitea.RepoUnitType(u))
	}
}

// includeAll gives a team all repositories of its organization, if it shall have them.
func (c *call) includeAll(t *team) {
	for _, r := range c.state.repos {
		if t.IncludesAllRepositories && r.owner.org == t.Organization && !slices.Contains(t.repos, r) {
			t.repos = append(t.repos, r)
		}
	}
}

// listed is a team as it is where its organization is known.
func (t *team) listed() gitea.Team {
	shown := t.Team
	shown.Organization = nil
	return shown
}

// unitsOf returns the permissions of units that a request asks for: unit by unit, or one on a list of them.
func (c *call) unitsOf(permission string, list []gitea.RepoUnitType, each map[string]string) map[string]string {
	if len(each) > 0 {
		return each
	}
	each = map[string]string{}
	for _, u := range list {
		each[string(u)] = permission
	}
	return each
}

func (c *call) createTeam() answer {
	a := c.organization()
	var o gitea.CreateTeamOption
	c.read(&o)
	c.repoName("Name", o.Name)
	c.size("Description", o.Description, 255)
	for _, t := range a.teams {
		if strings.EqualFold(t.Name, o.Name) {
			return c.refuse(http.StatusUnprocessableEntity, "team already exists [org_id: %d, name: %s]", a.user.ID, strings.ToLower(o.Name))
		}
	}
	each := c.unitsOf(string(o.Permission), o.Units, o.UnitsMap)
	if len(each) == 0 && o.Permission != "admin" {
		return c.refuse(http.StatusInternalServerError, "units permission should not be empty")
	}
	t := &team{Team: gitea.Team{ID: c.state.id(), Name: o.Name, Description: o.Description, Organization: a.org,
		CanCreateOrgRepo: o.CanCreateOrgRepo, IncludesAllRepositories: o.IncludesAllRepositories}}
	t.grant(string(o.Permission), each)
	c.includeAll(t)
	a.teams = append(a.teams, t)
	return created(t.Team)
}

func (c *call) editTeam(t *team) answer {
	var o gitea.EditTeamOption
	c.read(&o)
	if o.Name != "" {
		t.Name = o.Name
	}
	if o.Description != nil {
		t.Description = *o.Description
	}
	if o.CanCreateOrgRepo != nil {
		t.CanCreateOrgRepo = t.Name == "Owners" || *o.CanCreateOrgRepo
	}
	if t.Name == "Owners" {
		return ok(t.Team)
	}
	if o.IncludesAllRepositories != nil && o.Permission != "" { // without a permission, it is not looked at
		t.IncludesAllRepositories = *o.IncludesAllRepositories
		c.includeAll(t)
	}
	switch each := c.unitsOf(string(o.Permission), o.Units, o.UnitsMap); {
	case o.Permission == "admin":
		t.grant("admin", nil)
	case len(each) > 0:
		t.grant(string(o.Permission), each)
	}
	return ok(t.Team)
}
