package dns_test

import (
	"fmt"
	"net/netip"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/compose/stack"
	"gitea.arcodange.lab/arcodange-org/lab/host/dns"
)

func ExampleConfig() {
	pi1, pi3 := netip.MustParseAddr("192.168.1.201"), netip.MustParseAddr("192.168.1.203")
	c := dns.Config{
		PiHole: stack.PiHole{
			Image:     "pihole/pihole:2025.08.0",
			Upstreams: []string{"9.9.9.9", "dns.google"},
			Hosts:     []stack.PiHoleHost{{Address: pi1, Names: []string{"pi1.arcodange.lab", "pi1"}}},
			Wildcards: []stack.PiHoleWildcard{{Zone: "*.arcodange.lab", Address: pi1}},
			Password:  lab.NewSecret("of the web interface"),
			Lock:      compose.Lock{"pihole/pihole:2025.08.0": {Digest: "sha256:" + strings.Repeat("0", 64)}},
		},
		Servers: []dns.Server{{Name: "pi1", Address: pi1}, {Name: "pi3", Address: pi3}},
	}
	fmt.Println(c.Validate())

	c.Upstreams[1], c.Wildcards[0].Zone = "1.1.1.1", "arcodange.lab"
	state, err := c.State("pi1")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range append(state, c.Resolvers()...) {
		fmt.Println(r.ID())
	}
	// Output:
	// upstreams[1]: is not an IP address: a name could not be resolved after a power cut: dns.google
	// wildcards[0].zone: is not the name of a zone: *.arcodange.lab (write arcodange.lab)
	// dns-port:pihole
	// dns-peers:pihole
	// stack:pihole
	// resolvers:/etc/resolv.conf
}
