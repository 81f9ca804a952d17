package cloudflaretest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

type bucketID struct{ jurisdiction, name string }

// bucket is a bucket of R2.
type bucket struct {
	lag          `json:"-"`
	Name         string    `json:"name"`
	Created      time.Time `json:"creation_date"`
	Location     string    `json:"location,omitempty"`
	StorageClass string    `json:"storage_class"`

	lifecycle []json.RawMessage
	cors      []json.RawMessage
	devURL    bool
	domains   []*domain
}

// domain is a custom domain of a bucket.
type domain struct {
	Domain  string `json:"domain"`
	Enabled bool   `json:"enabled"`
	MinTLS  string `json:"minTLS,omitempty"`
	ZoneID  string `json:"zoneId"`
	Zone    string `json:"zoneName,omitempty"`
	Status  struct {
		Ownership string `json:"ownership"`
		SSL       string `json:"ssl"`
	} `json:"status"`
	reads int
}

// defaultRule is what every new bucket has.
const defaultRule = `{"id":"Default Multipart Abort Rule","enabled":true,"conditions":{"prefix":""},` +
	`"abortMultipartUploadsTransition":{"condition":{"type":"Age","maxAge":604800}}}`

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

func (s *Server) bucketRoutes(mux *http.ServeMux) {
	const all, one = "/accounts/{a}/r2/buckets", "/accounts/{a}/r2/buckets/{bucket}"
	s.handle(mux, "GET "+all, (*call).listBuckets)
	s.handle(mux, "POST "+all, (*call).createBucket)
	s.handle(mux, "GET "+one, func(c *call) answer { return ok(c.bucket()) })
	s.handle(mux, "PATCH "+one, func(c *call) answer {
		b, class := c.bucket(), c.req.Header.Get("cf-r2-storage-class")
		if class != "Standard" && class != "InfrequentAccess" {
			return refuse(http.StatusBadRequest, 10062, "The storage class is not valid.")
		}
		b.StorageClass = class
		return ok(b)
	})
	s.handle(mux, "GET "+one+"/lifecycle", func(c *call) answer { return ok(rulesOf(c.bucket().lifecycle)) })
	s.handle(mux, "PUT "+one+"/lifecycle", func(c *call) answer {
		c.bucket().lifecycle = c.rules()
		return ok(struct{}{})
	})
	s.handle(mux, "GET "+one+"/cors", func(c *call) answer {
		b := c.bucket()
		if b.cors == nil {
			return refuse(http.StatusNotFound, 10059, "The CORS configuration does not exist.")
		}
		return ok(rulesOf(b.cors))
	})
	s.handle(mux, "PUT "+one+"/cors", func(c *call) answer {
		c.bucket().cors = c.rules()
		return ok(struct{}{})
	})
	s.handle(mux, "DELETE "+one+"/cors", func(c *call) answer {
		c.bucket().cors = nil
		return ok(struct{}{})
	})
	s.handle(mux, "GET "+one+"/domains/managed", func(c *call) answer { return ok(c.bucket().managed()) })
	s.handle(mux, "PUT "+one+"/domains/managed", func(c *call) answer {
		var in struct {
			Enabled bool `json:"enabled"`
		}
		c.read(&in)
		b := c.bucket()
		b.devURL = in.Enabled
		return ok(b.managed())
	})
	s.handle(mux, "GET "+one+"/domains/custom", func(c *call) answer {
		b := c.bucket()
		for _, d := range b.domains {
			d.read()
		}
		return ok(map[string]any{"domains": append([]*domain{}, b.domains...)})
	})
	s.handle(mux, "POST "+one+"/domains/custom", (*call).addDomain)
	s.handle(mux, "PUT "+one+"/domains/custom/{domain}", (*call).editDomain)
}

func rulesOf(rules []json.RawMessage) any {
	return map[string]any{"rules": append([]json.RawMessage{}, rules...)}
}

func (c *call) rules() []json.RawMessage {
	var in struct {
		Rules []json.RawMessage `json:"rules"`
	}
	c.read(&in)
	ids := map[string]bool{}
	for _, raw := range in.Rules {
		var rule struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(raw, &rule) != nil || rule.ID != "" && ids[rule.ID] {
			panic(refuse(http.StatusBadRequest, 10040, "The rules are not valid: an ID is there twice."))
		}
		ids[rule.ID] = true
	}
	return append([]json.RawMessage{}, in.Rules...)
}

// managed is its address at r2.dev.
func (b *bucket) managed() any {
	return map[string]any{"bucketId": newID(), "domain": "pub-" + newID() + ".r2.dev", "enabled": b.devURL}
}

// read counts a look at a domain: what is pending becomes active at the third.
func (d *domain) read() {
	if d.reads++; d.reads > 2 && d.Status.Ownership == "pending" {
		d.Status.Ownership, d.Status.SSL = "active", "active"
	}
}

func (c *call) jurisdiction() string {
	j := c.req.Header.Get("cf-r2-jurisdiction")
	switch j {
	case "":
		return "default"
	case "default", "eu":
		return j
	}
	panic(refuse(http.StatusForbidden, 10000, "Authentication error")) // fedramp is for some accounts alone
}

// bucket is the bucket of a path, in the jurisdiction of the header.
func (c *call) bucket() *bucket {
	b := c.state.buckets[bucketID{c.jurisdiction(), c.req.PathValue("bucket")}]
	if b == nil {
		panic(refuse(http.StatusNotFound, 10006, "The specified bucket does not exist."))
	}
	return b
}

// listBuckets has a cursor, and pages of 20 unless asked otherwise.
func (c *call) listBuckets() answer {
	var all []*bucket
	for id, b := range c.state.buckets {
		if id.jurisdiction == c.jurisdiction() && b.listed() {
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(a, b *bucket) int { return strings.Compare(a.Name, b.Name) })
	after := max(c.req.URL.Query().Get("cursor"), c.req.URL.Query().Get("start_after"))
	all = slices.DeleteFunc(all, func(b *bucket) bool { return b.Name <= after })
	const most = 20 // less than what may be asked for, so that pages are pages
	info := map[string]any{"per_page": most}
	if len(all) > most {
		all = all[:most]
		info["cursor"] = all[most-1].Name
	}
	return answer{status: http.StatusOK, result: map[string]any{"buckets": append([]*bucket{}, all...)}, info: info}
}

func (c *call) createBucket() answer {
	var in struct {
		Name         string `json:"name"`
		LocationHint string `json:"locationHint"`
		StorageClass string `json:"storageClass"`
	}
	c.read(&in)
	if !bucketName.MatchString(in.Name) {
		return refuse(http.StatusBadRequest, 10005, "The specified bucket name is not valid.")
	}
	id := bucketID{c.jurisdiction(), in.Name}
	if c.state.buckets[id] != nil {
		return refuse(http.StatusConflict, 10004, "The bucket you tried to create already exists, and you own it.")
	}
	b := &bucket{Name: in.Name, Created: now(), Location: in.LocationHint, StorageClass: in.StorageClass,
		lag: lag{c.config.Lag}, lifecycle: []json.RawMessage{json.RawMessage(defaultRule)}}
	if b.StorageClass == "" {
		b.StorageClass = "Standard"
	}
	if b.Location == "" {
		b.Location = "weur"
	}
	c.state.buckets[id] = b
	return ok(b)
}

// addDomain gives a bucket a host name: the zone gets a record that nobody can change.
func (c *call) addDomain() answer {
	b := c.bucket()
	d := &domain{}
	c.read(d)
	z := c.state.zone(d.ZoneID)
	if z == nil || d.Domain != z.Name && !strings.HasSuffix(d.Domain, "."+z.Name) {
		return refuse(http.StatusBadRequest, 10031, "The zone is not in this account, or the domain is not in the zone.")
	}
	if slices.ContainsFunc(b.domains, func(o *domain) bool { return o.Domain == d.Domain }) || z.named(d.Domain) {
		return refuse(http.StatusConflict, 10056, "The domain is in use already.")
	}
	d.Zone = z.Name
	d.Status.Ownership, d.Status.SSL = "pending", "initializing"
	b.domains = append(b.domains, d)
	z.addReadOnly(d.Domain, "public.r2.dev")
	return ok(map[string]any{"domain": d.Domain, "enabled": d.Enabled, "zoneId": d.ZoneID})
}

func (c *call) editDomain() answer {
	b := c.bucket()
	for _, d := range b.domains {
		if d.Domain == c.req.PathValue("domain") {
			c.read(d)
			return ok(map[string]any{"domain": d.Domain})
		}
	}
	return refuse(http.StatusNotFound, 10057, "The domain does not exist.")
}
