package stack

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

var (
	dnsName  = regexp.MustCompile(`^[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?)*$`)
	dateTag  = regexp.MustCompile(`^(20[0-9]{2})\.([0-9]{2})`)
	ftlPorts = regexp.MustCompile(`^[0-9a-z.:\[\]]+(,[0-9a-z.:\[\]]+)*$`)
	zoneName = regexp.MustCompile(`^[A-Za-z0-9_+/-]+$`) // of tzdata
)

// piholeName is what Pi-hole calls itself, whatever the machine is called.
const piholeName = "pi.hole"

// maxEnvironment is how many bytes a variable may have: the kernel takes no argument of more than 128 KiB (execve(2)).
const maxEnvironment = 120 << 10

// below reports whether a name is a zone or in it.
func below(name, zone string) bool {
	name, zone = strings.ToLower(name), strings.ToLower(zone)
	return name == zone || strings.HasSuffix(name, "."+zone)
}

func sameName(a, b string) bool { return strings.EqualFold(a, b) }

// isDNSName reports whether dnsmasq takes it for a name: labels of at most 63 bytes, 253 in all (RFC 1035, 2.3.4).
func isDNSName(name string) bool {
	tooLong := func(label string) bool { return len(label) > 63 }
	return len(name) <= 253 && dnsName.MatchString(name) && !slices.ContainsFunc(strings.Split(name, "."), tooLong)
}

// problems gathers what is wrong with a PiHole.
type piholeProblems struct{ lab.Problems }

func (ps *piholeProblems) bad(path, text, message, hint string) {
	ps.Problems = append(ps.Problems, lab.Problem{Path: path, Text: text, Message: message, Hint: hint})
}

// Validate returns everything that is wrong with the configuration, the secrets that it needs among it. What Pi-hole
// itself would not take is among it: it drops the whole list that a wrong entry is in, and starts without.
func (p PiHole) Validate() lab.Problems {
	ps := &piholeProblems{}
	if p.Password.IsZero() {
		ps.Add("password", "is empty: everybody could change the DNS")
	}
	if m := dateTag.FindString(tag(p.Image)); m != "" && m < "2025.03" {
		ps.bad("image", p.Image, "does not read the password from a file, and would make one up", "take 2025.03.0 or later")
	}
	if p.WebPorts != "" && !ftlPorts.MatchString(p.WebPorts) {
		ps.bad("webPorts", p.WebPorts, "is not a list of ports with commas, without spaces", `write "8081o,8443os"`)
	}
	if p.Timezone != "" && !zoneName.MatchString(p.Timezone) {
		ps.bad("timezone", p.Timezone, "is not the name of a time zone", `write "Europe/Paris"`)
	}
	if p.RateLimit < 0 {
		ps.Add("rateLimit", "is negative")
	}
	if p.Check != "" && !isDNSName(p.Check) {
		ps.bad("check", p.Check, "is not a name", "")
	}
	p.checkUpstreams(ps)
	p.checkHosts(ps)
	p.checkWildcards(ps)
	p.checkCNAMEs(ps)
	p.checkReverse(ps)
	p.checkLines(ps)
	for field, size := range map[string]int{"hosts": len(p.hostList()), "lines": len(strings.Join(p.lines(), ";"))} {
		if size > maxEnvironment {
			ps.Add(field, "are %d KiB, more than the %d that fit into a variable", size>>10, maxEnvironment>>10)
		}
	}
	return ps.Problems
}

func (p PiHole) checkUpstreams(ps *piholeProblems) {
	seen := map[string]bool{}
	for i, u := range p.Upstreams {
		seen[u] = true
		if why := badServer(u); why != "" {
			ps.bad(fmt.Sprintf("upstreams[%d]", i), u, why, "")
		}
	}
	if len(seen) < 2 {
		ps.Add("upstreams", "are less than two")
	}
}

// badServer says what is wrong with a name server, an IP address with a port or without; "" if nothing is.
func badServer(s string) string {
	host, port, withPort := strings.Cut(s, "#")
	if _, err := netip.ParseAddr(host); err != nil {
		return "is not an IP address: a name could not be resolved after a power cut"
	}
	if n, err := strconv.ParseUint(port, 10, 16); withPort && (err != nil || n == 0) {
		return "has no port from 1 to 65535 after #"
	}
	return ""
}

func (p PiHole) checkHosts(ps *piholeProblems) {
	for i, h := range p.Hosts {
		at := fmt.Sprintf("hosts[%d]", i)
		ps.checkAddress(at+".address", h.Address)
		if len(h.Names) == 0 {
			ps.Add(at+".names", "there are none")
		}
		for _, n := range h.Names {
			switch {
			case strings.HasPrefix(n, "*."):
				ps.bad(at+".names", n, "is not a name", "write a wildcard of the zone "+n[2:])
			case !isDNSName(n):
				ps.bad(at+".names", n, "is not a name", "")
			case sameName(n, piholeName):
				ps.bad(at+".names", n, "is answered by Pi-hole itself", "choose another name")
			}
		}
	}
}

// checkAddress reports an address that cannot be in a record. Pi-hole takes none with a zone.
func (ps *piholeProblems) checkAddress(path string, a netip.Addr) {
	switch {
	case !a.IsValid():
		ps.Add(path, "is empty")
	case a.Zone() != "":
		ps.bad(path, a.String(), "has a zone, which means something on one machine only", "write it without %"+a.Zone())
	}
}

func (p PiHole) checkWildcards(ps *piholeProblems) {
	for i, w := range p.Wildcards {
		at := fmt.Sprintf("wildcards[%d]", i)
		if !isDNSName(w.Zone) {
			hint := ""
			if zone := strings.TrimPrefix(w.Zone, "*."); zone != w.Zone {
				hint = "write " + zone
			}
			ps.bad(at+".zone", w.Zone, "is not the name of a zone", hint)
		}
		ps.checkAddress(at+".address", w.Address)
		for j, other := range p.Wildcards[:i] {
			if sameName(w.Zone, other.Zone) && w.Address.Is4() == other.Address.Is4() {
				ps.bad(at+".zone", w.Zone, fmt.Sprintf("has an address by wildcards[%d] already", j), "remove one of them")
			}
		}
	}
}

// checkCNAMEs mirrors what dnsmasq takes: it answers an alias with what it knows of the target itself, which the
// address of a wildcard is not (pi-hole/pi-hole #3992).
func (p PiHole) checkCNAMEs(ps *piholeProblems) {
	targets := map[string]string{} // by alias
	for i, c := range p.CNAMEs {
		f := strings.Split(c, ",")
		if n := len(f) - 1; n > 1 {
			if _, err := strconv.ParseUint(f[n], 10, 31); err == nil {
				f = f[:n] // how long it may be kept
			}
		}
		at := fmt.Sprintf("cnames[%d]", i)
		if len(f) < 2 || slices.ContainsFunc(f, func(name string) bool { return !isDNSName(name) }) {
			ps.bad(at, c, "is not a list of names with commas, without spaces", "write ALIAS,TARGET")
			continue
		}
		for _, alias := range f[:len(f)-1] {
			alias = strings.ToLower(alias)
			if _, ok := targets[alias]; ok {
				ps.bad(at, alias, "is an alias already", "remove one of them")
			}
			if p.isHost(alias) {
				ps.bad(at, alias, "is the name of a host too", "remove one of them")
			}
			targets[alias] = strings.ToLower(f[len(f)-1])
		}
	}
	for i, c := range p.CNAMEs {
		alias, _, _ := strings.Cut(strings.ToLower(c), ",")
		target := alias
		for range targets {
			if next, ok := targets[target]; ok {
				target = next
			}
		}
		if _, ok := targets[alias]; ok && !p.isHost(target) {
			ps.bad(fmt.Sprintf("cnames[%d]", i), c, "leads to no host",
				"name the host in hosts; one that only a wildcard answers does not do")
		}
	}
}

func (p PiHole) isHost(name string) bool {
	return slices.ContainsFunc(p.Hosts, func(h PiHoleHost) bool {
		return slices.ContainsFunc(h.Names, func(n string) bool { return sameName(n, name) })
	})
}

// checkReverse mirrors validate_dns_revServers (github.com/pi-hole/FTL, src/config/validator.c).
func (p PiHole) checkReverse(ps *piholeProblems) {
	for i, r := range p.Reverse {
		at := fmt.Sprintf("reverse[%d]", i)
		f := strings.Split(r, ",")
		if len(f) < 3 || len(f) > 4 || f[0] != "true" && f[0] != "false" {
			ps.bad(at, r, "is not a list with commas, without spaces", `write "true,192.168.1.0/24,192.168.1.1,home"`)
			continue
		}
		if n, err := netip.ParsePrefix(f[1]); err != nil || n.Bits() == 0 {
			ps.bad(at, f[1], "is not a network", `write "192.168.1.0/24"`)
		}
		if why := badServer(f[2]); why != "" {
			ps.bad(at, f[2], why, "")
		}
		if len(f) < 4 {
			continue
		}
		if !isDNSName(f[3]) {
			ps.bad(at, f[3], "is not the name of a zone", "")
		}
		if p.isHost(f[3]) { // whose other types would be asked for there by TCP, and not by UDP
			ps.bad(at, f[3], "is the name of a host too, which is answered here", "leave one of them out")
		}
		for j, w := range p.Wildcards {
			if sameName(f[3], w.Zone) {
				ps.bad(at, f[3], fmt.Sprintf("is answered here, by wildcards[%d]", j), "leave one of them out")
			}
		}
	}
}

// checkLines looks at what keeps a line from arriving whole. Whether dnsmasq takes it is tested with its image.
func (p PiHole) checkLines(ps *piholeProblems) {
	for i, line := range p.Lines {
		at := fmt.Sprintf("lines[%d]", i)
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(strings.TrimSpace(line), "#"):
			ps.bad(at, line, "says nothing", "remove it")
		case strings.ContainsAny(line, ";\n\r\x00"):
			ps.bad(at, line, "holds a semicolon or a newline, at which Pi-hole splits the list", "")
		}
	}
}
