package ovhtest

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const zoneURN = "urn:v1:eu:resource:dnsZone:"

// zonesPath is what the paths of zones, /v1/domain/zone/, are routed as.
const zonesPath = "/v1/zone/"

// record is one of a zone.
type record struct {
	ID     int64  `json:"id"`
	Zone   string `json:"zone"`
	Type   string `json:"fieldType"`
	Name   string `json:"subDomain"`
	Target string `json:"target"`
	TTL    int    `json:"ttl"` // 0: that of the zone
	hidden int
}

// zone is one that OVH hosts.
type zone struct {
	name    string
	records []*record
	served  string // as it was exported at the last refresh
	serial  int
	created int // how many records were
	busy    int // how many refreshes are refused, since one is under way
	tags    map[string]string
	signed  bool
	ending  int    // how many looks still see that it is signed, when it is no longer
	stale   int    // how many exports are as before
	before  string // the zone as it was exported then
}

// zoneTTL is that of records which have none of their own.
const zoneTTL = 3600

// AddZone creates a zone with records, each as in a zone file: "www IN A 192.0.2.1", "@ 600 IN TXT \"v=spf1 -all\"".
// OVH's own types for texts are types as the others. It is served as it is.
func (s *Server) AddZone(name string, records ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := &zone{name: name, serial: 2026120100, tags: map[string]string{}}
	s.zones[name] = z
	for _, server := range []string{"dns104.ovh.net.", "ns104.ovh.net."} {
		z.records = append(z.records, &record{ID: s.next(), Zone: name, Type: "NS", Target: server})
	}
	for _, line := range records {
		z.records = append(z.records, s.parse(z, line))
	}
	z.served = z.export()
}

func (s *Server) parse(z *zone, line string) *record {
	parts := strings.SplitN(line, " ", 4)
	if ttl, err := strconv.Atoi(parts[1]); err == nil {
		parts = strings.SplitN(line, " ", 5)
		r := &record{ID: s.next(), Zone: z.name, Type: parts[3], Name: strings.TrimPrefix(parts[0], "@"), Target: parts[4], TTL: ttl}
		return r
	}
	return &record{ID: s.next(), Zone: z.name, Type: parts[2], Name: strings.TrimPrefix(parts[0], "@"), Target: parts[3]}
}

// ChangeRecords does by hand what people do in OVH's pages: remove every record whose "NAME TYPE" is given, with @ for
// the zone itself, then add those of lines as [Server.AddZone] has them, and refresh. With renumber, all records get
// other IDs, as "change in text format" does.
func (s *Server) ChangeRecords(zone string, remove []string, add []string, renumber bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zones[zone]
	z.records = slices.DeleteFunc(z.records, func(r *record) bool {
		name := r.Name
		if name == "" {
			name = "@"
		}
		return slices.Contains(remove, name+" "+r.Type)
	})
	for _, line := range add {
		z.records = append(z.records, s.parse(z, line))
	}
	if renumber {
		for _, r := range z.records {
			r.ID = s.next()
		}
	}
	z.served = z.export()
}

// AddGhost makes a zone list the ID of a record that does not exist.
func (s *Server) AddGhost(zone, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zones[zone]
	z.records = append(z.records, &record{ID: s.next(), Zone: zone, Type: "", Name: name, hidden: 1 << 30})
}

// Busy makes a zone refuse its next n refreshes, as while another is under way.
func (s *Server) Busy(zone string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zones[zone].busy = n
}

// Sign turns DNSSEC of a zone on, which OVH signs, and of its domain.
func (s *Server) Sign(zone string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zones[zone].signed = true
	if d := s.domains[zone]; d != nil {
		d.keys, d.dnssec = []int64{s.next()}, "enabled"
	}
}

func (s *Server) unsign(z *zone) {
	z.signed = false
	if d := s.domains[z.name]; d != nil {
		d.dnssec, d.keys = "disabled", nil
	}
}

// Served returns what the name servers answer with: the zone as it was at its last refresh.
func (s *Server) Served(zone string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.zones[zone].served
}

// Tags returns the IAM tags of a zone.
func (s *Server) Tags(zone string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.zones[zone].tags)
}

// export is the zone as a text.
func (z *zone) export() string {
	var b strings.Builder
	fmt.Fprintf(&b, "$TTL %d\n@\tIN SOA dns104.ovh.net. tech.ovh.net. (%d 86400 3600 3600000 60)\n", zoneTTL, z.serial)
	sorted := slices.Clone(z.records)
	slices.SortStableFunc(sorted, func(a, b *record) int { return strings.Compare(a.Name, b.Name) })
	last := ""
	for _, r := range sorted {
		if r.Type == "" {
			continue
		}
		owner := r.Name
		if owner == last {
			owner = "" // it is that of the line before; the first lines are the zone's own
		}
		last = r.Name
		kind := r.Type
		if kind == "DKIM" || kind == "SPF" || kind == "DMARC" {
			kind = "TXT"
		}
		ttl := "        "
		if r.TTL != 0 {
			ttl = fmt.Sprintf("%8d", r.TTL)
		}
		target := r.Target
		if kind == "TXT" && strings.Count(target, `" "`) > 0 {
			target = "( " + strings.ReplaceAll(target, `" "`, "\"\n\t\"") + " )"
		}
		fmt.Fprintf(&b, "%-24s %s IN %-6s %s\n", owner, ttl, kind, target)
	}
	return b.String()
}

// like is how the API filters: an underscore is any character, a percent sign any text.
func like(pattern, text string) bool {
	p := regexp.QuoteMeta(strings.ToLower(pattern))
	p = strings.NewReplacer("_", ".", "%", ".*").Replace(p)
	return regexp.MustCompile("^" + p + "$").MatchString(strings.ToLower(text))
}

// stored is the target as OVH keeps it.
func (z *zone) stored(kind, target string) string {
	switch kind {
	case "TXT":
		if !strings.HasPrefix(target, `"`) {
			return `"` + strings.ReplaceAll(target, `"`, `\"`) + `"`
		}
	case "CNAME", "MX", "NS", "SRV", "PTR", "DNAME":
		if !strings.HasSuffix(target, ".") {
			return target + "." + z.name + "."
		}
	}
	return target
}

func (s *Server) zoneRoutes(mux *http.ServeMux) {
	const root = zonesPath + "{dnsZone}"
	in := func(handler func(*call, *zone) answer) func(*call) answer {
		return func(c *call) answer {
			if z := c.zones[c.req.PathValue("dnsZone")]; z != nil {
				return handler(c, z)
			}
			return c.notFound("This service does not exist")
		}
	}
	s.handle(mux, "GET "+root, "dnsZone:apiovh:get", in(func(c *call, z *zone) answer {
		if z.ending > 0 {
			if z.ending--; z.ending == 0 {
				c.unsign(z)
			}
		}
		return ok(map[string]any{"name": z.name, "hasDnsAnycast": false, "dnssecSupported": true, "dnssecActivated": z.signed,
			"lastUpdate": time.Now().UTC().Format(time.RFC3339), "nameServers": []string{"dns104.ovh.net", "ns104.ovh.net"},
			"iam": map[string]any{"id": "00000000-0000-4000-8000-000000000000", "urn": zoneURN + z.name,
				"displayName": z.name, "tags": z.tags}})
	}))
	s.handle(mux, "GET "+root+"/export", "dnsZone:apiovh:export", in(func(_ *call, z *zone) answer {
		if z.stale > 0 {
			z.stale--
			return ok(z.before)
		}
		return ok(z.export())
	}))
	s.handle(mux, "POST "+root+"/refresh", "dnsZone:apiovh:refresh", in(func(c *call, z *zone) answer {
		if z.busy > 0 {
			z.busy--
			return c.refuse(http.StatusConflict, "Conflict", "A refresh is already in progress")
		}
		z.stale, z.before = c.config.Lag, z.served
		z.serial++
		z.served = z.export()
		return ok(nil)
	}))
	s.handle(mux, "DELETE "+root+"/dnssec", "dnsZone:apiovh:dnssec/delete", in(func(c *call, z *zone) answer {
		if !z.signed || z.ending > 0 { // it is still shown as activated
			return c.notFound("Dnssec seems not activated")
		}
		z.ending = 3
		return ok(nil)
	}))
	s.recordRoutes(mux, root+"/record", in)
}

func (s *Server) recordRoutes(mux *http.ServeMux, root string, in func(func(*call, *zone) answer) func(*call) answer) {
	one := func(handler func(*call, *zone, *record) answer) func(*call) answer {
		return in(func(c *call, z *zone) answer {
			for _, r := range z.records {
				if strconv.FormatInt(r.ID, 10) != c.req.PathValue("id") {
					continue
				}
				if r.hidden == 0 {
					return handler(c, z, r)
				}
				r.hidden--
			}
			return c.notFound("This service does not exist")
		})
	}
	s.handle(mux, "GET "+root, "dnsZone:apiovh:record/get", in(func(c *call, z *zone) answer {
		ids, q := []int64{}, c.req.URL.Query()
		for _, r := range z.records {
			if (!q.Has("subDomain") || like(q.Get("subDomain"), r.Name)) && (!q.Has("fieldType") || like(q.Get("fieldType"), r.Type)) {
				ids = append(ids, r.ID)
			}
		}
		return ok(ids)
	}))
	s.handle(mux, "POST "+root, "dnsZone:apiovh:record/create", in(func(c *call, z *zone) answer {
		var body struct {
			Type   string `json:"fieldType"`
			Name   string `json:"subDomain"`
			Target string `json:"target"`
			TTL    int    `json:"ttl"`
		}
		c.read(&body)
		r := &record{ID: c.next(), Zone: z.name, Type: body.Type, Name: body.Name, Target: z.stored(body.Type, body.Target),
			TTL: ownTTL(body.TTL), hidden: c.config.Lag}
		for _, o := range z.records {
			if o.Name == r.Name && o.Type != "" && (o.Type == "CNAME" || r.Type == "CNAME") {
				return c.refuse(http.StatusBadRequest, "BadRequest",
					"The subdomain already has a record, and a CNAME bears none beside it")
			}
		}
		if r.TTL != 0 && r.TTL < 60 {
			return c.refuse(http.StatusBadRequest, "BadRequest", "TTL must be at least 60")
		}
		z.records = append(z.records, r)
		shown := *r
		if z.created++; z.created%3 == 0 {
			shown.ID = 0
		}
		return ok(shown)
	}))
	s.handle(mux, "GET "+root+"/{id}", "dnsZone:apiovh:record/get", one(func(_ *call, _ *zone, r *record) answer { return ok(r) }))
	s.handle(mux, "PUT "+root+"/{id}", "dnsZone:apiovh:record/edit", one(func(c *call, z *zone, r *record) answer {
		var body struct {
			Name   string `json:"subDomain"`
			Target string `json:"target"`
			TTL    int    `json:"ttl"`
		}
		c.read(&body)
		r.Name, r.Target, r.TTL = body.Name, z.stored(r.Type, body.Target), ownTTL(body.TTL)
		return ok(nil)
	}))
	s.handle(mux, "DELETE "+root+"/{id}", "dnsZone:apiovh:record/delete", one(func(_ *call, z *zone, r *record) answer {
		z.records = slices.DeleteFunc(z.records, func(o *record) bool { return o == r })
		return ok(nil)
	}))
}

// ownTTL is how a time to live is kept: that of the zone as 0.
func ownTTL(ttl int) int {
	if ttl == zoneTTL {
		return 0
	}
	return ttl
}
