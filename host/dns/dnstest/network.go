package dnstest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"gitea.arcodange.lab/arcodange-org/lab/compose/composetest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// Network is a LAN with name servers. It is a lab.Dialer.
type Network struct {
	mu       sync.Mutex
	servers  map[netip.Addr]*Server
	places   map[*hosttest.Machine]netip.Addr
	internet map[string]netip.Addr
	offline  bool
}

// Start returns a network without name servers, whose Internet knows example.com.
func Start() *Network {
	return &Network{servers: map[netip.Addr]*Server{}, places: map[*hosttest.Machine]netip.Addr{},
		internet: map[string]netip.Addr{"example.com": netip.MustParseAddr("203.0.113.1")}}
}

// New is Start for a test, and Close at its end.
func New(tb testing.TB) *Network {
	n := Start()
	tb.Cleanup(func() { n.Close() })
	return n
}

// Close ends all name servers.
func (n *Network) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for _, s := range n.servers {
		errs = append(errs, s.packets.Close(), s.listener.Close())
	}
	clear(n.servers)
	return errors.Join(errs...)
}

// Offline takes the Internet away: name servers refuse what they do not know themselves, as dnsmasq does when it can send
// to nobody. With false it is back.
func (n *Network) Offline(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.offline = on
}

// upstream answers what a name server does not know itself.
func (n *Network) upstream(name string, kind dnsmessage.Type) *reply {
	n.mu.Lock()
	defer n.mu.Unlock()
	a, ok := n.internet[name]
	switch {
	case n.offline:
		return &reply{code: dnsmessage.RCodeRefused}
	case !ok:
		return &reply{code: dnsmessage.RCodeNameError}
	case kind != dnsmessage.TypeA:
		return &reply{}
	}
	return &reply{addrs: []netip.Addr{a}}
}

// Place puts a machine into the network, at an address: it can ask name servers, and what its docker runs of
// pihole/pihole is one. The docker must have been installed with [Network.Programs]. It returns the name server.
func (n *Network) Place(m *hosttest.Machine, d *composetest.Docker, address netip.Addr) (*Server, error) {
	s := &Server{n: n, says: map[string][]netip.Addr{}, running: func() bool {
		return slices.ContainsFunc(d.Containers(), func(c composetest.Container) bool {
			return strings.HasPrefix(c.Image.Name, repository+":") && c.Status == "running"
		})
	}}
	var err error
	if s.packets, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, errors.Join(err, s.packets.Close())
	}
	s.serve()
	n.Join(m)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers[address], n.places[m] = s, address
	return s, nil
}

const repository = "pihole/pihole"

// Programs are what a docker of a machine in the network runs.
func (n *Network) Programs() map[string]composetest.Program {
	p := composetest.PiHole()
	start := p.Start
	p.Start = func(c *composetest.Container) error {
		if err := start(c); err != nil {
			return err
		}
		n.mu.Lock()
		s := n.servers[n.places[c.Machine()]]
		n.mu.Unlock()
		if s != nil {
			s.mu.Lock()
			s.zone = readZone(c.Env)
			s.mu.Unlock()
		}
		return nil
	}
	return map[string]composetest.Program{repository: p}
}

// server returns the name server at an address; nil if there is none.
func (n *Network) server(address string) *Server {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.servers[a]
}

// DialContext connects to port 53 of a name server by its address in the network.
func (n *Network) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	s := n.server(host)
	if s == nil || port != "53" || !s.listens(network) {
		return nil, fmt.Errorf("dial %s %s: %w", network, address, syscall.ECONNREFUSED)
	}
	at := s.packets.LocalAddr().String()
	if network == "tcp" {
		at = s.listener.Addr().String()
	}
	return (&net.Dialer{}).DialContext(ctx, network, at)
}
