package ovhtest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// domain is one that is registered with OVH.
type domain struct {
	name    string
	kind    string // nameServerType
	servers []*nameServer
	dnssec  string
	keys    []int64
	ends    string // how its next task ends; empty: done
}

type nameServer struct {
	ID       int64   `json:"id"`
	Host     string  `json:"host"`
	IP       *string `json:"ip"`
	Used     bool    `json:"isUsed"`
	ToDelete bool    `json:"toDelete"`
}

// task is what is done later, when it has been looked at a few times.
type task struct {
	ID       int64  `json:"id"`
	Function string `json:"function"`
	Status   string `json:"status"`
	Comment  string `json:"comment"`
	Domain   string `json:"domain"`
	Created  string `json:"creationDate"`
	Todo     string `json:"todoDate"`
	Last     string `json:"lastUpdate"`
	CanA     bool   `json:"canAccelerate"`
	CanC     bool   `json:"canCancel"`
	CanR     bool   `json:"canRelaunch"`
	hidden   int
	do       func()
	undo     func()
}

// AddDomain registers a domain, which is delegated to name servers.
func (s *Server) AddDomain(name string, servers ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &domain{name: name, kind: "hosted", dnssec: "disabled"}
	for _, h := range servers {
		d.servers = append(d.servers, &nameServer{ID: s.next(), Host: h, Used: true})
	}
	s.domains[name] = d
}

// NameServers returns what the registry has of a domain.
func (s *Server) NameServers(domain string) (hosts []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.domains[domain].servers {
		if n.Used {
			hosts = append(hosts, n.Host)
		}
	}
	slices.Sort(hosts)
	return hosts
}

// DNSSEC returns the state of a domain's DNSSEC and how many DS records the registry has.
func (s *Server) DNSSEC(domain string) (state string, keys int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.domains[domain].dnssec, len(s.domains[domain].keys)
}

// AddKey gives the registry a DS record of a domain, of a zone that others sign.
func (s *Server) AddKey(domain string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.domains[domain].keys = append(s.domains[domain].keys, s.next())
	s.domains[domain].dnssec = "enabled"
}

// EndTask says how the next task of a domain ends: "error", "problem" or "cancelled".
func (s *Server) EndTask(domain, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.domains[domain].ends = status
}

// addTask begins a task. It is done when it was looked at as todo and as doing; a task of the registry goes on by
// itself too, which step does.
func (s *Server) addTask(d *domain, function string, do, undo func()) *task {
	now := time.Now().UTC().Format(time.RFC3339)
	t := &task{ID: s.next(), Function: function, Status: "todo", Domain: d.name, Created: now, Todo: now, Last: now, hidden: s.config.Lag,
		do: do, undo: undo}
	s.tasks[t.ID] = t
	return t
}

// step goes on with a task.
func (s *Server) step(t *task) {
	switch t.Status {
	case "todo":
		t.Status = "doing"
	case "doing":
		t.Status = "done"
		if d := s.domains[t.Domain]; d.ends != "" {
			t.Status, t.Comment, d.ends = d.ends, "the registry refuses it", ""
			t.undo()
			return
		}
		t.do()
	}
}

// stepAll goes on with the tasks of a domain.
func (s *Server) stepAll(d *domain) {
	for _, t := range s.tasks {
		if t.Domain == d.name {
			s.step(t)
		}
	}
}

func (s *Server) domainRoutes(mux *http.ServeMux) {
	const root = "/v1/domain/{domain}"
	in := func(handler func(*call, *domain) answer) func(*call) answer {
		return func(c *call) answer {
			if d := c.domains[c.req.PathValue("domain")]; d != nil {
				return handler(c, d)
			}
			return c.notFound("This service does not exist")
		}
	}
	s.handle(mux, "GET "+root, "domain:apiovh:get", in(func(_ *call, d *domain) answer {
		return ok(map[string]any{"domain": d.name, "nameServerType": d.kind, "dnssecState": d.dnssec, "dnssecSupported": true,
			"transferLockStatus": "locked", "state": "ok", "offer": "gold"})
	}))
	s.handle(mux, "PUT "+root, "domain:apiovh:edit", in(func(c *call, d *domain) answer {
		var body struct {
			Type string `json:"nameServerType"`
		}
		c.read(&body)
		if body.Type != "hosted" && body.Type != "external" {
			return c.refuse(http.StatusBadRequest, "BadRequest", "Only hosted and external can be set")
		}
		d.kind = body.Type
		return ok(map[string]any{"domain": d.name, "nameServerType": d.kind, "dnssecState": d.dnssec})
	}))
	s.handle(mux, "GET "+root+"/nameServer", "domain:apiovh:nameServer/get", in(func(c *call, d *domain) answer {
		c.stepAll(d)
		ids := []int64{}
		for _, n := range d.servers {
			ids = append(ids, n.ID)
		}
		return ok(ids)
	}))
	s.handle(mux, "GET "+root+"/nameServer/{id}", "domain:apiovh:nameServer/get", in(func(c *call, d *domain) answer {
		for _, n := range d.servers {
			if strconv.FormatInt(n.ID, 10) == c.req.PathValue("id") {
				return ok(n)
			}
		}
		return c.notFound("This service does not exist")
	}))
	s.handle(mux, "POST "+root+"/nameServers/update", "domain:apiovh:nameServer/edit", in(updateServers))
	s.handle(mux, "GET "+root+"/dsRecord", "domain:apiovh:dsRecord/get", in(func(_ *call, d *domain) answer {
		return ok(append([]int64{}, d.keys...))
	}))
	s.handle(mux, "POST "+root+"/dsRecord", "domain:apiovh:dsRecord/create", in(func(c *call, d *domain) answer {
		var body struct {
			Keys []any `json:"keys"`
		}
		c.read(&body)
		if body.Keys == nil || len(body.Keys) > 0 {
			panic(c.strangeness("keys are removed only"))
		}
		return ok(c.addTask(d, "DomainDnssecUpdate", func() { d.keys, d.dnssec = nil, "disabled" }, func() {}))
	}))
	s.handle(mux, "GET "+root+"/task/{id}", "domain:apiovh:task/get", in(func(c *call, d *domain) answer {
		id, _ := strconv.ParseInt(c.req.PathValue("id"), 10, 64)
		t := c.tasks[id]
		if t == nil || t.Domain != d.name {
			return c.notFound("This service does not exist")
		}
		if t.hidden > 0 {
			t.hidden--
			return c.notFound("This service does not exist")
		}
		c.step(t)
		return ok(t)
	}))
}

func updateServers(c *call, d *domain) answer {
	var body struct {
		NameServers []struct {
			Host string  `json:"host"`
			IP   *string `json:"ip"`
		} `json:"nameServers"`
	}
	c.read(&body)
	external := false
	for _, n := range body.NameServers {
		external = external || !strings.HasSuffix(n.Host, ".ovh.net")
	}
	switch {
	case len(body.NameServers) < 2 || len(body.NameServers) > 8:
		return c.refuse(http.StatusBadRequest, "BadRequest", "Between 2 and 8 name servers are needed")
	case external != (d.kind == "external"):
		return c.refuse(http.StatusBadRequest, "BadRequest", "The type of the name servers is %s", d.kind)
	case d.dnssec == "enabled":
		return c.refuse(http.StatusBadRequest, "BadRequest", "DNSSEC is activated")
	}
	for _, t := range c.tasks {
		if t.Domain == d.name && (t.Status == "todo" || t.Status == "doing") {
			return c.refuse(http.StatusConflict, "Conflict", "A task is already in progress")
		}
	}
	was := slices.Clone(d.servers)
	for _, n := range d.servers {
		n.ToDelete = true
	}
	for _, n := range body.NameServers {
		k := slices.IndexFunc(d.servers, func(o *nameServer) bool { return o.Host == n.Host })
		if k >= 0 {
			d.servers[k].ToDelete = false
		} else {
			d.servers = append(d.servers, &nameServer{ID: c.next(), Host: n.Host})
		}
	}
	return ok(c.addTask(d, "DomainDnsUpdate", func() {
		d.servers = slices.DeleteFunc(d.servers, func(n *nameServer) bool { return n.ToDelete })
		for _, n := range d.servers {
			n.Used = true
		}
	}, func() {
		d.servers = was
		for _, n := range d.servers {
			n.ToDelete = false
		}
	}))
}
