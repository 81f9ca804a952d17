package ovh

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

var (
	name    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$`)
	secret  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)
	urn     = regexp.MustCompile(`^urn:v1:[a-z]+:[a-zA-Z]+:[^\s]+$`)
	action  = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9]*:[a-zA-Z0-9]+:[^\s*]+$`)
	label   = `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`
	domain  = regexp.MustCompile(`^(` + label + `\.)+` + label + `$`)
	subName = regexp.MustCompile(`^(\*|[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$`)
)

// validation collects what is wrong with a spec.
type validation struct {
	ps   lab.Problems
	seen map[string]bool
}

func (v *validation) bad(path, text, what, hint string) {
	v.ps = append(v.ps, lab.Problem{Path: path, Text: text, Message: what, Hint: hint})
}

func (v *validation) unique(path, kind, text string) {
	if v.seen[kind+" "+text] {
		v.bad(path, text, "is named twice", "")
	}
	v.seen[kind+" "+text] = true
}

func (v *validation) named(path, kind, text string) {
	if !name.MatchString(text) {
		v.bad(path, text, "is not a name", "write up to 64 letters, digits, dots, hyphens and underscores")
	}
	v.unique(path, kind, text)
}

// described looks at a description, which must not be taken for a mark.
func (v *validation) described(path, text string) {
	if strings.ContainsAny(text, "\n\r;") || strings.Contains(text, "managed-by=") || strings.Contains(text, "owner=") {
		v.bad(path, "", "holds what a mark could be", "leave out line breaks, semicolons, managed-by= and owner=")
	}
}

// Validate reports everything that is wrong with the spec.
func (s *Spec) Validate() lab.Problems {
	v := &validation{seen: map[string]bool{}}
	if s.Stack != "" && !name.MatchString(s.Stack) {
		v.bad("stack", s.Stack, "is not a name", "write letters, digits, dots, hyphens and underscores")
	}
	if s.MaxDeletes < 0 {
		v.bad("maxDeletes", "", "is negative", "")
	}
	for n, c := range s.Clients {
		at := fmt.Sprintf("clients[%d]", n)
		v.named(at+".name", "client", c.Name)
		v.described(at+".description", c.Description)
		if c.Secret != "" && !secret.MatchString(c.Secret) {
			v.bad(at+".secret", c.Secret, "is not the name of an entry", "write as cms/ovh")
		}
		v.unique(at+".secret", "secret", c.SecretName())
	}
	if len(s.Clients) > 0 && s.Sink == nil {
		v.ps = append(v.ps, lab.Problem{Path: "clients", Message: "their secrets have no sink", Hint: "say where secrets are kept",
			Set: lab.Setting{Name: lab.SettingSink}})
	}
	for n, p := range s.Policies {
		v.policy(fmt.Sprintf("policies[%d]", n), s, p)
	}
	for n, z := range s.Zones {
		v.zone(fmt.Sprintf("zones[%d]", n), z)
	}
	for n, d := range s.Delegations {
		v.delegation(fmt.Sprintf("delegations[%d]", n), d)
	}
	return v.ps
}

func (v *validation) policy(at string, s *Spec, p Policy) {
	v.named(at+".name", "policy", p.Name)
	if strings.HasPrefix(p.Name, "ovh-") {
		v.bad(at+".name", p.Name, "begins as OVH's own do", "leave out ovh-")
	}
	v.described(at+".description", p.Description)
	if len(p.Clients)+len(p.Identities) == 0 {
		v.bad(at+".clients", "", "the policy is nobody's", "name a client, or give an identity")
	}
	for n, c := range p.Clients {
		if !slices.ContainsFunc(s.Clients, func(x Client) bool { return x.Name == c }) {
			v.bad(fmt.Sprintf("%s.clients[%d]", at, n), c, "is no client of this spec",
				"give its identity instead, or add the client")
		}
	}
	for n, i := range p.Identities {
		if !urn.MatchString(i) || !strings.Contains(i, ":identity:") {
			v.bad(fmt.Sprintf("%s.identities[%d]", at, n), i, "is not the URN of an identity",
				"write as urn:v1:eu:identity:account:ab1-ovh")
		}
	}
	if len(p.Resources) == 0 {
		v.bad(at+".resources", "", "empty", "write as urn:v1:eu:resource:dnsZone:example.com")
	}
	for n, res := range p.Resources {
		if !urn.MatchString(res) || !strings.Contains(res, ":resource:") && !strings.Contains(res, ":resourceGroup:") {
			v.bad(fmt.Sprintf("%s.resources[%d]", at, n), res, "is not the URN of a resource",
				"write as urn:v1:eu:resource:dnsZone:example.com")
		}
	}
	if len(p.Purposes)+len(p.Allow) == 0 {
		v.bad(at+".purposes", "", "the policy allows nothing", "write one of "+strings.Join(Purposes(), ", "))
	}
	for n, of := range p.Purposes {
		if _, ok := purposes[of]; !ok {
			v.bad(fmt.Sprintf("%s.purposes[%d]", at, n), of, "is not a purpose", "write one of "+strings.Join(Purposes(), ", "))
		}
	}
	for n, a := range p.Allow {
		if !action.MatchString(a) {
			v.bad(fmt.Sprintf("%s.allow[%d]", at, n), a, "is not an action", "write as dnsZone:apiovh:record/get, without *")
		}
	}
}

func (v *validation) zone(at string, z Zone) {
	if !domain.MatchString(z.Name) {
		v.bad(at+".name", z.Name, "is not the name of a zone", "write it in lower case, without a dot at the end")
	}
	v.unique(at+".name", "zone", z.Name)
	types := map[string][]string{} // of each name
	for n, rec := range z.Records {
		under := fmt.Sprintf("%s.records[%d]", at, n)
		s := setOf(rec.Type, rec.Name)
		v.record(under, z.Name, s, rec)
		v.unique(under, "record of "+z.Name, s.String())
		if !rec.Absent {
			types[s.Name] = append(types[s.Name], s.Type)
		}
	}
	for sub, of := range types {
		if slices.Contains(of, "CNAME") && len(of) > 1 {
			v.bad(at+".records", sub, "has a CNAME beside other records, which DNS does not allow", "")
		}
	}
}

func (v *validation) record(at, zone string, s rrset, rec Record) {
	switch {
	case strings.ToUpper(rec.Type) != s.Type:
		v.bad(at+".type", rec.Type, "is OVH's own", "write TXT")
	case !slices.Contains(types, s.Type):
		hint := strings.Join(types, ", ")
		if near := lab.Nearest(s.Type, types); near != "" {
			hint = near
		}
		v.bad(at+".type", rec.Type, "is not a type of records", "write "+hint)
	case s.Name == "" && (s.Type == "NS" || s.Type == "CNAME"):
		v.bad(at+".type", rec.Type, "cannot be that of the zone itself", "")
	}
	switch {
	case strings.HasSuffix(s.Name, "."), s.Name == zone, strings.HasSuffix(s.Name, "."+zone):
		v.bad(at+".name", rec.Name, "holds the zone's name, which OVH would put behind it once more",
			"write the part before it, or @")
	case s.Name != "" && !subName.MatchString(s.Name) || len(s.Name)+len(zone) > 252:
		v.bad(at+".name", rec.Name, "is not a name", "")
	}
	if rec.TTL != 0 && (rec.TTL < 60 || rec.TTL > 1<<31-1) {
		v.bad(at+".ttl", fmt.Sprint(rec.TTL), "is less than 60, or too large", "leave it out for the zone's default")
	}
	switch {
	case rec.Absent && len(rec.Targets) > 0:
		v.bad(at+".targets", "", "given, and there shall be none", "")
	case !rec.Absent && len(rec.Targets) == 0:
		v.bad(at+".targets", "", "empty", "say absent: true if there shall be none")
	case (s.Type == "CNAME" || s.Type == "DNAME") && len(rec.Targets) > 1:
		v.bad(at+".targets", "", "has several, and a "+s.Type+" has one", "")
	}
	seen := map[string]bool{}
	for n, t := range rec.Targets {
		under := fmt.Sprintf("%s.targets[%d]", at, n)
		c, err := canonical(s.Type, t, "")
		switch {
		case strings.ContainsAny(t, "\n\r\x00"):
			v.bad(under, "", "holds a line break", "")
		case err != nil:
			v.bad(under, t, err.Error(), "")
		case seen[c]:
			v.bad(under, t, "is there twice", "")
		}
		seen[c] = true
	}
}

func (v *validation) delegation(at string, d Delegation) {
	if !domain.MatchString(d.Domain) {
		v.bad(at+".domain", d.Domain, "is not the name of a domain", "write it in lower case, without a dot at the end")
	}
	v.unique(at+".domain", "delegation", d.Domain)
	if n := len(d.NameServers); n < 2 || n > 8 {
		v.bad(at+".nameServers", fmt.Sprint(n), "are not two to eight", "")
	}
	seen := map[string]bool{}
	for n, s := range d.NameServers {
		h, under := hostName(s), fmt.Sprintf("%s.nameServers[%d]", at, n)
		switch {
		case !domain.MatchString(h):
			v.bad(under, s, "is not the name of a host", "")
		case h == d.Domain || strings.HasSuffix(h, "."+d.Domain):
			v.bad(under, s, "is below the domain: it would need an address at the registry", "")
		case seen[h]:
			v.bad(under, s, "is there twice", "")
		}
		seen[h] = true
	}
	for n, dropped := range d.Dropped {
		t, sub, ok := strings.Cut(dropped, " ")
		if s := setOf(t, sub); !ok || sub == "" || !slices.Contains(types, s.Type) {
			v.bad(fmt.Sprintf("%s.dropped[%d]", at, n), dropped, "is not a type and a name", "write as A www, or MX @")
		}
	}
}
