package forgetest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"code.gitea.io/sdk/gitea"
)

func (s *Server) repositoryRoutes(mux *http.ServeMux) {
	n := need{category: "repository"}
	s.handle(mux, "GET /api/v1/repos/search", n, (*call).search)
	s.handle(mux, "GET /api/v1/repos/{owner}/{repo}", n, func(c *call) answer { return ok(c.repoShown(c.readable())) })
	s.handle(mux, "PATCH /api/v1/repos/{owner}/{repo}", n, (*call).editRepo)
	s.handle(mux, "GET /api/v1/orgs/{org}/repos", need{category: "organization"}, func(c *call) answer { return c.reposOf(c.organization()) })
	s.handle(mux, "GET /api/v1/users/{user}/repos", need{category: "user"}, func(c *call) answer { return c.reposOf(c.owner("user")) })
	s.handle(mux, "GET /api/v1/user/repos", need{category: "user"}, func(c *call) answer { return c.reposOf(c.doer) })
	s.handle(mux, "POST /api/v1/orgs/{org}/repos", need{category: "organization"}, func(c *call) answer {
		return c.createRepo(c.organization())
	})
	s.handle(mux, "POST /api/v1/admin/users/{user}/repos", need{category: "admin", admin: true}, func(c *call) answer {
		return c.createRepo(c.owner("user"))
	})
	s.handle(mux, "POST /api/v1/user/repos", need{category: "user"}, func(c *call) answer { return c.createRepo(c.doer) })
	s.handle(mux, "GET /api/v1/repos/{owner}/{repo}/topics", n, func(c *call) answer {
		topics, h := page(c, c.readable().topics)
		return answer{status: http.StatusOK, body: map[string][]string{"topics": topics}, header: h}
	})
	s.handle(mux, "PUT /api/v1/repos/{owner}/{repo}/topics", n, (*call).setTopics)
	s.handle(mux, "GET /api/v1/repos/{owner}/{repo}/branches", n, func(c *call) answer {
		return list(c, c.readable().branches, func(b string) map[string]any { return map[string]any{"name": b} })
	})
}

// may reports whether the account that asks may do at least this in a repository: read, write or admin.
func (c *call) may(r *repo, least string) bool {
	rank := map[string]int{"": 0, "read": 1, "write": 2, "admin": 3}
	if c.doer.user.IsAdmin || c.doer == r.owner || rank[r.collaborators[c.doer]] >= rank[least] {
		return true
	}
	if r.owner.org != nil {
		for _, t := range r.owner.teams {
			if slices.Contains(t.members, c.doer) && (t.IncludesAllRepositories || slices.Contains(t.repos, r)) &&
				(least == "read" || t.Permission == "owner" || t.Permission == "admin") {
				return true
			}
		}
	}
	return least == "read" && !r.Private && !c.doer.user.Restricted
}

// readable returns the repository of a path. One that the account may not read is not there for it.
func (c *call) readable() *repo {
	r := c.repository()
	if !c.may(r, "read") {
		panic(c.notFound())
	}
	return r
}

// managed returns the repository of a path, which the account may manage.
func (c *call) managed() *repo {
	r := c.readable()
	if !c.may(r, "admin") {
		panic(c.refuse(http.StatusForbidden, "user should be an owner or a collaborator with admin write of a repository"))
	}
	return r
}

// shownRepo is a repository with all of its units, of which the SDK leaves out those that it does not have.
type shownRepo struct {
	gitea.Repository
	HasReleases bool `json:"has_releases"`
	HasPackages bool `json:"has_packages"`
	HasActions  bool `json:"has_actions"`
}

// repoShown is a repository as the API shows it.
func (c *call) repoShown(r *repo) shownRepo {
	shown := r.Repository
	owner := c.shown(r.owner)
	shown.Owner, shown.FullName = &owner, owner.UserName+"/"+r.Name
	shown.HTMLURL = c.URL() + "/" + shown.FullName
	shown.URL, shown.CloneURL = c.URL()+"/api/v1/repos/"+shown.FullName, shown.HTMLURL+".git"
	shown.SSHURL = "git@127.0.0.1:" + shown.FullName + ".git"
	shown.Empty = len(r.branches) == 0
	shown.Topics = append([]string{}, r.topics...)
	shown.Licenses = []string{}
	shown.Permissions = &gitea.Permission{Admin: c.may(r, "admin"), Push: c.may(r, "write"), Pull: true}
	if !r.HasPullRequests { // how they may be merged is shown with them
		shown.AllowFastForwardOnlyMerge, shown.AllowMerge, shown.AllowRebase, shown.AllowRebaseMerge = false, false, false, false
		shown.AllowSquash = false
	}
	return shownRepo{shown, r.HasReleases, r.HasPackages, r.HasActions}
}

func (c *call) reposOf(a *account) answer {
	var found []*repo
	for _, r := range c.state.repos {
		if r.owner == a && c.may(r, "read") {
			found = append(found, r)
		}
	}
	return list(c, found, c.repoShown)
}

// search lists the repositories that the account may read, of all owners or of one (uid), by topic or by a part of the name.
func (c *call) search() answer {
	q := c.req.URL.Query()
	uid, _ := strconv.ParseInt(q.Get("uid"), 10, 64)
	var found []*repo
	for _, r := range c.state.repos {
		match := strings.Contains(strings.ToLower(r.Name), strings.ToLower(q.Get("q")))
		if q.Get("topic") == "true" {
			match = slices.Contains(r.topics, strings.ToLower(q.Get("q")))
		}
		if match && c.may(r, "read") && (uid == 0 || r.owner.user.ID == uid) {
			found = append(found, r)
		}
	}
	part, h := page(c, found)
	data := make([]shownRepo, len(part))
	for n, r := range part {
		data[n] = c.repoShown(r)
	}
	return answer{status: http.StatusOK, header: h, body: map[string]any{"ok": true, "data": data}}
}

func (c *call) newRepo(owner *account, name string) *repo {
	if c.state.repo(owner, name) != nil {
		panic(c.refuse(http.StatusConflict, "The repository with the same name already exists."))
	}
	if !c.doer.user.IsAdmin && c.doer != owner && !slices.ContainsFunc(owner.teams, func(t *team) bool {
		return t.CanCreateOrgRepo && slices.Contains(t.members, c.doer)
	}) {
		panic(c.refuse(http.StatusForbidden, "Given user is not allowed to create repository in organization."))
	}
	r := &repo{owner: owner, collaborators: map[*account]string{}, Repository: gitea.Repository{ID: c.state.id(), Name: name,
		DefaultBranch: "main", Created: now(), Updated: now(), ArchivedAt: time.Unix(0, 0).UTC(), HasIssues: true, HasCode: true, HasWiki: true,
		HasPullRequests: true, HasProjects: true, HasReleases: true, HasPackages: true, HasActions: true,
		AllowFastForwardOnlyMerge: true, AllowMerge: true, AllowRebase: true, AllowRebaseMerge: true, AllowRebaseUpdate: true,
		AllowSquash: true, DefaultMergeStyle: gitea.MergeStyleMerge, ObjectFormatName: "sha1"}}
	c.state.repos = append(c.state.repos, r)
	for _, t := range owner.teams {
		c.includeAll(t)
	}
	delete(c.state.movedTo, strings.ToLower(owner.user.UserName+"/"+name)) // a new one takes the name back
	return r
}

func (c *call) createRepo(owner *account) answer {
	var o gitea.CreateRepoOption
	c.read(&o)
	c.repoName("Name", o.Name)
	c.size("Description", o.Description, 2048)
	r := c.newRepo(owner, o.Name)
	r.Description, r.Private, r.Template = o.Description, o.Private, o.Template
	if o.DefaultBranch != "" {
		r.DefaultBranch = o.DefaultBranch
	}
	if o.AutoInit {
		r.branches = []string{r.DefaultBranch}
	}
	return created(c.repoShown(r))
}

func (c *call) editRepo() answer {
	r := c.managed()
	var o struct {
		gitea.EditRepoOption
		EnablePrune         *bool `json:"enable_prune"`
		AllowRebaseUpdate   *bool `json:"allow_rebase_update"`
		MaintainerEdit      *bool `json:"default_allow_maintainer_edit"`
		HasCode             *bool `json:"has_code"`
		AllowMaintainerEdit *bool `json:"allow_maintainer_edit"`
	}
	c.read(&o)
	if o.Name != nil && !strings.EqualFold(*o.Name, r.Name) {
		c.repoName("Name", *o.Name)
		if c.state.repo(r.owner, *o.Name) != nil {
			return c.refuse(http.StatusUnprocessableEntity, "repository already exists [uname: %s, name: %s]", r.owner.user.UserName, *o.Name)
		}
		c.state.movedTo[strings.ToLower(r.owner.user.UserName+"/"+r.Name)] = r
	}
	if o.MirrorInterval != nil && r.Mirror { // of any other repository, it is not looked at
		r.MirrorInterval = c.interval(*o.MirrorInterval, http.StatusUnprocessableEntity)
	}
	for _, text := range []struct{ to, from *string }{{&r.Name, o.Name}, {&r.Description, o.Description}, {&r.Website, o.Website}} {
		if text.from != nil {
			*text.to = *text.from
		}
	}
	for _, flag := range []struct{ to, from *bool }{{&r.Private, o.Private}, {&r.Template, o.Template}, {&r.HasIssues, o.HasIssues},
		{&r.HasWiki, o.HasWiki}, {&r.HasPullRequests, o.HasPullRequests}, {&r.HasProjects, o.HasProjects},
		{&r.HasReleases, o.HasReleases}, {&r.HasPackages, o.HasPackages}, {&r.HasActions, o.HasActions}, {&r.HasCode, o.HasCode},
		{&r.IgnoreWhitespaceConflicts, o.IgnoreWhitespaceConflicts}, {&r.AllowFastForwardOnlyMerge, o.AllowFastForwardOnlyMerge},
		{&r.AllowMerge, o.AllowMerge}, {&r.AllowRebase, o.AllowRebase}, {&r.AllowRebaseMerge, o.AllowRebaseMerge},
		{&r.AllowRebaseUpdate, o.AllowRebaseUpdate}, {&r.AllowSquash, o.AllowSquash}, {&r.Archived, o.Archived},
		{&r.DefaultDeleteBranchAfterMerge, o.DefaultDeleteBranchAfterMerge}} {
		if flag.from != nil {
			*flag.to = *flag.from
		}
	}
	if o.DefaultMergeStyle != nil {
		r.DefaultMergeStyle = *o.DefaultMergeStyle
	}
	// A branch that does not exist is not an error, and is not taken.
	if b := o.DefaultBranch; b != nil && (len(r.branches) == 0 || slices.Contains(r.branches, *b)) {
		r.DefaultBranch = *b
	}
	r.Updated = now()
	return ok(c.repoShown(r))
}

func (c *call) setTopics() answer {
	r := c.managed()
	var o struct {
		Topics []string `json:"topics"`
	}
	c.read(&o)
	var topics, invalid []string
	for _, t := range o.Topics {
		t = strings.TrimSpace(strings.ToLower(t))
		switch {
		case t == "" || slices.Contains(topics, t):
		case len(t) > 35 || !topicName.MatchString(t):
			invalid = append(invalid, t)
		default:
			topics = append(topics, t)
		}
	}
	if len(topics) > 25 {
		return answer{status: http.StatusUnprocessableEntity, body: map[string]any{"invalidTopics": nil,
			"message": "Exceeding maximum number of topics per repo"}}
	}
	if invalid != nil {
		return answer{status: http.StatusUnprocessableEntity, body: map[string]any{"invalidTopics": invalid,
			"message": "Topic names are invalid"}}
	}
	slices.Sort(topics)
	r.topics = topics
	return done
}
