package dnstest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// Join lets a machine ask the name servers of the network. It has the program unshare then, for this alone: getent in a
// mount namespace with a resolv.conf of its own.
func (n *Network) Join(m *hosttest.Machine) { m.Handle("/usr/bin/unshare", n.unshare) }

// unshare is a stand-in of util-linux's for one script: that of package dns.
func (n *Network) unshare(p *hosttest.Process) int {
	a := p.Args
	if len(a) != 10 || !slices.Equal(a[1:4], []string{"--mount", "sh", "-c"}) || a[5] != "lab-ask" ||
		!strings.HasPrefix(a[4], "mount -t tmpfs lab /etc &&\n") || !strings.HasSuffix(a[4], `exec getent -s dns "$3" "$4"`) {
		fmt.Fprintf(p.Stderr(), "dnstest: unknown command: %q\n", a)
		return 1
	}
	if p.UID() != 0 {
		fmt.Fprintln(p.Stderr(), "unshare: unshare failed: Operation not permitted")
		return 1
	}
	protocol := "udp"
	if a[7] == "use-vc" {
		protocol = "tcp"
	}
	s := n.server(a[6])
	ask := func(name string, kind dnsmessage.Type) *reply {
		if s == nil {
			return nil
		}
		return s.answer(protocol, strings.TrimSuffix(name, "."), kind)
	}
	return getent(p, a[8], a[9], ask)
}

// getent prints what glibc's prints, and returns 2 if nothing was found.
func getent(p *hosttest.Process, database, key string, ask func(string, dnsmessage.Type) *reply) int {
	var kinds []dnsmessage.Type
	switch database {
	case "ahostsv4":
		kinds = []dnsmessage.Type{dnsmessage.TypeA}
	case "ahosts":
		kinds = []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA}
	case "hosts":
		address, err := netip.ParseAddr(key)
		if err != nil {
			fmt.Fprintf(p.Stderr(), "dnstest: unknown key %q\n", key)
			return 1
		}
		r := ask(reverse(address), dnsmessage.TypePTR)
		if r == nil || len(r.names) == 0 {
			return 2
		}
		fmt.Fprintf(p.Stdout(), "%-15s %s\n", key, strings.Join(r.names, " "))
		return 0
	default:
		fmt.Fprintf(p.Stderr(), "dnstest: unknown database %q\n", database)
		return 1
	}
	found := 2
	for _, kind := range kinds {
		r := ask(key, kind)
		if r == nil {
			return 2
		}
		for _, a := range r.addrs {
			fmt.Fprintf(p.Stdout(), "%-15s STREAM %s\n%-15s DGRAM  \n%-15s RAW    \n", a, strings.TrimSuffix(key, "."), a, a)
			found = 0
		}
	}
	return found
}
