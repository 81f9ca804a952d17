package stack_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose/stack"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// What Pi-hole would drop without a word, dnsmasq would not start with, or would not do what it says, is refused.
func TestPiHoleValidate(t *testing.T) {
	if ps := pihole().Validate(); len(ps) > 0 {
		t.Errorf("the lab's: %v", ps)
	}
	zoned := netip.MustParseAddr("fe80::1%eth0")
	lan := netip.MustParseAddr("192.168.1.9")
	named := func(names ...string) []stack.PiHoleHost { return []stack.PiHoleHost{{Address: lan, Names: names}} }
	long := strings.Repeat("a", 64)
	for name, test := range map[string]struct {
		change func(*stack.PiHole)
		want   string // empty: it is right
	}{
		"an image before secrets": {func(p *stack.PiHole) {
			p.Image = "pihole/pihole:2025.02.6"
		}, "image: does not read the password"},
		"version 5": {func(p *stack.PiHole) {
			p.Image = "pihole/pihole:2024.07.0"
		}, "image: does not read the password"},
		"the first with secrets": {func(p *stack.PiHole) { p.Image = "pihole/pihole:2025.03.0" }, ""},
		"one of one's own":       {func(p *stack.PiHole) { p.Image = "registry.lab/pihole:mine" }, ""},
		"one upstream, twice": {func(p *stack.PiHole) {
			p.Upstreams = []string{"9.9.9.9", "9.9.9.9"}
		}, "upstreams: are less than two"},
		"unbound beside it":        {func(p *stack.PiHole) { p.Upstreams = []string{"127.0.0.1#5335", "::1#5335"} }, ""},
		"an upstream by name":      {func(p *stack.PiHole) { p.Upstreams[0] = "dns.google" }, "upstreams[0]: is not an IP"},
		"an upstream with a colon": {func(p *stack.PiHole) { p.Upstreams[0] = "9.9.9.9:53" }, "upstreams[0]: is not an IP"},
		"port 0":                   {func(p *stack.PiHole) { p.Upstreams[0] = "9.9.9.9#0" }, "upstreams[0]: has no port"},
		"no port":                  {func(p *stack.PiHole) { p.Upstreams[0] = "9.9.9.9#" }, "upstreams[0]: has no port"},
		"a commented host":         {func(p *stack.PiHole) { p.Hosts = named("#pi1.lab") }, "hosts[0].names: is not a name"},
		"a name with a final dot":  {func(p *stack.PiHole) { p.Hosts = named("pi1.lab.") }, "hosts[0].names: is not a name"},
		"two names in one":         {func(p *stack.PiHole) { p.Hosts = named("pi1.lab pi1") }, "hosts[0].names: is not a name"},
		"a star":                   {func(p *stack.PiHole) { p.Hosts = named("*.lab") }, "write a wildcard of the zone lab"},
		"an umlaut":                {func(p *stack.PiHole) { p.Hosts = named("büro.lab") }, "hosts[0].names: is not a name"},
		"a long label":             {func(p *stack.PiHole) { p.Hosts = named(long + ".lab") }, "hosts[0].names: is not a name"},
		"a semicolon":              {func(p *stack.PiHole) { p.Hosts = named("a.lab;b.lab") }, "hosts[0].names: is not a name"},
		"its own name": {func(p *stack.PiHole) {
			p.Hosts = named("Pi.Hole")
		}, "hosts[0].names: is answered by Pi-hole itself"},
		"an underscore":          {func(p *stack.PiHole) { p.Hosts, p.CNAMEs = named("_acme.lab"), nil }, ""},
		"an address with a zone": {func(p *stack.PiHole) { p.Hosts[0].Address = zoned }, "hosts[0].address: has a zone"},
		"a wildcard with a star": {func(p *stack.PiHole) { p.Wildcards[0].Zone = "*.arcodange.lab" }, "(write arcodange.lab)"},
		"a wildcard twice": {func(p *stack.PiHole) {
			p.Wildcards = append(p.Wildcards, p.Wildcards[0])
		}, "wildcards[1].zone: has an address by wildcards[0]"},
		"a wildcard of both families": {func(p *stack.PiHole) {
			p.Wildcards = append(p.Wildcards, stack.PiHoleWildcard{Zone: "arcodange.lab", Address: netip.MustParseAddr("fd00::1")})
		}, ""},
		"a wildcard within": {func(p *stack.PiHole) {
			p.Wildcards = append(p.Wildcards, stack.PiHoleWildcard{Zone: "erp.arcodange.lab", Address: lan})
		}, ""},
		"an alias of a wildcard": {func(p *stack.PiHole) {
			p.CNAMEs = []string{"a.lab,any.arcodange.lab"}
		}, "cnames[0]: leads to no host"},
		"an alias of the Internet": {func(p *stack.PiHole) {
			p.CNAMEs = []string{"a.lab,example.org"}
		}, "cnames[0]: leads to no host"},
		"an alias of itself": {func(p *stack.PiHole) {
			p.CNAMEs = []string{"a.lab,b.lab", "b.lab,a.lab"}
		}, "cnames[0]: leads to no host"},
		"an alias of an alias": {func(p *stack.PiHole) {
			p.CNAMEs = []string{"a.lab,b.lab", "b.lab,PI1.arcodange.lab,300"}
		}, ""},
		"two aliases": {func(p *stack.PiHole) { p.CNAMEs = []string{"a.lab,b.lab,pi1.arcodange.lab"} }, ""},
		"an alias twice": {func(p *stack.PiHole) {
			p.CNAMEs = []string{"a.lab,pi1", "A.lab,pi1"}
		}, "cnames[1]: is an alias already"},
		"an alias that is a host": {func(p *stack.PiHole) {
			p.CNAMEs = []string{"pi1,pi1.arcodange.lab"}
		}, "cnames[0]: is the name of a host too"},
		"an alias of nothing":   {func(p *stack.PiHole) { p.CNAMEs = []string{"a.lab,"} }, "cnames[0]: is not a list"},
		"an alias with a space": {func(p *stack.PiHole) { p.CNAMEs = []string{"a.lab, pi1"} }, "cnames[0]: is not a list"},
		"an alias of pi.hole": {func(p *stack.PiHole) {
			p.CNAMEs = []string{"a.lab,pi.hole"}
		}, "cnames[0]: leads to no host"},
		"reverse without enabled": {func(p *stack.PiHole) {
			p.Reverse = []string{"192.168.1.0/24,192.168.1.1,home"}
		}, "reverse[0]: is not a list"},
		"reverse of one address": {func(p *stack.PiHole) {
			p.Reverse = []string{"true,192.168.1.0,192.168.1.1"}
		}, "reverse[0]: is not a network"},
		"reverse of everything": {func(p *stack.PiHole) {
			p.Reverse = []string{"true,0.0.0.0/0,192.168.1.1"}
		}, "reverse[0]: is not a network"},
		"reverse by a name": {func(p *stack.PiHole) {
			p.Reverse = []string{"true,192.168.1.0/24,fritz.box"}
		}, "reverse[0]: is not an IP"},
		"reverse with two zones": {func(p *stack.PiHole) {
			p.Reverse = []string{"true,192.168.1.0/24,192.168.1.1,a,b"}
		}, "reverse[0]: is not a list"},
		"reverse of a wildcard's zone": {func(p *stack.PiHole) {
			p.Reverse = []string{"true,192.168.1.0/24,192.168.1.1,Arcodange.lab"}
		}, "reverse[0]: is answered here"},
		"reverse of a host": {func(p *stack.PiHole) {
			p.Reverse = []string{"true,192.168.1.0/24,192.168.1.1,PI1"}
		}, "reverse[0]: is the name of a host too"},
		"reverse that is off": {func(p *stack.PiHole) { p.Reverse = []string{"false,192.168.1.0/24,192.168.1.1"} }, ""},
		"an empty line":       {func(p *stack.PiHole) { p.Lines = []string{" "} }, "lines[0]: says nothing"},
		"a comment":           {func(p *stack.PiHole) { p.Lines = []string{"# x"} }, "lines[0]: says nothing"},
		"a line with a semicolon": {func(p *stack.PiHole) {
			p.Lines = []string{"txt-record=k._domainkey.lab,\"v=DKIM1; p=x\""}
		}, "lines[0]: holds a semicolon"},
		"two lines in one": {func(p *stack.PiHole) {
			p.Lines = []string{"a=b\nc=d"}
		}, "lines[0]: holds a semicolon or a newline"},
		"a line with a dollar sign": {func(p *stack.PiHole) { p.Lines = []string{"txt-record=x.lab,${HOME}$y"} }, ""},
		"hosts that fit no variable": {func(p *stack.PiHole) {
			p.Hosts = make([]stack.PiHoleHost, 0)
			for range 3000 {
				p.Hosts = append(p.Hosts, named(long[:60]+".lab")...)
			}
			p.CNAMEs = nil
		}, "hosts: are"},
		"a negative rate":                {func(p *stack.PiHole) { p.RateLimit = -1 }, "rateLimit: is negative"},
		"ports with a space":             {func(p *stack.PiHole) { p.WebPorts = "8081o, 8443os" }, "webPorts: is not a list"},
		"a time zone that is a sentence": {func(p *stack.PiHole) { p.Timezone = "Europe/Paris;x" }, "timezone: is not"},
	} {
		p := pihole()
		test.change(&p)
		ps := p.Validate()
		if test.want == "" && len(ps) > 0 || test.want != "" && !strings.Contains(ps.Error(), test.want) {
			t.Errorf("%s: want %q, got:\n%v", name, test.want, ps)
		}
		if _, err := p.Stack(); test.want != "" && !errors.Is(err, lab.ErrInvalid) {
			t.Errorf("%s: the stack: %v", name, err)
		}
	}
}

// What a line holds arrives as it is.
func TestPiHoleLines(t *testing.T) {
	m, _, d := pi(t)
	p := pihole()
	p.Lines = []string{"txt-record=x.lab,${HOME}$y"}
	apply(t, m, must(t, p))
	if got := d.Containers()[0].Env["FTLCONF_misc_dnsmasq_lines"]; !strings.HasSuffix(got, ";txt-record=x.lab,${HOME}$y") {
		t.Errorf("the lines are %q", got)
	}
}

// A line that dnsmasq does not take leaves what runs alone; the image that tests it is brought for it.
func TestPiHoleMalformed(t *testing.T) {
	m, box, d := pi(t)
	refuse := func(p stack.PiHole) {
		t.Helper()
		plan, err := m.Plan(t.Context(), host.State{must(t, p)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "bad option at line 7 of") ||
			!strings.Contains(err.Error(), "the line is: adress=/x.lab/192.168.1.9") {
			t.Error(err)
		}
	}
	bad := pihole()
	bad.Wildcards, bad.Hosts, bad.CNAMEs, bad.Reverse = nil, nil, nil, nil
	bad.Lines = []string{"local=/x.lab/", "adress=/x.lab/192.168.1.9"}
	refuse(bad)
	if n := len(d.Containers()); n != 0 {
		t.Errorf("%d containers", n)
	}
	apply(t, m, must(t, pihole()))
	before, changes := mustRead(t, box, "/opt/stacks/pihole/dnsmasq.conf"), d.Counters().Changes
	refuse(bad)
	if after := mustRead(t, box, "/opt/stacks/pihole/dnsmasq.conf"); string(after) != string(before) || d.Counters().Changes != changes {
		t.Errorf("%d changes; the file is now:\n%s", d.Counters().Changes-changes, after)
	}
	apply(t, m, must(t, pihole()))
}
