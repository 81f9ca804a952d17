package forgetest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"code.gitea.io/sdk/gitea"
)

func (s *Server) mirrorRoutes(mux *http.ServeMux) {
	const of = " /api/v1/repos/{owner}/{repo}"
	n := need{category: "repository"}
	s.handle(mux, "POST /api/v1/repos/migrate", n, (*call).migrate)
	s.handle(mux, "POST"+of+"/mirror-sync", n, func(c *call) answer {
		if r := c.managed(); !r.Mirror {
			return c.refuse(http.StatusBadRequest, "Repository is not a mirror")
		}
		return answer{status: http.StatusOK}
	})
	s.handle(mux, "GET"+of+"/push_mirrors", n, func(c *call) answer {
		return list(c, c.managed().pushMirrors, itself[gitea.PushMirrorResponse])
	})
	s.handle(mux, "POST"+of+"/push_mirrors", n, (*call).addPushMirror)
	s.handle(mux, "DELETE"+of+"/push_mirrors/{name}", n, func(c *call) answer { // of one that is not there, it says the same
		r := c.managed()
		r.pushMirrors, _ = without(r.pushMirrors, func(m *gitea.PushMirrorResponse) bool { return m.RemoteName == c.req.PathValue("name") })
		return done
	})
}

// interval returns an interval of a mirror as the server writes it. It refuses one below 10 minutes (MIN_INTERVAL),
// but for 0, which is never.
func (c *call) interval(text string, refusal int) string {
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(c.refuse(refusal, "%v", err))
	}
	if d != 0 && d < 10*time.Minute {
		panic(c.refuse(refusal, "invalid mirror interval: %s is below minimum interval: 10m0s", d))
	}
	return d.String()
}

// migrate makes a repository from another. What cannot be cloned is at port 1 (tcpmux): as the real server, it leaves an
// empty repository behind then, which says that it is a mirror and has no interval.
func (c *call) migrate() answer {
	var o gitea.MigrateRepoOption
	c.read(&o)
	c.required("CloneAddr", o.CloneAddr)
	c.repoName("RepoName", o.RepoName)
	owner := c.doer
	if o.RepoOwner != "" {
		if owner = c.state.account(o.RepoOwner); owner == nil {
			return c.refuse(http.StatusUnprocessableEntity, "user does not exist [uid: 0, name: %s]", o.RepoOwner)
		}
	}
	from, err := url.Parse(o.CloneAddr)
	if err != nil || from.Host == "" || strings.HasSuffix(from.Hostname(), ".invalid") { // no name has this end (RFC 2606)
		return c.refuse(http.StatusUnprocessableEntity, "You can not import from disallowed hosts.")
	}
	if from.Scheme != "http" && from.Scheme != "https" && from.Scheme != "git" {
		return c.refuse(http.StatusUnprocessableEntity,
			"migration/cloning from '%s' is not allowed: the provided url protocol is not allowed", from.Hostname())
	}
	interval := ""
	if o.Mirror {
		interval = "8h0m0s" // DEFAULT_INTERVAL
		if d, err := time.ParseDuration(o.MirrorInterval); err == nil && d >= 10*time.Minute {
			interval = d.String()
		}
	}
	r := c.newRepo(owner, o.RepoName)
	r.Description, r.Private, r.Mirror, r.OriginalURL = o.Description, o.Private, o.Mirror, o.CloneAddr
	r.clonedWith = o.AuthPassword + o.AuthToken
	if o.Mirror {
		r.HasActions, r.HasPullRequests = false, false
	}
	if from.Port() == "1" {
		return c.refuse(http.StatusUnprocessableEntity,
			"Migration failed: clone error: exit status 128 - fatal: unable to access '%s/': Couldn't connect to server.", o.CloneAddr)
	}
	r.branches, r.MirrorInterval = []string{"main"}, interval
	if owner, name, ok := strings.Cut(strings.TrimSuffix(strings.Trim(from.Path, "/"), ".git"), "/"); ok { // one of our own
		if a := c.state.account(owner); a != nil {
			if source := c.state.repo(a, name); source != nil && len(source.branches) > 0 {
				r.branches, r.DefaultBranch = slices.Clone(source.branches), source.DefaultBranch
			}
		}
	}
	return created(c.repoShown(r))
}

func (c *call) addPushMirror() answer {
	r := c.managed()
	var o gitea.CreatePushMirrorOption
	c.read(&o)
	interval := c.interval(o.Interval, http.StatusBadRequest)
	to, err := url.Parse(o.RemoteAddress)
	if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" {
		return c.refuse(http.StatusBadRequest, "Invalid mirror protocol")
	}
	to.User = nil
	name := "remote_mirror_" + randomHex(5)
	m := &gitea.PushMirrorResponse{RemoteName: name, RemoteAddress: to.String(), RepoName: r.Name, Interval: interval,
		Created: now().Format(time.RFC3339), LastUpdate: time.Unix(0, 0).UTC().Format(time.RFC3339), SyncONCommit: o.SyncONCommit}
	r.pushMirrors = append(r.pushMirrors, m)
	return ok(*m)
}
