package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// TestInitNames: a machine keeps its name; one that nobody named gets one, and no two have the same.
func TestInitNames(t *testing.T) {
	for _, c := range []struct{ own, given, want []string }{
		{[]string{"pi1", "pi2"}, []string{"192.0.2.1", "192.0.2.2"}, []string{"pi1", "pi2"}},
		{[]string{"nas.lan"}, []string{"192.0.2.1"}, []string{"nas"}},
		{[]string{"raspberrypi"}, []string{"192.0.2.1"}, []string{"pi1"}},
		{[]string{"raspberrypi", "raspberrypi"}, []string{"192.0.2.1", "attic.lan"}, []string{"pi1", "attic"}},
		{[]string{"raspberrypi", "raspberrypi", "pi1"}, []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"},
			[]string{"pi2", "pi3", "pi1"}},
		{[]string{"box", "box"}, []string{"192.0.2.1", "192.0.2.2"}, []string{"box1", "box2"}},
		{[]string{"", "Bad_Name", "-x"}, []string{"", "attic", "2001:db8::1"}, []string{"pi1", "attic", "pi2"}},
		{[]string{strings.Repeat("a", 70)}, []string{"localhost"}, []string{"pi1"}},
	} {
		var machines []*found
		for n := range c.own {
			machines = append(machines, &found{name: c.given[n], facts: host.Facts{Hostname: c.own[n]}})
		}
		name(machines)
		var got []string
		for _, m := range machines {
			got = append(got, m.name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q, %q: %q, want %q", c.own, c.given, got, c.want)
		}
	}
}

// FuzzInitConfig: whatever the names are, the config that is written can be read and says them, or is
// refused.
func FuzzInitConfig(f *testing.F) {
	f.Add("home", "home.arpa", "pi", "/home/me/.ssh/id_ed25519", "192.0.2.1")
	f.Add("yes", "lan", "me@corp", "/home/o'brien/a \"b\"", "2001:db8::1")
	f.Add("1", "0x1", "~", "null", "fe80::1")
	f.Add("#", "a: b", "- x", "\n", "127.0.0.1")
	f.Fuzz(func(t *testing.T, environment, domain, user, key, address string) {
		ip, err := netip.ParseAddr(address)
		if err != nil || key == "" {
			return
		}
		i := &initial{environment: environment, domain: domain}
		m := &found{name: "pi1", ip: ip, port: 22, target: ssh.Target{User: user,
			Auth: ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: key}}}}}
		text := i.config([]*found{m, {name: "pi2", ip: ip.Next(), port: 2222, target: ssh.Target{User: user + "2"}}})
		l, err := ReadConfig(configFile, text)
		if err != nil {
			return
		}
		if l.Environment != environment && environment != "" || l.Domain != domain || l.SSH.User != user ||
			len(l.Hosts) != 2 || l.Hosts[0].Address != ip.String() || l.Hosts[1].User != user+"2" ||
			l.Hosts[1].Port != 2222 || len(l.SSH.Identities) != 1 {
			t.Errorf("reads as %+v:\n%s", l.Config, text)
		}
	})
}
