package stack

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
)

// PiHole is a Pi-hole version 6. All of its configuration that the stack sets comes by the
// environment, which makes it read-only everywhere else (docs.pi-hole.net, FTL, configuration): two
// instances made of one PiHole answer alike.
//
// It is in the machine's network, so that it sees who asks and need not answer everybody. Deploy
// the instances one after the other, with a gate that asks for a name: never both at once.
type PiHole struct {
	Name  string `yaml:"name"`           // of the project; empty means pihole
	Image string `yaml:"image,required"` // a date, "pihole/pihole:2025.08.0"

	WebPorts string `yaml:"webPorts"` // FTL's form; empty means "8081o,8443os": Traefik has 80 and 443 on every node
	Timezone string `yaml:"timezone"` // empty means Etc/UTC

	Upstreams []string     `yaml:"upstreams,required"` // name servers by IP, two or more
	Hosts     []PiHoleHost `yaml:"hosts"`              // names of the zone; empty means none

	// Wildcards are zones of which every other name has one address; empty means none.
	Wildcards []PiHoleWildcard `yaml:"wildcards"`

	// CNAMEs are "ALIAS,TARGET", the target being known here; empty means none.
	CNAMEs []string `yaml:"cnames"`

	// Reverse is conditional forwarding, "true,192.168.1.0/24,192.168.1.1,home"; empty means none.
	Reverse []string `yaml:"reverse"`

	// RateLimit is how many queries a client may send in a minute; 0 means 10000, since the pods of
	// a node ask as one client.
	RateLimit int `yaml:"rateLimit"`

	// Check is a name that it must resolve to be healthy; empty means the first of hosts, or
	// pi.hole without any.
	Check string `yaml:"check"`

	Timeout time.Duration `yaml:"timeout"` // how long the server may take to get healthy; 0 means 3 minutes

	Password lab.Secret   `yaml:"-"` // of the web interface and the API
	Lock     compose.Lock `yaml:"-"` // pins the image
}

// PiHoleHost is an address and its names.
type PiHoleHost struct {
	Address netip.Addr `yaml:"address,required"`
	Names   []string   `yaml:"names,required"` // one or more
}

// PiHoleWildcard answers every name of a zone, and the zone itself, with one address. Queries of
// other types are answered with nothing, not sent on: that takes a second line, or AAAA and HTTPS
// of names here would be asked for in the Internet.
type PiHoleWildcard struct {
	Zone    string     `yaml:"zone,required"`
	Address netip.Addr `yaml:"address,required"`
}

var dnsName = regexp.MustCompile(`^[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?)*$`)

func (p PiHole) name() string { return nameOr(p.Name, "pihole") }

// Validate returns everything that is wrong with the configuration, the secrets that it needs among it.
func (p PiHole) Validate() (ps lab.Problems) {
	if p.Password.IsZero() {
		ps.Add("password", "is empty: everybody could change the DNS")
	}
	if len(p.Upstreams) < 2 {
		ps.Add("upstreams", "are less than two")
	}
	for i, u := range p.Upstreams {
		addr, _, _ := strings.Cut(u, "#")
		if _, err := netip.ParseAddr(addr); err != nil {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("upstreams[%d]", i), Text: u,
				Message: "is not an IP address: a name could not be resolved after a power cut"})
		}
	}
	if p.Check != "" && !dnsName.MatchString(p.Check) {
		ps = append(ps, lab.Problem{Path: "check", Text: p.Check, Message: "is not a name"})
	}
	for i, h := range p.Hosts {
		at := fmt.Sprintf("hosts[%d]", i)
		if !h.Address.IsValid() {
			ps.Add(at+".address", "is empty")
		}
		if len(h.Names) == 0 {
			ps.Add(at+".names", "there are none")
		}
		for _, n := range h.Names {
			if !dnsName.MatchString(n) {
				ps = append(ps, lab.Problem{Path: at + ".names", Text: n, Message: "is not a name"})
			}
		}
	}
	for i, w := range p.Wildcards {
		if !dnsName.MatchString(w.Zone) || !w.Address.IsValid() {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("wildcards[%d]", i), Text: w.Zone,
				Message: "is not a zone with an address"})
		}
	}
	return append(append(ps, validateLists("cnames", p.CNAMEs)...), validateLists("reverse", p.Reverse)...)
}

func validateLists(field string, lists []string) (ps lab.Problems) {
	for i, l := range lists {
		if !strings.Contains(l, ",") || strings.ContainsAny(l, ";\n ") {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("%s[%d]", field, i), Text: l,
				Message: "is not a list with commas, without spaces"})
		}
	}
	return ps
}

// lines returns lines for dnsmasq beside Pi-hole's own settings.
func (p PiHole) lines() (out []string) {
	for _, w := range p.Wildcards {
		out = append(out, fmt.Sprintf("address=/%s/%s", w.Zone, w.Address), fmt.Sprintf("local=/%s/", w.Zone))
	}
	return out
}

// probe returns the name that is asked for to see whether the server is healthy.
func (p PiHole) probe() string {
	switch {
	case p.Check != "":
		return p.Check
	case len(p.Hosts) > 0:
		return p.Hosts[0].Names[0]
	}
	return "pi.hole"
}

// Stack returns the stack. Its error is a [lab.Problems] when the configuration is wrong.
func (p PiHole) Stack() (compose.Stack, error) {
	if ps := p.Validate(); len(ps) > 0 {
		return compose.Stack{}, ps
	}
	var hosts []string
	for _, h := range p.Hosts {
		hosts = append(hosts, h.Address.String()+" "+strings.Join(h.Names, " "))
	}
	list := func(v []string) string { return strings.Join(v, ";") }
	service := object{
		"image": p.Image, "restart": "unless-stopped", "network_mode": "host",
		"environment": object{
			"TZ":                          cmp.Or(p.Timezone, "Etc/UTC"),
			"WEBPASSWORD_FILE":            "pihole_password", // below /run/secrets
			"FTLCONF_webserver_port":      cmp.Or(p.WebPorts, "8081o,8443os"),
			"FTLCONF_dns_listeningMode":   "LOCAL",
			"FTLCONF_dns_upstreams":       list(p.Upstreams),
			"FTLCONF_dns_hosts":           list(hosts),
			"FTLCONF_dns_cnameRecords":    list(p.CNAMEs),
			"FTLCONF_dns_revServers":      list(p.Reverse),
			"FTLCONF_dns_rateLimit_count": fmt.Sprint(cmp.Or(p.RateLimit, 10000)),
			"FTLCONF_misc_dnsmasq_lines":  list(p.lines()),
		},
		"secrets": []string{"pihole_password"},
		"volumes": []string{"./etc-pihole:/etc/pihole"},
		// dig ends well with any answer, also that there is no such name, and prints what went
		// wrong after ;; where the answer would be
		"healthcheck": healthcheck("10s", "60s",
			"sh", "-c", "dig +short +norecurse +retry=0 @127.0.0.1 "+p.probe()+" | grep -q '^[^;]'"),
	}
	s, err := load(p.name(), object{
		"services": object{"pihole": service},
		"secrets":  object{"pihole_password": object{"file": "./secrets/pihole_password"}},
	}, map[string]lab.Secret{"pihole_password": p.Password}, nil, p.Lock)
	s.Timeout = p.Timeout
	return s, err
}
