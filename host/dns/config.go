package dns

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose/stack"
)

// Config is the name service of the lab, the same for all machines.
type Config struct {
	stack.PiHole `yaml:",inline"`

	// Outside is a name of the Internet that every instance must resolve; empty means example.com,
	// which is there for such uses (RFC 2606).
	Outside string `yaml:"outside"`

	// Search are domains that the machines try for names without a dot; empty means none.
	Search []string `yaml:"search"`

	// Patience is how long an instance may take to answer everything after it was changed; 0 means a minute.
	Patience time.Duration `yaml:"patience"`

	// Servers are the machines that have an instance, three at most, since resolvers ask no more.
	Servers []Server `yaml:"-"`
}

// Server is a machine that has a Pi-hole.
type Server struct {
	Name    string     // of the machine
	Address netip.Addr // of the machine in the LAN, which others ask
}

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*$`)

// maxServers is how many name servers glibc asks (MAXNS, resolv.conf(5)).
const maxServers = 3

func (c Config) outside() string { return cmp.Or(c.Outside, "example.com") }

func (c Config) patience() time.Duration { return cmp.Or(c.Patience, time.Minute) }

// Validate returns everything that is wrong with the Config. Paths name its fields.
func (c Config) Validate() lab.Problems {
	ps := c.PiHole.Validate()
	ps = append(ps, c.validateAsked(len(ps) == 0)...)
	if c.Patience < 0 {
		ps.Add("patience", "is negative")
	}
	return append(ps, c.validateServers()...)
}

// validateAsked returns what is wrong with the names that are asked for; right is whether the Pi-hole itself is right.
func (c Config) validateAsked(right bool) (ps lab.Problems) {
	fields := map[string][]string{"outside": {c.outside()}, "search": c.Search}
	if right {
		r, ok := c.critical()
		if fields["hosts"] = []string{r.name}; !ok {
			fields["hosts"] = nil
			ps.Add("hosts", "there is no name with a dot and an IPv4 address, neither here nor in wildcards, to ask for")
		}
	}
	for field, names := range fields {
		for _, n := range names {
			if _, err := dnsmessage.NewName(n + "."); err != nil || !namePattern.MatchString(n) {
				ps = append(ps, lab.Problem{Path: field, Text: n, Message: "is not a name"})
			}
		}
	}
	return ps
}

func (c Config) validateServers() (ps lab.Problems) {
	if len(c.Servers) == 0 || len(c.Servers) > maxServers {
		ps.Add("servers", "are %d; one to %d can be asked", len(c.Servers), maxServers)
	}
	for i, s := range c.Servers {
		at := fmt.Sprintf("servers[%d]", i)
		bad := func(message, hint string) {
			ps = append(ps, lab.Problem{Path: at, Text: s.Name + " " + s.Address.String(), Message: message, Hint: hint})
		}
		if !s.Address.IsValid() || s.Address.Zone() != "" || s.Address.IsUnspecified() || s.Address.IsMulticast() {
			bad("has no address in the LAN", "write its IP address in the inventory, instead of a name")
			continue
		}
		if s.Address.IsLoopback() {
			bad("is a loopback address, which k3s would replace for its pods by a public name server", "name the address in the LAN")
		}
		same := func(o Server) bool { return o.Name == s.Name || o.Address == s.Address }
		if slices.ContainsFunc(c.Servers[:i], same) {
			bad("is there already", "remove one of them")
		}
		if slices.ContainsFunc(c.Upstreams, func(u string) bool {
			return u == s.Address.String() || u == s.Address.String()+"#53"
		}) {
			bad("is one of its own upstreams: questions would go round in circles", "take it out of upstreams")
		}
	}
	return ps
}
