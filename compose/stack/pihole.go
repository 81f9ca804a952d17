package stack

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// PiHole is a Pi-hole version 6. All of its configuration that the stack sets comes by the
// environment, which makes it read-only everywhere else (docs.pi-hole.net, FTL, configuration): two
// instances made of one PiHole answer alike. The lines that it makes of this for its dnsmasq are
// tested by the image itself before the container that runs is replaced.
//
// It is in the machine's network, so that it sees who asks and need not answer everybody. Deploy
// the instances one after the other, with a gate that asks for a name: never both at once. Package
// host/dns does that.
type PiHole struct {
	Name string `yaml:"name"` // of the project; empty means pihole

	// Image has a date for its tag, "pihole/pihole:2025.08.0": 2025.03.0 or later, since earlier ones do not read the
	// password from a file.
	Image string `yaml:"image,required"`

	WebPorts string `yaml:"webPorts"` // FTL's form; empty means "8081o,8443os": Traefik has 80 and 443 on every node
	Timezone string `yaml:"timezone"` // empty means Etc/UTC

	// Upstreams are the name servers that it asks, by IP, two or more: "9.9.9.9", "127.0.0.1#5335" with a port. It
	// looks up its own block lists there too, so that it can start without any Pi-hole.
	Upstreams []string `yaml:"upstreams,required"`

	Hosts []PiHoleHost `yaml:"hosts"` // names with addresses; empty means none

	// Wildcards are zones of which every other name has one address; empty means none.
	Wildcards []PiHoleWildcard `yaml:"wildcards"`

	// CNAMEs are "ALIAS,TARGET", the target being the name of a host or another alias; empty means none.
	CNAMEs []string `yaml:"cnames"`

	// Reverse is conditional forwarding, "true,192.168.1.0/24,192.168.1.1,home"; empty means none.
	Reverse []string `yaml:"reverse"`

	// Lines are more lines for its dnsmasq, "txt-record=arcodange.lab,hello"; empty means none.
	Lines []string `yaml:"lines"`

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

// PiHoleHost is an address and its names. The first name is the one that the address has (PTR).
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

func (p PiHole) name() string { return nameOr(p.Name, "pihole") }

// lines returns lines for dnsmasq beside Pi-hole's own settings. The machine's /etc/hosts, which the container sees, is
// left out: in a Debian, the machine's own name is 127.0.1.1 there (pi-hole/docker-pi-hole #756).
func (p PiHole) lines() []string {
	out := []string{"no-hosts"}
	for _, w := range p.Wildcards {
		out = append(out, fmt.Sprintf("address=/%s/%s", w.Zone, w.Address), fmt.Sprintf("local=/%s/", w.Zone))
	}
	for _, name := range p.outside() {
		out = append(out, fmt.Sprintf("local=/%s/", name))
	}
	return append(out, p.Lines...)
}

// outside returns the names of hosts that are in no zone of a wildcard. What is asked of one of them and is not there,
// such as its AAAA, would be asked for in the Internet, which may know a host of this name (pi-hole/FTL #2561, #2925).
func (p PiHole) outside() (names []string) {
	for _, h := range p.Hosts {
		for _, name := range h.Names {
			in := func(w PiHoleWildcard) bool { return below(name, w.Zone) }
			seen := func(n string) bool { return sameName(n, name) }
			if !slices.ContainsFunc(p.Wildcards, in) && !slices.ContainsFunc(names, seen) {
				names = append(names, name)
			}
		}
	}
	return names
}

// dnsmasq returns what Pi-hole makes of the configuration for its dnsmasq, beside its own settings
// (github.com/pi-hole/FTL, src/config/dnsmasq_config.c).
func (p PiHole) dnsmasq() string {
	var b strings.Builder
	b.WriteString("# What Pi-hole makes of its configuration for its dnsmasq. Written by lab to be tested, and read " +
		"by nobody else.\nno-resolv\n")
	for _, u := range p.Upstreams {
		b.WriteString("server=" + u + "\n")
	}
	for _, r := range p.Reverse {
		f := strings.Split(r, ",")
		if len(f) < 3 || f[0] != "true" {
			continue
		}
		fmt.Fprintf(&b, "rev-server=%s,%s\n", f[1], f[2])
		if len(f) > 3 {
			fmt.Fprintf(&b, "server=/%s/%s\n", f[3], f[2])
		}
	}
	for _, c := range p.CNAMEs {
		b.WriteString("cname=" + c + "\n")
	}
	for _, line := range p.lines() {
		b.WriteString(line + "\n")
	}
	return b.String()
}

// probe returns the name that is asked for to see whether the server is healthy.
func (p PiHole) probe() string {
	switch {
	case p.Check != "":
		return p.Check
	case len(p.Hosts) > 0:
		return p.Hosts[0].Names[0]
	}
	return piholeName
}

// hostList returns the hosts as Pi-hole takes them, in one variable.
func (p PiHole) hostList() string {
	var hosts []string
	for _, h := range p.Hosts {
		hosts = append(hosts, h.Address.String()+" "+strings.Join(h.Names, " "))
	}
	return strings.Join(hosts, ";")
}

// environment returns all settings. Those that are not of the configuration are there because two instances in the
// networks of their machines would differ, or be in the way of others:
//
//   - By default, an instance answers what the address of its machine is called with pi.hole.
//   - It is a time server by default, and sets the time: here that is the machine's own affair.
func (p PiHole) environment() object {
	e := object{}
	for name, value := range map[string]string{
		"TZ":                          cmp.Or(p.Timezone, "Etc/UTC"),
		"WEBPASSWORD_FILE":            "pihole_password", // below /run/secrets
		"FTLCONF_webserver_port":      p.webPorts(),
		"FTLCONF_dns_listeningMode":   "LOCAL",
		"FTLCONF_dns_upstreams":       strings.Join(p.Upstreams, ";"),
		"FTLCONF_dns_hosts":           p.hostList(),
		"FTLCONF_dns_cnameRecords":    strings.Join(p.CNAMEs, ";"),
		"FTLCONF_dns_revServers":      strings.Join(p.Reverse, ";"),
		"FTLCONF_dns_rateLimit_count": fmt.Sprint(cmp.Or(p.RateLimit, 10000)),
		"FTLCONF_dns_piholePTR":       "NONE",
		"FTLCONF_misc_dnsmasq_lines":  strings.Join(p.lines(), ";"),
		"FTLCONF_ntp_ipv4_active":     "false",
		"FTLCONF_ntp_ipv6_active":     "false",
		"FTLCONF_ntp_sync_active":     "false",
	} {
		e[name] = strings.ReplaceAll(value, "$", "$$") // which Compose would take for a variable
	}
	return e
}

// resolvers returns the name servers that the container itself asks: the upstreams, but for those on a port of their
// own. The machine's may be the Pi-holes, none of which answers after a power cut, and an instance without its block
// lists waits for them before it answers (pi-hole/docker-pi-hole #342, #1789).
func (p PiHole) resolvers() (out []string) {
	for _, u := range p.Upstreams {
		if addr, port, _ := strings.Cut(u, "#"); port == "" || port == "53" {
			out = append(out, addr)
		}
	}
	return out
}

// ports returns the ports that an instance takes from the machine.
func (p PiHole) ports() []string {
	out := []string{"53/tcp", "53/udp"}
	for _, w := range strings.Split(p.webPorts(), ",") {
		w = w[strings.LastIndexByte(w, ':')+1:] // after an address
		if n := strings.TrimRight(w, "abcdefghijklmnopqrstuvwxyz"); n != "" && n != "0" {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// webPorts returns the ports of the web server, in FTL's form.
func (p PiHole) webPorts() string { return cmp.Or(p.WebPorts, "8081o,8443os") }

// Stack returns the stack. Its error is a [lab.Problems] when the configuration is wrong.
func (p PiHole) Stack() (compose.Stack, error) {
	if ps := p.Validate(); len(ps) > 0 {
		return compose.Stack{}, ps
	}
	service := object{
		"image": p.Image, "restart": "unless-stopped", "network_mode": "host", "expose": p.ports(),
		"environment": p.environment(),
		"secrets":     []string{"pihole_password"},
		"volumes":     []string{"./etc-pihole:/etc/pihole"},
		// dig ends well with any answer, also that there is no such name, and prints what went
		// wrong after ;; where the answer would be
		"healthcheck": healthcheck("10s", "60s",
			"sh", "-c", "dig +short +norecurse +retry=0 @127.0.0.1 "+p.probe()+" | grep -q '^[^;]'"),
	}
	if dns := p.resolvers(); len(dns) > 0 {
		service["dns"] = dns
	}
	files := []compose.File{{Path: piholeLines, Content: p.dnsmasq()}}
	s, err := load(p.name(), object{
		"services": object{"pihole": service},
		"secrets":  object{"pihole_password": object{"file": "./secrets/pihole_password"}},
	}, map[string]lab.Secret{"pihole_password": p.Password}, files, p.Lock)
	for i, f := range s.Files {
		if f.Path == piholeLines {
			s.Files[i].ValidateWith = tryDnsmasq(s.Image("pihole"))
		}
	}
	s.Timeout = p.Timeout
	return s, err
}

// piholeLines is the file with what is tested.
const piholeLines = "dnsmasq.conf"

// tryDnsmasq tests lines for dnsmasq, in the file in place of %s, with the one of the image.
func tryDnsmasq(image string) string {
	return "file=%s\n" + script.Join(scripts, script.Variables{"image": image}, "trydnsmasq.sh")
}
