package dnstest

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is what a name server knows, as dnsmasq reads it.
type zone struct {
	hosts   map[string][]netip.Addr // by name
	called  map[netip.Addr][]string // names of addresses
	address map[string][]netip.Addr // address=/ZONE/IP
	local   []string                // local=/ZONE/
	aliases map[string]string
}

// reply is what is said to a question; a nil reply is none.
type reply struct {
	code  dnsmessage.RCode
	addrs []netip.Addr
	names []string
}

// readZone reads the variables of a Pi-hole.
func readZone(env map[string]string) zone {
	own := []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	z := zone{hosts: map[string][]netip.Addr{"pi.hole": own}, called: map[netip.Addr][]string{},
		address: map[string][]netip.Addr{},
		aliases: map[string]string{}}
	list := func(name string) []string {
		return slices.DeleteFunc(strings.Split(env["FTLCONF_"+name], ";"), func(s string) bool { return s == "" })
	}
	for _, h := range list("dns_hosts") {
		f := strings.Fields(h)
		a := netip.MustParseAddr(f[0])
		z.called[a] = append(z.called[a], f[1])
		for _, name := range f[1:] {
			z.hosts[strings.ToLower(name)] = append(z.hosts[strings.ToLower(name)], a)
		}
	}
	for _, c := range list("dns_cnameRecords") {
		alias, target, _ := strings.Cut(strings.ToLower(c), ",")
		z.aliases[alias] = target
	}
	for _, line := range list("misc_dnsmasq_lines") {
		option, value, _ := strings.Cut(line, "=")
		f := strings.Split(value, "/")
		switch {
		case len(f) != 3 || f[0] != "":
		case option == "address":
			z.address[strings.ToLower(f[1])] = append(z.address[strings.ToLower(f[1])], netip.MustParseAddr(f[2]))
		case option == "local":
			z.local = append(z.local, strings.ToLower(f[1]))
		}
	}
	return z
}

// within returns the longest of the zones that a name is in, "" if it is in none.
func within(name string, zones []string) (longest string) {
	for _, z := range zones {
		if (name == z || strings.HasSuffix(name, "."+z)) && len(z) > len(longest) {
			longest = z
		}
	}
	return longest
}

// answer answers a question, with upstream for what it does not know.
func (z zone) answer(name string, kind dnsmessage.Type, upstream func(string, dnsmessage.Type) *reply) *reply {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for range z.aliases {
		if target, ok := z.aliases[name]; ok {
			name = target
		}
	}
	if kind == dnsmessage.TypePTR {
		for a, names := range z.called {
			if reverse(a) == name {
				return &reply{names: names[:1]}
			}
		}
		return &reply{code: dnsmessage.RCodeNameError} // Pi-hole sends none for a private address on
	}
	family := func(all []netip.Addr) (some []netip.Addr) {
		for _, a := range all {
			if kind == dnsmessage.TypeA && a.Is4() || kind == dnsmessage.TypeAAAA && a.Is6() {
				some = append(some, a)
			}
		}
		return some
	}
	var zones []string
	for zone := range z.address {
		zones = append(zones, zone)
	}
	known, wild := z.hosts[name], z.address[within(name, zones)]
	for _, all := range [][]netip.Addr{known, wild} {
		if some := family(all); len(some) > 0 {
			return &reply{addrs: some}
		}
	}
	if within(name, z.local) != "" {
		if known == nil && wild == nil {
			return &reply{code: dnsmessage.RCodeNameError}
		}
		return &reply{}
	}
	return upstream(name, kind)
}

// reverse returns the name of an IPv4 address, by which it is asked what it is called.
func reverse(a netip.Addr) string {
	f := strings.Split(a.String(), ".")
	slices.Reverse(f)
	return strings.Join(f, ".") + ".in-addr.arpa"
}
