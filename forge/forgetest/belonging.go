package forgetest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"code.gitea.io/sdk/gitea"
)

// belongingRoutes are for what belongs to a repository: collaborators, rules about branches, deploy keys, webhooks.
func (s *Server) belongingRoutes(mux *http.ServeMux) {
	const of = " /api/v1/repos/{owner}/{repo}"
	n := need{category: "repository"}
	s.handle(mux, "GET"+of+"/collaborators", n, func(c *call) answer {
		r := c.readable()
		all := slices.SortedFunc(maps.Keys(r.collaborators), func(a, b *account) int { return int(a.user.ID - b.user.ID) })
		return list(c, all, c.shown)
	})
	s.handle(mux, "GET"+of+"/collaborators/{user}/permission", n, func(c *call) answer {
		r, a := c.readable(), c.person()
		permission := r.collaborators[a]
		if a.user.IsAdmin || a == r.owner {
			permission = "owner"
		} else if permission == "" {
			permission = "none"
		}
		u := c.shown(a)
		return ok(gitea.CollaboratorPermissionResult{Permission: gitea.AccessMode(permission), Role: permission, User: &u})
	})
	s.handle(mux, "PUT"+of+"/collaborators/{user}", n, (*call).addCollaborator)
	s.handle(mux, "DELETE"+of+"/collaborators/{user}", n, func(c *call) answer {
		delete(c.managed().collaborators, c.person())
		return done
	})
	s.handle(mux, "GET"+of+"/branch_protections", n, func(c *call) answer {
		all := c.managed().protections // not by pages
		shown := make([]gitea.BranchProtection, len(all))
		for n, p := range all {
			shown[n] = *p
		}
		return ok(shown)
	})
	s.handle(mux, "POST"+of+"/branch_protections", n, (*call).protect)
	s.handle(mux, "PATCH"+of+"/branch_protections/{name...}", n, (*call).editProtection)
	s.handle(mux, "DELETE"+of+"/branch_protections/{name...}", n, func(c *call) (a answer) {
		r, found := c.managed(), false
		r.protections, found = without(r.protections, func(p *gitea.BranchProtection) bool { return p.RuleName == c.req.PathValue("name") })
		return c.removed(found)
	})
	s.handle(mux, "GET"+of+"/keys", n, func(c *call) answer { return list(c, c.managed().keys, itself[gitea.DeployKey]) })
	s.handle(mux, "POST"+of+"/keys", n, (*call).addDeployKey)
	s.handle(mux, "DELETE"+of+"/keys/{id}", n, func(c *call) answer { // of a key that is not there, it says the same
		r := c.managed()
		r.keys, _ = without(r.keys, func(k *gitea.DeployKey) bool { return k.ID == c.number("id") })
		return done
	})
	s.handle(mux, "GET"+of+"/hooks", n, func(c *call) answer { return list(c, c.managed().hooks, shownHook) })
	s.handle(mux, "POST"+of+"/hooks", n, (*call).addHook)
	s.handle(mux, "PATCH"+of+"/hooks/{id}", n, (*call).editHook)
	s.handle(mux, "DELETE"+of+"/hooks/{id}", n, func(c *call) (a answer) {
		r, found := c.managed(), false
		r.hooks, found = without(r.hooks, func(h *gitea.Hook) bool { return h.ID == c.number("id") })
		return c.removed(found)
	})
}

// removed answers to the removal of what was found or not.
func (c *call) removed(found bool) answer {
	if !found {
		return c.notFound()
	}
	return done
}

func (c *call) addCollaborator() answer {
	r, a := c.managed(), c.state.account(c.req.PathValue("user"))
	if a == nil {
		return c.refuse(http.StatusUnprocessableEntity, "user does not exist [uid: 0, name: %s]", c.req.PathValue("user"))
	}
	var o gitea.AddCollaboratorOption
	c.read(&o)
	permission := "write"
	if o.Permission != nil {
		permission = string(*o.Permission)
	}
	if a == r.owner {
		return c.refuse(http.StatusForbidden, "the owner cannot be a collaborator")
	}
	r.collaborators[a] = permission
	return done
}

// known refuses users and teams that do not exist.
func (c *call) known(r *repo, users, teams []string) {
	for _, name := range users {
		if a := c.state.account(name); a == nil || a.org != nil {
			panic(c.refuse(http.StatusUnprocessableEntity, "user does not exist [uid: 0, name: %s]", name))
		}
	}
	for _, name := range teams {
		if !slices.ContainsFunc(r.owner.teams, func(t *team) bool { return strings.EqualFold(t.Name, name) }) {
			panic(c.refuse(http.StatusUnprocessableEntity, "team does not exist [org_id: %d, team_name: %s]", r.owner.user.ID, name))
		}
	}
}

// able leaves out users that may not do at least this in the repository: the server does so without a word.
func (c *call) able(r *repo, least string, users []string) []string {
	able := []string{}
	for _, name := range users {
		if as := (&call{Server: c.Server, doer: c.state.account(name)}); as.may(r, least) {
			able = append(able, as.doer.user.UserName)
		}
	}
	return able
}

// protectionOptions are those of CreateBranchProtectionOption of Gitea, of which the SDK lacks some.
type protectionOptions struct {
	gitea.CreateBranchProtectionOption
	Priority                     int64    `json:"priority"`
	EnableForcePush              bool     `json:"enable_force_push"`
	EnableForcePushAllowlist     bool     `json:"enable_force_push_allowlist"`
	ForcePushAllowlistUsernames  []string `json:"force_push_allowlist_usernames"`
	ForcePushAllowlistTeams      []string `json:"force_push_allowlist_teams"`
	ForcePushAllowlistDeployKeys bool     `json:"force_push_allowlist_deploy_keys"`
	IgnoreStaleApprovals         bool     `json:"ignore_stale_approvals"`
}

// unarchived returns the repository that is asked for, for what an archived one refuses.
func (c *call) unarchived() *repo {
	r := c.managed()
	if r.Archived {
		panic(c.refuse(http.StatusLocked, "%s is archived", r.FullName))
	}
	return r
}

func (c *call) protect() answer {
	r := c.unarchived()
	var o protectionOptions
	c.read(&o)
	name := o.RuleName
	if name == "" {
		name = o.BranchName
	}
	if name == "" {
		return c.refuse(http.StatusBadRequest, "both rule_name and branch_name are empty")
	}
	if slices.ContainsFunc(r.protections, func(p *gitea.BranchProtection) bool { return p.RuleName == name }) {
		return c.refuse(http.StatusForbidden, "Branch protection already exist")
	}
	c.known(r, slices.Concat(o.PushWhitelistUsernames, o.MergeWhitelistUsernames, o.ApprovalsWhitelistUsernames),
		slices.Concat(o.PushWhitelistTeams, o.MergeWhitelistTeams, o.ApprovalsWhitelistTeams))
	p := &gitea.BranchProtection{RuleName: name, Created: now(), Updated: now(), EnablePush: o.EnablePush,
		EnablePushWhitelist: o.EnablePush && o.EnablePushWhitelist, PushWhitelistUsernames: c.able(r, "write", o.PushWhitelistUsernames),
		PushWhitelistTeams:      append([]string{}, o.PushWhitelistTeams...),
		PushWhitelistDeployKeys: o.EnablePush && o.EnablePushWhitelist && o.PushWhitelistDeployKeys,
		EnableMergeWhitelist:    o.EnableMergeWhitelist, MergeWhitelistUsernames: c.able(r, "write", o.MergeWhitelistUsernames),
		MergeWhitelistTeams: append([]string{}, o.MergeWhitelistTeams...), EnableStatusCheck: o.EnableStatusCheck,
		StatusCheckContexts: o.StatusCheckContexts, RequiredApprovals: max(0, o.RequiredApprovals),
		EnableApprovalsWhitelist:    o.EnableApprovalsWhitelist,
		ApprovalsWhitelistUsernames: c.able(r, "read", o.ApprovalsWhitelistUsernames),
		ApprovalsWhitelistTeams:     append([]string{}, o.ApprovalsWhitelistTeams...),
		BlockOnRejectedReviews:      o.BlockOnRejectedReviews, BlockOnOfficialReviewRequests: o.BlockOnOfficialReviewRequests,
		BlockOnOutdatedBranch: o.BlockOnOutdatedBranch, DismissStaleApprovals: o.DismissStaleApprovals,
		RequireSignedCommits: o.RequireSignedCommits, ProtectedFilePatterns: o.ProtectedFilePatterns,
		UnprotectedFilePatterns: o.UnprotectedFilePatterns, BlockAdminMergeOverride: o.BlockAdminMergeOverride}
	if !strings.ContainsAny(name, `*?[]{}\`) {
		p.BranchName = name
	}
	r.protections = append(r.protections, p)
	return created(*p)
}

func (c *call) editProtection() answer {
	r := c.unarchived()
	n := slices.IndexFunc(r.protections, func(p *gitea.BranchProtection) bool { return p.RuleName == c.req.PathValue("name") })
	if n < 0 {
		return c.notFound()
	}
	p := r.protections[n]
	var o struct {
		gitea.EditBranchProtectionOption
		Priority             *int64 `json:"priority"`
		EnableForcePush      *bool  `json:"enable_force_push"`
		IgnoreStaleApprovals *bool  `json:"ignore_stale_approvals"`
	}
	c.read(&o)
	c.known(r, slices.Concat(o.PushWhitelistUsernames, o.MergeWhitelistUsernames, o.ApprovalsWhitelistUsernames),
		slices.Concat(o.PushWhitelistTeams, o.MergeWhitelistTeams, o.ApprovalsWhitelistTeams))
	for _, flag := range []struct{ to, from *bool }{{&p.EnablePush, o.EnablePush}, {&p.EnablePushWhitelist, o.EnablePushWhitelist},
		{&p.PushWhitelistDeployKeys, o.PushWhitelistDeployKeys}, {&p.EnableMergeWhitelist, o.EnableMergeWhitelist},
		{&p.EnableStatusCheck, o.EnableStatusCheck}, {&p.EnableApprovalsWhitelist, o.EnableApprovalsWhitelist},
		{&p.BlockOnRejectedReviews, o.BlockOnRejectedReviews}, {&p.BlockOnOfficialReviewRequests, o.BlockOnOfficialReviewRequests},
		{&p.BlockOnOutdatedBranch, o.BlockOnOutdatedBranch}, {&p.DismissStaleApprovals, o.DismissStaleApprovals},
		{&p.RequireSignedCommits, o.RequireSignedCommits}, {&p.BlockAdminMergeOverride, o.BlockAdminMergeOverride}} {
		if flag.from != nil {
			*flag.to = *flag.from
		}
	}
	if !p.EnablePush {
		p.EnablePushWhitelist = false
	}
	if !p.EnablePushWhitelist {
		p.PushWhitelistDeployKeys = false
	}
	for _, names := range []struct {
		to   *[]string
		from []string
	}{{&p.PushWhitelistTeams, o.PushWhitelistTeams}, {&p.MergeWhitelistTeams, o.MergeWhitelistTeams},
		{&p.ApprovalsWhitelistTeams, o.ApprovalsWhitelistTeams}, {&p.StatusCheckContexts, o.StatusCheckContexts}} {
		if names.from != nil {
			*names.to = names.from
		}
	}
	for _, names := range []struct {
		to    *[]string
		least string
		from  []string
	}{{&p.PushWhitelistUsernames, "write", o.PushWhitelistUsernames}, {&p.MergeWhitelistUsernames, "write", o.MergeWhitelistUsernames},
		{&p.ApprovalsWhitelistUsernames, "read", o.ApprovalsWhitelistUsernames}} {
		if names.from != nil {
			*names.to = c.able(r, names.least, names.from)
		}
	}
	if o.RequiredApprovals != nil {
		p.RequiredApprovals = max(0, *o.RequiredApprovals)
	}
	if o.ProtectedFilePatterns != nil {
		p.ProtectedFilePatterns = *o.ProtectedFilePatterns
	}
	if o.UnprotectedFilePatterns != nil {
		p.UnprotectedFilePatterns = *o.UnprotectedFilePatterns
	}
	p.Updated = now()
	return ok(*p)
}

func (c *call) addDeployKey() answer {
	r := c.managed()
	var o gitea.CreateKeyOption
	c.read(&o)
	c.required("Title", o.Title)
	c.required("Key", o.Key)
	fingerprint := c.fingerprint(o.Key)
	for _, k := range r.keys {
		if k.Fingerprint == fingerprint {
			return c.refuse(http.StatusUnprocessableEntity, "This key has already been added to this repository")
		}
		if k.Title == o.Title {
			return c.refuse(http.StatusUnprocessableEntity, "A key with the same name already exists")
		}
	}
	k := &gitea.DeployKey{ID: c.state.id(), KeyID: c.state.id(), Key: strings.TrimSpace(o.Key), Title: o.Title,
		Fingerprint: fingerprint, Created: now(), ReadOnly: o.ReadOnly}
	r.keys = append(r.keys, k)
	return created(*k)
}

// shownHook is a webhook without its secret, which is never shown.
func shownHook(h *gitea.Hook) any {
	shown := *h
	shown.Config = maps.Clone(h.Config)
	delete(shown.Config, "secret")
	return struct {
		gitea.Hook
		Name string `json:"name"`
	}{Hook: shown}
}

// events are those that the server knows, and issueEvents and pullEvents those that "issues" and "pull_request" stand for.
var (
	events      = strings.Fields("create push delete fork repository wiki release package status workflow_run workflow_job")
	issueEvents = strings.Fields("issue_assign issue_label issue_milestone issue_comment")
	pullEvents  = strings.Fields(`pull_request_assign pull_request_label pull_request_milestone pull_request_comment
		pull_request_review pull_request_review_request pull_request_sync`)
)

// eventsOf returns the events that those of a request stand for, as routers/api/v1/utils/hook.go of Gitea does: none
// means push, and one that it does not know means nothing.
func eventsOf(asked []string) (all []string) {
	if len(asked) == 0 {
		asked = []string{"push"}
	}
	group := func(whole, only, name string, others []string) {
		if slices.Contains(asked, whole) || slices.Contains(asked, only) {
			all = append(all, name)
		}
		for _, e := range others {
			if slices.Contains(asked, whole) || slices.Contains(asked, e) {
				all = append(all, e)
			}
		}
	}
	group("issues", "issues_only", "issues", issueEvents)
	group("pull_request", "pull_request_only", "pull_request", pullEvents)
	for _, e := range events {
		if slices.Contains(asked, e) {
			all = append(all, e)
		}
	}
	return all
}

func (c *call) validHook(config map[string]string) {
	if u, err := url.ParseRequestURI(config["url"]); err != nil || u.Scheme != "http" && u.Scheme != "https" {
		panic(c.refuse(http.StatusUnprocessableEntity, "Invalid url"))
	}
	if t := config["content_type"]; t != "json" && t != "form" {
		panic(c.refuse(http.StatusUnprocessableEntity, "Invalid content type"))
	}
}

func (c *call) addHook() answer {
	r := c.managed()
	var o struct {
		gitea.CreateHookOption
		Name string `json:"name"`
	}
	c.read(&o)
	c.required("Type", string(o.Type))
	for _, name := range []string{"url", "content_type"} {
		if _, given := o.Config[name]; !given {
			return c.refuse(http.StatusUnprocessableEntity, "Missing config option: %s", name)
		}
	}
	c.validHook(o.Config)
	h := &gitea.Hook{ID: c.state.id(), Type: string(o.Type), BranchFilter: o.BranchFilter, Config: o.Config,
		Events: eventsOf(o.Events), AuthorizationHeader: o.AuthorizationHeader, Active: o.Active, Created: now(), Updated: now()}
	r.hooks = append(r.hooks, h)
	return created(shownHook(h))
}

// editHook changes all of a webhook but its secret, of which it takes no notice.
func (c *call) editHook() answer {
	r := c.managed()
	n := slices.IndexFunc(r.hooks, func(h *gitea.Hook) bool { return h.ID == c.number("id") })
	if n < 0 {
		return c.notFound()
	}
	h := r.hooks[n]
	var o struct {
		gitea.EditHookOption
		Name *string `json:"name"`
	}
	c.read(&o)
	config := maps.Clone(h.Config)
	for _, name := range []string{"url", "content_type"} {
		if v, given := o.Config[name]; given {
			config[name] = v
		}
	}
	c.validHook(config)
	h.Config, h.Events, h.BranchFilter, h.AuthorizationHeader = config, eventsOf(o.Events), o.BranchFilter, o.AuthorizationHeader
	if o.Active != nil {
		h.Active = *o.Active
	}
	h.Updated = now()
	return ok(shownHook(h))
}
