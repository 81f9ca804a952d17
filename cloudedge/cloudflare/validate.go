package cloudflare

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// The settings that hints of this package name.
const (
	SettingAdopt      = "adopt"                     // whether objects without our mark are taken over, see [Spec].Adopt
	SettingSink       = lab.SettingSink             // where secrets are kept, see [Spec].Sink
	SettingMaxDeletes = reconcile.SettingMaxDeletes // how many objects a plan may remove, see [Spec].MaxDeletes
)

var (
	word       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
	entry      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)
)

// Validate reports everything that is wrong with the spec by itself.
func (s *Spec) Validate() lab.Problems {
	v := &validation{spec: s, names: map[string]string{}}
	if !word.MatchString(s.stack()) || len(s.stack()) > 30 {
		v.bad("stack", s.Stack, "is not a name", "write up to 30 letters, digits and hyphens")
	}
	if s.MaxDeletes < 0 {
		v.ps.Add("maxDeletes", "%d is negative", s.MaxDeletes)
	}
	for n, b := range s.Buckets {
		v.bucket(fmt.Sprintf("buckets[%d]", n), b)
	}
	for n, z := range s.Zones {
		v.zone(fmt.Sprintf("zones[%d]", n), z)
	}
	for n, t := range s.Tokens {
		v.token(fmt.Sprintf("tokens[%d]", n), t)
	}
	for n, t := range s.Tunnels {
		v.tunnel(fmt.Sprintf("tunnels[%d]", n), t)
	}
	for n, p := range s.Pages {
		v.page(fmt.Sprintf("pages[%d]", n), p)
	}
	for n, w := range s.Widgets {
		v.widget(fmt.Sprintf("widgets[%d]", n), w)
	}
	if v.sunk && s.Sink == nil {
		v.ps = append(v.ps, lab.Problem{Path: "sink", Message: "there is none, and there are tokens, tunnels or widgets, which have secrets",
			Hint: "say where secrets are kept", Set: lab.Setting{Name: SettingSink}})
	}
	return v.ps
}

// validation is what is found while a spec is looked through.
type validation struct {
	spec  *Spec
	ps    lab.Problems
	names map[string]string // where what has a name was named first
	sunk  bool              // something is kept in the sink
}

func (v *validation) bad(path, text, message, hint string) {
	v.ps = append(v.ps, lab.Problem{Path: path, Text: text, Message: message, Hint: hint})
}

// unique reports an object that is named twice.
func (v *validation) unique(path, object string) {
	if first, twice := v.names[object]; twice {
		v.ps.Add(path, "%s is named twice: it is in %s too", object, first)
		return
	}
	v.names[object] = path
}

func (v *validation) oneOf(path, text string, words ...string) {
	if text != "" && !slices.Contains(words, text) {
		v.bad(path, text, "is none of those that there are", "write "+strings.Join(words, ", "))
	}
}

func (v *validation) bucket(at string, b Bucket) {
	if !bucketName.MatchString(b.Name) {
		v.bad(at+".name", b.Name, "is not the name of a bucket",
			"write 3 to 63 of a-z, 0-9 and hyphens, a letter or a digit at both ends")
	}
	v.oneOf(at+".jurisdiction", b.Jurisdiction, jurisdictions...)
	v.oneOf(at+".location", b.Location, "apac", "eeur", "enam", "weur", "wnam")
	v.oneOf(at+".storageClass", b.StorageClass, "Standard", "InfrequentAccess")
	if b.Location != "" && b.jurisdiction() != defaultJurisdiction {
		v.bad(at+".location", b.Location, "is a hint that a jurisdiction does not take", "leave it out, or the jurisdiction")
	}
	v.unique(at+".name", "bucket "+b.key())
	for n, l := range b.Lifecycle {
		under := fmt.Sprintf("%s.lifecycle[%d]", at, n)
		if !word.MatchString(l.Name) {
			v.bad(under+".name", l.Name, "is not a name", "write letters, digits, hyphens, dots and underscores")
		}
		v.unique(under+".name", "lifecycle rule "+b.key()+" "+l.Name)
		if l.DeleteAfter < 0 || l.AbortAfter < 0 || l.InfrequentAfter < 0 {
			v.ps.Add(under, "a number of days is negative")
		}
		if l.DeleteAfter <= 0 && l.AbortAfter <= 0 && l.InfrequentAfter <= 0 {
			v.bad(under, "", "does nothing", "say after how many days what is done")
		}
	}
	for n, c := range b.CORS {
		under := fmt.Sprintf("%s.cors[%d]", at, n)
		if len(c.Origins) == 0 || len(c.Methods) == 0 {
			v.ps.Add(under, "allows nothing: it needs origins and methods")
		}
		for m, o := range c.Origins {
			if o == "" || strings.ContainsAny(o, " \t\n") || strings.HasSuffix(o, "/") {
				v.bad(fmt.Sprintf("%s.origins[%d]", under, m), o, "is not an origin", "write https://example.com, without a slash at the end, or *")
			}
		}
		for m, method := range c.Methods {
			v.oneOf(fmt.Sprintf("%s.methods[%d]", under, m), method, "GET", "PUT", "POST", "DELETE", "HEAD")
		}
		if c.MaxAge < 0 || c.MaxAge > day {
			v.ps.Add(under+".maxAge", "%d is not between 0 and %d seconds", c.MaxAge, day)
		}
	}
	for n, d := range b.Domains {
		under := fmt.Sprintf("%s.domains[%d]", at, n)
		v.host(under+".name", d.Name)
		v.oneOf(under+".minTLS", d.MinTLS, "1.0", "1.1", "1.2", "1.3")
		v.unique(under+".name", "domain of a bucket "+strings.ToLower(d.Name))
	}
}

var hostName = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$`)

func (v *validation) host(path, name string) {
	if len(name) > 253 || !hostName.MatchString(strings.ToLower(name)) {
		v.bad(path, name, "is not a host name", "write it without a dot at the end, and letters beyond a-z as xn--")
	}
}

func (v *validation) entry(path, text string) {
	if !entry.MatchString(text) {
		v.bad(path, text, "is not an entry of a sink", "write a path, as cms/cloudflare, or a word")
	}
	v.unique(path, "entry "+text)
	v.sunk = true
}

func (v *validation) duration(path, text string, least time.Duration) {
	if d, err := time.ParseDuration(text); text != "" && (err != nil || d < least) {
		v.bad(path, text, "is not a duration of "+least.String()+" or more", `write "2160h"`)
	}
}

func (v *validation) token(at string, t Token) {
	if !word.MatchString(t.Name) || len(t.Name) > 60 {
		v.bad(at+".name", t.Name, "is not a name", "write up to 60 letters, digits, hyphens, dots and underscores")
	}
	v.unique(at+".name", "token "+t.Name)
	v.entry(at+".secret", t.entry())
	v.duration(at+".maxAge", t.MaxAge, time.Hour)
	v.duration(at+".grace", t.Grace, 0)
	if _, err := time.Parse(time.RFC3339, t.Expires); t.Expires != "" && err != nil {
		v.bad(at+".expires", t.Expires, "is not a time", `write "2027-12-31T00:00:00Z"`)
	}
	for name, networks := range map[string][]string{"allowIPs": t.AllowIPs, "denyIPs": t.DenyIPs} {
		for n, network := range networks {
			if _, err := netip.ParsePrefix(network); err != nil {
				v.bad(fmt.Sprintf("%s.%s[%d]", at, name, n), network, "is not a network", "write 192.0.2.0/24, or 192.0.2.1/32")
			}
		}
	}
	if len(t.Grants) == 0 {
		v.bad(at+".grants", "", "empty: a token that may do nothing", "say what it may do")
	}
	for n, g := range t.Grants {
		v.grant(fmt.Sprintf("%s.grants[%d]", at, n), g)
	}
}

func (v *validation) grant(at string, g Grant) {
	if len(g.Permissions) == 0 {
		v.ps.Add(at+".permissions", "empty")
	}
	for n, p := range g.Permissions {
		if p == "" || p != strings.TrimSpace(p) || identifier.MatchString(p) {
			v.bad(fmt.Sprintf("%s.permissions[%d]", at, n), p, "is not the name of a permission group", `write "DNS Write", and no ID`)
		}
	}
	kinds := 0
	for _, given := range []bool{g.Account, len(g.Zones) > 0, len(g.Buckets) > 0} {
		if given {
			kinds++
		}
	}
	if kinds != 1 {
		v.bad(at, "", "is on none, or on several kinds of resources", "write one of account: true, zones and buckets")
	}
	for n, z := range g.Zones {
		if z != "*" {
			v.host(fmt.Sprintf("%s.zones[%d]", at, n), z)
		}
	}
	for n, b := range g.Buckets {
		j, name := splitBucket(b)
		if !bucketName.MatchString(name) || !slices.Contains(jurisdictions, j) || bucketKey(j, name) != b {
			v.bad(fmt.Sprintf("%s.buckets[%d]", at, n), b, "is not a bucket", "write NAME, or eu/NAME")
		}
	}
}

var settingID = regexp.MustCompile(`^[a-z0-9_]+$`)

func (v *validation) zone(at string, z Zone) {
	zone := host(z.Name)
	v.host(at+".name", zone)
	v.unique(at+".name", "zone "+zone)
	for id, value := range z.Settings {
		if !settingID.MatchString(id) {
			v.bad(at+".settings", id, "is not the ID of a setting", "write always_use_https, or another")
		}
		if value == "" {
			v.ps.Add(at+".settings."+id, "empty")
		}
	}
	types := map[string]map[string]string{} // where a name has a type, by the name
	for n, x := range z.Records {
		under := fmt.Sprintf("%s.records[%d]", at, n)
		v.record(under, zone, x)
		name := whole(x.Name, zone)
		v.unique(under, "record "+recordKey(zone, x.Type, name))
		if types[name] == nil {
			types[name] = map[string]string{}
		}
		types[name][x.Type] = under
	}
	for name, has := range types {
		under, alias := has["CNAME"]
		for other, where := range has {
			w := rrset{Record: Record{Type: "CNAME"}, zone: zone, name: name}
			if alias && excludes(w, apiRecord{Type: other}) {
				v.ps.Add(where, "a record %s cannot be beside the CNAME of %s, in %s", other, name, under)
			}
		}
	}
}

var label = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)

func (v *validation) record(at, zone string, x Record) {
	name := whole(x.Name, zone)
	labels := strings.Split(name, ".")
	if labels[0] == "*" {
		labels = labels[1:]
	}
	if len(name) > 253 || slices.ContainsFunc(labels, func(l string) bool { return !label.MatchString(l) }) {
		v.bad(at+".name", x.Name, "is not a name in "+zone, `write "www", "@" for the zone itself, or a whole name`)
	}
	if strings.HasSuffix(x.Name, ".") && !inZone(host(x.Name), zone) {
		v.bad(at+".name", x.Name, "is not in "+zone, "leave out the dot at its end, or write it in its own zone")
	}
	if !slices.Contains(recordTypes, x.Type) {
		v.bad(at+".type", x.Type, "is none of those that there are", "write "+strings.Join(recordTypes, ", "))
		return
	}
	if x.Type == "NS" && name == zone {
		v.bad(at+".type", x.Type, "of the zone itself is Cloudflare's", "leave it out")
	}
	if len(x.Contents) == 0 {
		v.ps.Add(at+".contents", "empty")
	}
	if x.Type == "CNAME" && len(x.Contents) > 1 {
		v.ps.Add(at+".contents", "a name has one CNAME, and here are %d", len(x.Contents))
	}
	seen := map[string]bool{}
	for n, c := range x.Contents {
		under := fmt.Sprintf("%s.contents[%d]", at, n)
		if tunnel, found := strings.CutPrefix(c, tunnelPrefix); found && x.Type == "CNAME" {
			if !slices.ContainsFunc(v.spec.Tunnels, func(t Tunnel) bool { return t.Name == tunnel }) {
				v.bad(under, c, "is no tunnel of the spec", "name it under tunnels")
			}
			continue
		}
		d, err := parseRdata(x.Type, c)
		if err != nil {
			v.bad(under, "", err.Error(), form[x.Type])
			continue
		}
		if slices.Contains([]string{"CNAME", "NS", "MX", "SRV"}, x.Type) && d.text != "" {
			for _, l := range strings.Split(d.text, ".") {
				if !label.MatchString(l) {
					v.bad(under, c, "is not a host name", form[x.Type])
					break
				}
			}
			if !strings.Contains(d.text, ".") {
				v.bad(under, c, "is one word: it is not completed by the zone", "write the whole host name")
			}
		}
		for text := range seen {
			if (apiRecord{Type: x.Type, Content: quoteText(text)}).contradicts(d.text) && x.Type == "TXT" && text != d.String() {
				v.bad(under, c, "is the second of its kind, of which a name has one", "write one of them")
			}
		}
		if seen[d.String()] {
			v.bad(under, c, "is there twice", "leave it out")
		}
		seen[d.String()] = true
	}
	if x.TTL != 0 && (x.TTL < 60 || x.TTL > day) {
		v.bad(at+".ttl", fmt.Sprint(x.TTL), "is not between 60 and 86400 seconds", "leave it out: it is automatic then")
	}
	if x.Proxied != nil && *x.Proxied {
		if x.TTL != 0 {
			v.bad(at+".ttl", fmt.Sprint(x.TTL), "has no effect on a record that is proxied", "leave it out")
		}
		if !slices.Contains([]string{"A", "AAAA", "CNAME"}, x.Type) {
			v.bad(at+".proxied", x.Type, "cannot be proxied", "leave it out")
		}
	}
	r := run{spec: *v.spec}
	key := recordKey(zone, x.Type, name)
	if long := len(r.comment(key, rrset{Record: x}, "")); long > maxComment || strings.ContainsFunc(x.Comment, unfit) {
		v.bad(at+".comment", x.Comment, "has semicolons or line breaks, or is too long beside the mark",
			fmt.Sprintf("write up to %d characters", max(0, maxComment-len(r.recordMark(key))-2)))
	}
}

// unfit reports what a comment cannot have beside a mark.
func unfit(c rune) bool { return c == ';' || c < ' ' || c > 0xffff }

func (v *validation) tunnel(at string, t Tunnel) {
	if !word.MatchString(t.Name) || len(t.Name) > 60 {
		v.bad(at+".name", t.Name, "is not a name", "write up to 60 letters, digits, hyphens, dots and underscores")
	}
	v.unique(at+".name", "tunnel "+t.Name)
	v.entry(at+".secret", t.entry())
	for n, i := range t.Ingress {
		under := fmt.Sprintf("%s.ingress[%d]", at, n)
		v.host(under+".hostname", strings.TrimPrefix(i.Hostname, "*."))
		v.unique(under, "hostname "+strings.ToLower(i.Hostname)+i.Path+" of the tunnel "+t.Name)
		if _, err := regexp.Compile(i.Path); err != nil {
			v.bad(under+".path", i.Path, "is not a regular expression", "leave it out for all paths")
		}
		scheme, rest, found := strings.Cut(i.Service, "://")
		if _, code := strings.CutPrefix(i.Service, "http_status:"); !code && (!found || rest == "" ||
			!slices.Contains([]string{"http", "https", "tcp", "ssh", "rdp", "smb", "unix", "unix+tls"}, scheme)) {
			v.bad(under+".service", i.Service, "is not a service", "write https://HOST:PORT")
		}
	}
}

var projectName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,56}[a-z0-9])?$`)

func (v *validation) page(at string, p Page) {
	if !projectName.MatchString(p.Name) {
		v.bad(at+".name", p.Name, "is not the name of a project", "write up to 58 of a-z, 0-9 and hyphens, a letter or a digit at both ends")
	}
	v.unique(at+".name", "project "+p.Name)
	for n, d := range p.Domains {
		under := fmt.Sprintf("%s.domains[%d]", at, n)
		v.host(under, host(d))
		v.unique(under, "domain of a project "+host(d))
	}
}

func (v *validation) widget(at string, w Widget) {
	if w.Name == "" || len(w.Name) > 254 || w.Name != strings.TrimSpace(w.Name) || w.Secret == "" && !word.MatchString(w.Name) {
		v.bad(at+".name", w.Name, "is not a name",
			"write letters, digits, hyphens, dots and underscores; or any words, and where the secret is kept")
	}
	v.unique(at+".name", "widget "+w.Name)
	if len(w.Domains) == 0 || len(w.Domains) > 10 {
		v.ps.Add(at+".domains", "%d: a widget has 1 to 10", len(w.Domains))
	}
	for n, d := range w.Domains {
		v.host(fmt.Sprintf("%s.domains[%d]", at, n), d)
	}
	v.oneOf(at+".mode", w.Mode, "managed", "invisible", "non-interactive")
	v.entry(at+".secret", w.entry())
}
