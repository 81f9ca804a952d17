package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Gate returns the gate of a [host.Fleet] that changes the Pi-holes one after the other: it returns nil as soon as that
// of the machine answers everything as the Config says, over UDP and TCP. The dialer is asked to dial port 53 of the
// machine's address by "udp" and "tcp".
//
// Nil means the boundary of the machine; and, where the machine is reached through a jump, from where its port 53 may not be
// reached, the machine itself: everything is asked over TCP through its SSH connection, which forwards no UDP, and one
// host, its name and a name of the Internet over UDP by the machine's own resolver.
//
// A machine that is none of Servers has nothing to answer.
func (c Config) Gate(d lab.Dialer) func(context.Context, *host.Machine) error {
	return func(ctx context.Context, m *host.Machine) error {
		i := slices.IndexFunc(c.Servers, func(s Server) bool { return s.Name == m.Name() })
		if i < 0 {
			return nil
		}
		s := c.Servers[i]
		g := c.gate(d, m, s)
		var last error
		err := lab.Wait(ctx, lab.Poll{What: "the Pi-hole of " + s.Name + " to answer", Timeout: c.patience()},
			func(context.Context) (bool, error) {
				last = g.check(ctx) // completely, once at least, whatever the patience
				if errors.Is(last, lab.ErrRefused) || errors.Is(last, lab.ErrUnauthorized) {
					return false, last // the no of the boundary, or of an sshd that forwards nothing, does not change
				}
				return last == nil, nil
			})
		if err == nil {
			return nil
		}
		if !errors.Is(err, last) && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", err, last)
		}
		return &lab.Error{Op: "check DNS", Target: s.Name, Path: s.Address.String(),
			Hint: "on " + s.Name + ": docker logs " + c.container() + "; the Pi-holes after it were left alone", Err: err}
	}
}

// Fleet returns the machines of the Pi-holes as they must be changed: one after the other, with the gate between them.
// Machines that are none of Servers are left out. The dialer is that of [Config.Gate].
func (c Config) Fleet(machines []*host.Machine, d lab.Dialer) host.Fleet {
	f := host.Fleet{Serial: 1, Gate: c.Gate(d)}
	for _, m := range machines {
		if slices.ContainsFunc(c.Servers, func(s Server) bool { return s.Name == m.Name() }) {
			f.Machines = append(f.Machines, m)
		}
	}
	return f
}

// container returns the name that Compose gives the container.
func (c Config) container() string {
	name := c.Name
	if name == "" {
		name = "pihole"
	}
	return name + "-pihole-1"
}

// gate asks one instance.
type gate struct {
	config   Config
	dialer   lab.Dialer
	networks []string // "udp", "tcp"
	server   string

	besides func(context.Context) error // asks what the dialer cannot; nil means that there is nothing
}

// gate returns how the instance of a machine is asked.
func (c Config) gate(d lab.Dialer, m *host.Machine, s Server) gate {
	g := gate{config: c, dialer: d, networks: []string{"udp", "tcp"}, server: net.JoinHostPort(s.Address.String(), "53")}
	switch {
	case d != nil:
	case len(m.Target.Jump) == 0:
		g.dialer = m.Target.Boundary
	default:
		g.dialer, g.networks = through{m}, []string{"tcp"}
		g.besides = func(ctx context.Context) error { return through{m}.usable(ctx, c, s) }
	}
	return g
}

// check returns what is wrong first.
func (g gate) check(ctx context.Context) error {
	for _, network := range g.networks {
		for _, r := range g.config.records() {
			if err := g.record(ctx, network, r); err != nil {
				return err
			}
		}
		a, err := ask(ctx, g.dialer, network, g.server, g.config.outside(), dnsmessage.TypeA)
		if err == nil && len(a.addrs) == 0 {
			err = fmt.Errorf("%w: %s", lab.ErrNotFound, a)
		}
		if err != nil {
			return g.wrong(network, g.config.outside(), "A", err)
		}
	}
	if g.besides != nil {
		return g.besides(ctx)
	}
	return nil
}

// record asks for everything that is said of a name.
func (g gate) record(ctx context.Context, network string, r record) error {
	for _, q := range []struct {
		kind dnsmessage.Type
		text string
		want []netip.Addr
	}{{dnsmessage.TypeA, "A", r.v4}, {dnsmessage.TypeAAAA, "AAAA", r.v6}, {typeHTTPS, "HTTPS", nil}} {
		if !strings.Contains(r.name, ".") && q.kind != dnsmessage.TypeA {
			continue // Pi-hole adds the addresses of its own to what its machine is called
		}
		a, err := ask(ctx, g.dialer, network, g.server, r.name, q.kind)
		if err == nil {
			err = a.expect(q.want)
		}
		if err != nil {
			return g.wrong(network, r.name, q.text, err)
		}
	}
	for _, address := range r.named {
		a, err := ask(ctx, g.dialer, network, g.server, reverse(address), dnsmessage.TypePTR)
		known := func(name string) bool {
			return slices.ContainsFunc(g.config.called(address), func(n string) bool { return strings.EqualFold(n, name) })
		}
		if err == nil && (len(a.names) == 0 || slices.ContainsFunc(a.names, func(n string) bool { return !known(n) })) {
			err = fmt.Errorf("%w: %s, want %s", lab.ErrConflict, a, strings.Join(g.config.called(address), " or "))
		}
		if err != nil {
			return g.wrong(network, address.String(), "PTR", err)
		}
	}
	return nil
}

// wrong returns an error with the question.
func (g gate) wrong(network, name, kind string, err error) error {
	return fmt.Errorf("%s %s over %s: %w", name, kind, strings.ToUpper(network), err)
}

// expect returns an error unless the answer has some of the addresses, and no others; or, if none are wanted, nothing.
// An instance leaves out addresses that are not in the network of who asks (localise-queries, dnsmasq(8)).
func (a answer) expect(want []netip.Addr) error {
	switch {
	case len(want) == 0 && a.code == dnsmessage.RCodeSuccess && a.count == 0:
		return nil
	case len(want) == 0:
		return fmt.Errorf("%w: %s, want no such record, and no error", lab.ErrConflict, a)
	case len(a.addrs) == 0, slices.ContainsFunc(a.addrs, func(x netip.Addr) bool { return !slices.Contains(want, x) }):
		return fmt.Errorf("%w: %s, want %s", lab.ErrConflict, a, joined(want))
	}
	return nil
}

// String returns what was answered.
func (a answer) String() string {
	said := append([]string{}, a.names...)
	for _, x := range a.addrs {
		said = append(said, x.String())
	}
	switch {
	case a.code != dnsmessage.RCodeSuccess:
		return "it says " + strings.TrimPrefix(a.code.String(), "RCode")
	case len(said) == 0 && a.count > 0:
		return "it says something"
	case len(said) == 0:
		return "it says nothing"
	}
	return "it says " + lab.Printable(strings.Join(said, " "))
}
