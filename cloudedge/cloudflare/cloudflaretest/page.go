package cloudflaretest

import (
	"net/http"
	"regexp"
	"slices"
	"time"
)

// project is a Pages project.
type project struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Subdomain string    `json:"subdomain"`
	Branch    string    `json:"production_branch"`
	Domains   []string  `json:"domains"`
	Created   time.Time `json:"created_on"`

	names []*pageDomain
}

// pageDomain is a host name of a project.
type pageDomain struct {
	ID     string    `json:"id"`
	Name   string    `json:"name"`
	Status string    `json:"status"`
	Added  time.Time `json:"created_on"`
	reads  int
}

var projectName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

func (s *Server) pageRoutes(mux *http.ServeMux) {
	const all, one = "/accounts/{a}/pages/projects", "/accounts/{a}/pages/projects/{project}"
	s.handle(mux, "POST "+all, func(c *call) answer {
		var in struct {
			Name   string `json:"name"`
			Branch string `json:"production_branch"`
		}
		c.read(&in)
		switch {
		case !projectName.MatchString(in.Name) || len(in.Name) > 58 || in.Branch == "":
			return refuse(http.StatusBadRequest, 8000001, "Invalid project name, or no production branch")
		case c.state.project(in.Name) != nil:
			return refuse(http.StatusConflict, 8000002, "A project with this name already exists. Choose a different project name.")
		}
		p := &project{ID: newUUID(), Name: in.Name, Subdomain: in.Name + ".pages.dev", Branch: in.Branch,
			Domains: []string{in.Name + ".pages.dev"}, Created: now()}
		c.state.projects = append(c.state.projects, p)
		return ok(p)
	})
	s.handle(mux, "GET "+one, func(c *call) answer { return ok(c.project()) })
	s.handle(mux, "PATCH "+one, func(c *call) answer {
		var in struct {
			Branch string `json:"production_branch"`
		}
		c.read(&in)
		p := c.project()
		p.Branch = in.Branch
		return ok(p)
	})
	s.handle(mux, "GET "+one+"/domains", func(c *call) answer {
		p := c.project()
		for _, d := range p.names {
			if d.reads++; d.reads > 2 && d.Status == "initializing" {
				d.Status = "active"
			}
		}
		return ok(append([]*pageDomain{}, p.names...))
	})
	s.handle(mux, "GET "+one+"/domains/{domain}", func(c *call) answer {
		for _, d := range c.project().names {
			if d.Name == c.req.PathValue("domain") {
				return ok(d)
			}
		}
		return refuse(http.StatusNotFound, 8000021, "The domain you have requested does not exist.")
	})
	s.handle(mux, "POST "+one+"/domains", func(c *call) answer {
		var in struct {
			Name string `json:"name"`
		}
		c.read(&in)
		for _, p := range c.state.projects {
			if slices.ContainsFunc(p.names, func(d *pageDomain) bool { return d.Name == in.Name }) {
				return refuse(http.StatusConflict, 8000018, "You have already added this custom domain.")
			}
		}
		p, d := c.project(), &pageDomain{ID: newUUID(), Name: in.Name, Status: "initializing", Added: now()}
		p.names, p.Domains = append(p.names, d), append(p.Domains, in.Name)
		return ok(d)
	})
}

func (s *state) project(name string) *project {
	for _, p := range s.projects {
		if p.Name == name {
			return p
		}
	}
	return nil
}

func (c *call) project() *project {
	p := c.state.project(c.req.PathValue("project"))
	if p == nil {
		panic(refuse(http.StatusNotFound, 8000007, "Project not found."))
	}
	return p
}
