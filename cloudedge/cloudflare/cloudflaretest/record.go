package cloudflaretest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// record is a DNS record.
type record struct {
	lag       `json:"-"`
	ID        string         `json:"id"`
	ZoneID    string         `json:"zone_id,omitempty"`
	Zone      string         `json:"zone_name,omitempty"`
	Name      string         `json:"name"`
	Type      string         `json:"type"`
	Content   string         `json:"content"`
	Priority  *int           `json:"priority,omitempty"`
	Data      map[string]any `json:"data,omitempty"`
	Proxiable bool           `json:"proxiable"`
	Proxied   bool           `json:"proxied"`
	TTL       int            `json:"ttl"`
	Comment   string         `json:"comment"`
	Tags      []string       `json:"tags"`
	Meta      map[string]any `json:"meta"`
	Created   time.Time      `json:"created_on"`
	Modified  time.Time      `json:"modified_on"`
}

func (z *zone) named(name string) bool {
	return slices.ContainsFunc(z.records, func(r *record) bool { return r.Name == name })
}

func (r *record) readOnly() bool { return r.Meta["read_only"] == true }

// addReadOnly adds a record of Cloudflare's own.
func (z *zone) addReadOnly(name, content string) {
	z.records = append(z.records, &record{ID: newID(), ZoneID: z.ID, Zone: z.Name, Name: name, Type: "CNAME", Content: content, TTL: 1,
		Proxied: true, Proxiable: true, Tags: []string{}, Created: now(), Modified: now(),
		Meta: map[string]any{"read_only": true, "r2_bucket": true}})
}

func (s *Server) recordRoutes(mux *http.ServeMux) {
	const all, one = "/zones/{zone}/dns_records", "/zones/{zone}/dns_records/{record}"
	s.handle(mux, "GET "+all, func(c *call) answer {
		var found []*record
		for _, r := range c.zoneOf().records {
			if r.listed() {
				found = append(found, r)
			}
		}
		return page(c, found, 1, 100, 1000)
	})
	s.handle(mux, "POST "+all+"/batch", (*call).batch)
	s.handle(mux, "POST "+all, func(c *call) answer {
		z, r := c.zoneOf(), c.newRecord()
		c.setRecord(z, r, c.body)
		z.records = append(z.records, r)
		return ok(r)
	})
	s.handle(mux, "PATCH "+one, func(c *call) answer {
		z := c.zoneOf()
		r := z.record(c.req.PathValue("record"))
		c.setRecord(z, r, c.body)
		return ok(r)
	})
	s.handle(mux, "DELETE "+one, func(c *call) answer {
		z := c.zoneOf()
		r := z.record(c.req.PathValue("record"))
		z.removeRecord(r)
		return ok(map[string]string{"id": r.ID})
	})
}

func (c *call) newRecord() *record {
	return &record{ID: newID(), TTL: 1, Tags: []string{}, Meta: map[string]any{"auto_added": false}, Created: now(), lag: lag{c.config.Lag}}
}

// record returns a record that may be changed.
func (z *zone) record(id string) *record {
	for _, r := range z.records {
		if r.ID == id {
			if r.readOnly() {
				panic(refuse(http.StatusBadRequest, 1043, "This record is managed by R2 and cannot be changed"))
			}
			return r
		}
	}
	panic(refuse(http.StatusNotFound, 81044, "Record does not exist."))
}

func (z *zone) removeRecord(r *record) {
	z.records, _ = without(z.records, func(o *record) bool { return o == r })
}

// batch does everything or nothing: what is deleted first, then what is changed, then what is created.
func (c *call) batch() answer {
	var in struct {
		Deletes []struct {
			ID string `json:"id"`
		} `json:"deletes"`
		Patches []json.RawMessage `json:"patches"`
		Puts    []json.RawMessage `json:"puts"`
		Posts   []json.RawMessage `json:"posts"`
	}
	c.read(&in)
	n := len(in.Deletes) + len(in.Patches) + len(in.Posts)
	if n == 0 || n > 200 || len(in.Puts) > 0 {
		return refuse(http.StatusBadRequest, 9207, "A batch has 1 to 200 operations")
	}
	z := c.zoneOf()
	before := make([]*record, len(z.records))
	for n, r := range z.records {
		same := *r
		before[n] = &same
	}
	committed := false
	defer func() {
		if !committed {
			z.records = before
		}
	}()
	for _, d := range in.Deletes {
		z.removeRecord(z.record(d.ID))
	}
	for _, raw := range in.Patches {
		var which struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(raw, &which) != nil {
			return refuse(http.StatusBadRequest, 9207, "A patch has no ID")
		}
		c.setRecord(z, z.record(which.ID), raw)
	}
	posts := []*record{}
	for _, raw := range in.Posts {
		r := c.newRecord()
		c.setRecord(z, r, raw)
		z.records = append(z.records, r)
		posts = append(posts, r)
	}
	committed = true
	return ok(map[string]any{"deletes": in.Deletes, "patches": []any{}, "puts": []any{}, "posts": posts})
}

// setRecord changes what is said of a record, and refuses what cannot be.
func (c *call) setRecord(z *zone, r *record, raw []byte) {
	bad := func(code int, format string, args ...any) {
		panic(refuse(http.StatusBadRequest, code, format, args...))
	}
	in := struct {
		ID       string         `json:"id"`
		Name     *string        `json:"name"`
		Type     *string        `json:"type"`
		Content  *string        `json:"content"`
		Priority *int           `json:"priority"`
		Data     map[string]any `json:"data"`
		Proxied  *bool          `json:"proxied"`
		TTL      *int           `json:"ttl"`
		Comment  *string        `json:"comment"`
	}{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		panic(c.strangeness("%v", err))
	}
	set := *r
	set.ZoneID, set.Zone, set.Modified = z.ID, z.Name, now()
	if in.Name != nil {
		set.Name = strings.ToLower(*in.Name)
		if set.Name == "@" {
			set.Name = z.Name
		} else if set.Name != z.Name && !strings.HasSuffix(set.Name, "."+z.Name) {
			set.Name += "." + z.Name
		}
	}
	if in.Type != nil {
		if r.Type != "" && r.Type != *in.Type {
			bad(9000, "The type of a record cannot be changed by PATCH")
		}
		set.Type = *in.Type
	}
	if in.Content != nil {
		set.Content = *in.Content
	}
	if in.Priority != nil {
		set.Priority = in.Priority
	}
	if in.Data != nil {
		set.Data = in.Data
	}
	if in.TTL != nil {
		set.TTL = *in.TTL
	}
	if in.Proxied != nil {
		set.Proxied = *in.Proxied
	}
	if in.Comment != nil {
		set.Comment = *in.Comment
	}
	set.check(bad)
	for _, o := range z.records {
		if o.ID == set.ID || o.Name != set.Name {
			continue
		}
		alias := o.Type == "CNAME" || set.Type == "CNAME"
		address := func(t string) bool { return t == "A" || t == "AAAA" || t == "CNAME" }
		switch {
		case alias && (set.Name != z.Name || address(o.Type) && address(set.Type)):
			bad(81053, "An A, AAAA, or CNAME record with that host already exists.")
		case o.Type == set.Type && o.Content == set.Content && fmt.Sprint(o.Data) == fmt.Sprint(set.Data):
			bad(81058, "An identical record already exists.")
		}
	}
	*r = set
}

// check refuses a record that cannot be, and makes it what the API shows.
func (r *record) check(bad func(code int, format string, args ...any)) {
	number := func(name string) int {
		n, ok := r.Data[name].(float64)
		if !ok {
			bad(9101, "%s is a required data field.", name)
		}
		return int(n)
	}
	text := func(name string) string {
		s, ok := r.Data[name].(string)
		if !ok || s == "" {
			bad(9101, "%s is a required data field.", name)
		}
		return s
	}
	switch r.Type {
	case "A", "AAAA":
		ip, err := netip.ParseAddr(r.Content)
		if err != nil || ip.Is4() != (r.Type == "A") {
			bad(9005, "Content for %s record is invalid.", r.Type)
		}
	case "MX":
		if r.Priority == nil {
			bad(9100, "priority is a required field.")
		}
		r.Content = strings.ToLower(r.Content)
	case "SRV":
		p := number("priority")
		r.Priority = &p
		r.Content = fmt.Sprintf("%d %d %s", number("weight"), number("port"), text("target"))
	case "CAA":
		r.Content = fmt.Sprintf("%d %s %q", number("flags"), text("tag"), text("value"))
	case "TXT":
		if !strings.HasPrefix(r.Content, `"`) && len(r.Content) > 255 {
			bad(9207, "A string of a TXT record has up to 255 bytes")
		}
	case "CNAME", "NS":
		r.Content = strings.ToLower(r.Content)
		if r.Content == "" {
			bad(9007, "Content for %s record is invalid.", r.Type)
		}
	default:
		bad(9004, "DNS Validation Error: type %s", r.Type)
	}
	r.Proxiable = r.Type == "A" || r.Type == "AAAA" || r.Type == "CNAME"
	switch {
	case r.Proxied && !r.Proxiable:
		bad(9004, "This record type cannot be proxied.")
	case r.TTL != 1 && (r.TTL < 60 || r.TTL > 86400):
		bad(9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.")
	case len([]rune(r.Comment)) > 100 || strings.ContainsAny(r.Comment, "\n\r"):
		bad(9300, "DNS record comment is too long, or has line breaks.")
	case len(r.Name) > 253:
		bad(9000, "DNS name is invalid.")
	}
	if r.Proxied {
		r.TTL = 1
	}
}
