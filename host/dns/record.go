package dns

import (
	"net/netip"
	"slices"
	"strings"
)

// record is what the instances must say of a name.
type record struct {
	name  string
	v4    []netip.Addr // any of these and no others; none means that there is no A
	v6    []netip.Addr // the same for AAAA
	named []netip.Addr // those that have a name of their own (PTR), see [Config.called]; none means that it is not asked
}

// add adds an address, once.
func (r *record) add(a netip.Addr) {
	at := &r.v4
	if a.Is6() {
		at = &r.v6
	}
	if !slices.Contains(*at, a) {
		*at = append(*at, a)
	}
}

// unlikely is a name in a zone that is no host's.
const unlikely = "lab-gate-probe"

// records returns everything that is said of the lab: hosts, wildcards, aliases.
func (c Config) records() (out []record) {
	index := map[string]int{}
	at := func(name string) *record {
		key := strings.ToLower(name)
		i, ok := index[key]
		if !ok {
			i = len(out)
			index[key] = i
			out = append(out, record{name: name})
		}
		return &out[i]
	}
	for _, h := range c.Hosts {
		for i, name := range h.Names {
			r := at(name)
			r.add(h.Address)
			if i == 0 && !slices.Contains(r.named, h.Address) {
				r.named = append(r.named, h.Address)
			}
		}
	}
	for i := range out {
		c.fillIn(&out[i])
	}
	for _, w := range c.Wildcards {
		at(unlikely + "." + w.Zone).add(w.Address)
	}
	for _, alias := range c.CNAMEs {
		f := strings.Split(alias, ",")
		if target, ok := c.target(f[0], map[string]bool{}); ok {
			r := record{name: f[0]}
			for _, h := range c.Hosts {
				if slices.ContainsFunc(h.Names, func(n string) bool { return strings.EqualFold(n, target) }) {
					r.add(h.Address)
				}
			}
			out = append(out, r)
		}
	}
	return out
}

// fillIn adds to a host in the zone of a wildcard the address of the family that it has none of: dnsmasq answers with that
// of the innermost zone.
func (c Config) fillIn(r *record) {
	zone := ""
	for _, w := range c.Wildcards {
		if name := "." + strings.ToLower(r.name); strings.HasSuffix(name, "."+strings.ToLower(w.Zone)) && len(w.Zone) > len(zone) {
			zone = w.Zone
		}
	}
	has4, has6 := len(r.v4) > 0, len(r.v6) > 0
	for _, w := range c.Wildcards {
		if strings.EqualFold(w.Zone, zone) && (w.Address.Is4() && !has4 || w.Address.Is6() && !has6) {
			r.add(w.Address)
		}
	}
}

// called returns the names that an address may have: each line of hosts has one, its first.
func (c Config) called(a netip.Addr) (names []string) {
	for _, h := range c.Hosts {
		if h.Address == a && len(h.Names) > 0 {
			names = append(names, h.Names[0])
		}
	}
	return names
}

// target returns the host that an alias leads to.
func (c Config) target(alias string, seen map[string]bool) (host string, ok bool) {
	if seen[strings.ToLower(alias)] {
		return "", false
	}
	seen[strings.ToLower(alias)] = true
	for _, line := range c.CNAMEs {
		f := strings.Split(line, ",")
		if len(f) > 2 && !strings.ContainsFunc(f[len(f)-1], func(r rune) bool { return r < '0' || r > '9' }) {
			f = f[:len(f)-1]
		}
		last := len(f) - 1
		if slices.ContainsFunc(f[:last], func(a string) bool { return strings.EqualFold(a, alias) }) {
			return c.target(f[last], seen)
		}
	}
	return alias, true
}

// critical returns the one record that stands for all others where only one is asked for: that of the first host with a
// dot in its name and an IPv4 address, or of the first wildcard. It is false if there is none.
func (c Config) critical() (record, bool) {
	for _, wildcard := range []bool{false, true} {
		for _, r := range c.records() {
			is4 := slices.ContainsFunc(r.named, netip.Addr.Is4)
			if wildcard {
				is4 = strings.HasPrefix(r.name, unlikely+".") && len(r.v4) > 0
			}
			if is4 && strings.Contains(r.name, ".") {
				return r, true
			}
		}
	}
	return record{}, false
}
