package forgetest

import (
	"net/http"
	"slices"
	"strings"

	"code.gitea.io/sdk/gitea"
)

// level is where secrets, variables and runners of Actions are: a repository, an organization, a user or the server.
type level struct {
	actions *actions
	owner   *account // nil: of the server, or of a repository
	repo    *repo
}

func (s *Server) actionsRoutes(mux *http.ServeMux) {
	for _, l := range []struct {
		path  string
		need  need
		level func(*call) level
		lists bool // secrets are listed
	}{
		{"/repos/{owner}/{repo}", need{category: "repository"}, func(c *call) level {
			r := c.managed()
			return level{actions: &r.actions, repo: r}
		}, true},
		{"/orgs/{org}", need{category: "organization"}, func(c *call) level {
			a := c.organization()
			return level{actions: &a.actions, owner: a}
		}, true},
		{"/user", need{category: "user"}, func(c *call) level { return level{actions: &c.doer.actions, owner: c.doer} }, false},
	} {
		in := func(f func(*call, level) answer) func(*call) answer {
			return func(c *call) answer { return f(c, l.level(c)) }
		}
		path := " /api/v1" + l.path + "/actions/"
		if l.lists { // nobody is told the names of a user's secrets
			s.handle(mux, "GET"+path+"secrets", l.need, in(func(c *call, l level) answer {
				return list(c, l.actions.secrets, itself[secret])
			}))
		}
		s.handle(mux, "PUT"+path+"secrets/{name}", l.need, in((*call).putSecret))
		s.handle(mux, "DELETE"+path+"secrets/{name}", l.need, in((*call).deleteSecret))
		s.handle(mux, "GET"+path+"variables", l.need, in(func(c *call, l level) answer {
			return list(c, l.actions.variables, itself[variable])
		}))
		s.handle(mux, "GET"+path+"variables/{name}", l.need, in(func(c *call, l level) answer { return ok(*c.variable(l)) }))
		s.handle(mux, "POST"+path+"variables/{name}", l.need, in((*call).createVariable))
		s.handle(mux, "PUT"+path+"variables/{name}", l.need, in((*call).updateVariable))
		s.handle(mux, "DELETE"+path+"variables/{name}", l.need, in(func(c *call, l level) answer {
			v := c.variable(l)
			l.actions.variables, _ = without(l.actions.variables, func(other *variable) bool { return other == v })
			return done
		}))
		s.runnerRoutes(mux, path, l.need, l.level)
	}
	site := need{category: "admin", admin: true}
	s.runnerRoutes(mux, " /api/v1/admin/actions/", site, func(c *call) level { return level{actions: &c.state.site} })
}

// runnerRoutes are for runners at a level. At that of the server, all runners are listed.
func (s *Server) runnerRoutes(mux *http.ServeMux, path string, n need, at func(*call) level) {
	runners := func(c *call) (found []*runner) {
		l := at(c)
		for _, r := range s.state.runners {
			if l.owner == nil && l.repo == nil || r.owner == l.owner && r.repo == l.repo {
				found = append(found, r)
			}
		}
		return found
	}
	one := func(c *call) *runner {
		for _, r := range runners(c) {
			if r.ID == c.number("id") {
				return r
			}
		}
		panic(c.refuse(http.StatusNotFound, "Runner not found"))
	}
	s.handle(mux, "GET"+path+"runners", n, func(c *call) answer {
		all := runners(c)
		part, _ := page(c, all)
		shown := gitea.ActionRunnersResponse{Runners: []*gitea.ActionRunner{}, TotalCount: int64(len(all))}
		for _, r := range part {
			shown.Runners = append(shown.Runners, &r.ActionRunner)
		}
		return ok(shown)
	})
	s.handle(mux, "POST"+path+"runners/registration-token", n, func(c *call) answer {
		l := at(c)
		if l.actions.registration == "" { // it stays the same until somebody resets it
			l.actions.registration = randomHex(20)
		}
		return ok(map[string]string{"token": l.actions.registration})
	})
	s.handle(mux, "GET"+path+"runners/{id}", n, func(c *call) answer { return ok(one(c).ActionRunner) })
	s.handle(mux, "DELETE"+path+"runners/{id}", n, func(c *call) answer {
		gone := one(c)
		s.state.runners, _ = without(s.state.runners, func(r *runner) bool { return r == gone })
		return done
	})
}

func (c *call) putSecret(l level) answer {
	name := c.secretOrVariable()
	var o struct {
		Data        string `json:"data"`
		Description string `json:"description"`
	}
	c.read(&o)
	c.required("Data", o.Data)
	if len(o.Data) > 65536 {
		return c.refuse(http.StatusInternalServerError, "data too long")
	}
	for _, s := range l.actions.secrets {
		if s.Name == name { // created_at stays
			s.value, s.Description = o.Data, o.Description
			return done
		}
	}
	l.actions.secrets = append(l.actions.secrets, &secret{Name: name, Description: o.Description, Created: now(), value: o.Data})
	return answer{status: http.StatusCreated}
}

func (c *call) deleteSecret(l level) answer {
	name, found := strings.ToUpper(c.req.PathValue("name")), false
	if l.actions.secrets, found = without(l.actions.secrets, func(s *secret) bool { return s.Name == name }); !found {
		return c.refuse(http.StatusNotFound, "secret was not found [name: %s]", name)
	}
	return done
}

// variable returns the variable of a path.
func (c *call) variable(l level) *variable {
	name := strings.ToUpper(c.req.PathValue("name"))
	n := slices.IndexFunc(l.actions.variables, func(v *variable) bool { return v.Name == name })
	if n < 0 {
		panic(c.refuse(http.StatusNotFound, "variable not found"))
	}
	return l.actions.variables[n]
}

type variableOptions struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	Description string `json:"description"`
}

func (c *call) createVariable(l level) answer {
	var o variableOptions
	c.read(&o)
	c.required("Value", o.Value)
	name := strings.ToUpper(c.req.PathValue("name"))
	if slices.ContainsFunc(l.actions.variables, func(v *variable) bool { return v.Name == name }) {
		return c.refuse(http.StatusConflict, "variable name %s already exists", c.req.PathValue("name"))
	}
	v := &variable{Name: c.secretOrVariable(), Data: unixLines(o.Value), Description: o.Description}
	if l.repo != nil {
		v.RepoID = l.repo.ID
	} else {
		v.OwnerID = l.owner.user.ID
	}
	l.actions.variables = append(l.actions.variables, v)
	return answer{status: http.StatusCreated}
}

func (c *call) updateVariable(l level) answer {
	var o variableOptions
	c.read(&o)
	c.required("Value", o.Value)
	v := c.variable(l)
	if o.Name != "" {
		v.Name = strings.ToUpper(o.Name)
	}
	v.Data, v.Description = unixLines(o.Value), o.Description
	return done
}

// unixLines is what the server makes of line breaks in variables.
func unixLines(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// Runner says what a runner is that [Server.AddRunner] adds.
type Runner struct {
	Name   string
	Owner  string // an organization or a user, or "owner/name" of a repository; empty: of the whole server
	Online bool
	Busy   bool
	Labels []string
}

// AddRunner registers a runner, as the runner itself does with a registration token, and returns its ID.
func (s *Server) AddRunner(o Runner) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &runner{ActionRunner: gitea.ActionRunner{ID: s.state.id(), Name: o.Name, Status: "offline", Busy: o.Busy,
		Labels: []*gitea.ActionRunnerLabel{}}}
	if o.Online {
		r.Status = "online"
	}
	for n, l := range o.Labels {
		r.Labels = append(r.Labels, &gitea.ActionRunnerLabel{ID: int64(n), Name: l, Type: "custom"})
	}
	owner, name, ofRepo := strings.Cut(o.Owner, "/")
	if a := s.state.account(owner); ofRepo {
		r.repo = s.state.repo(a, name)
	} else if owner != "" {
		r.owner = a
	}
	s.state.runners = append(s.state.runners, r)
	return r.ID
}

// Secret returns the value of a secret of Actions, which the API shows to nobody: of a repository ("owner/name"), an
// organization or a user. It is empty when there is none.
func (s *Server) Secret(of, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner, repo, ofRepo := strings.Cut(of, "/")
	a := s.state.account(owner)
	if a == nil {
		return ""
	}
	in := &a.actions
	if ofRepo {
		r := s.state.repo(a, repo)
		if r == nil {
			return ""
		}
		in = &r.actions
	}
	for _, sec := range in.secrets {
		if sec.Name == strings.ToUpper(name) {
			return sec.value
		}
	}
	return ""
}
