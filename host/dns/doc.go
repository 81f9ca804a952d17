// Package dns is the name service of the lab: Pi-holes that answer alike on two or three machines, and the resolvers of
// all machines, which ask them. A [Config] is written once; it is pure, and what it returns is planned as any state of a
// machine is.
//
//	c := dns.Config{PiHole: stack.PiHole{
//		Image:     "pihole/pihole:2025.08.0",
//		Upstreams: []string{"9.9.9.9", "1.1.1.1"},
//		Hosts:     []stack.PiHoleHost{{Address: pi1, Names: []string{"pi1.arcodange.lab", "pi1"}}},
//		Wildcards: []stack.PiHoleWildcard{{Zone: "arcodange.lab", Address: pi1}},
//		Password:  password, Lock: lock,
//	}, Servers: []dns.Server{{Name: "pi1", Address: pi1}, {Name: "pi3", Address: pi3}}}
//
// # In which order
//
// First the Pi-holes, one after the other. The gate is called when an instance was changed; the next one is begun when it
// answers:
//
//	machines := []*host.Machine{m1, m2, m3}
//	plan, err := c.Fleet(machines, nil).Plan(ctx, func(m *host.Machine) (host.State, error) { return c.State(m.Name()) })
//
// Then, when that plan was applied, the resolvers of all machines, those of the Pi-holes among them. They are a plan of
// their own, since it is made by asking the name servers:
//
//	all := host.Fleet{Machines: machines}
//	plan, err = all.Plan(ctx, func(*host.Machine) (host.State, error) { return c.Resolvers(), nil })
//
// # The Pi-holes
//
// Each is the stack [stack.PiHole], in the network of its machine. The lines that it makes of the Config are tested by
// the image itself before the container that runs is replaced, and an instance that does not get healthy is rolled back.
//
// A wildcard is two lines for dnsmasq: address=/ZONE/IP answers the zone and every name below it that is no host's, and
// local=/ZONE/ keeps what else is asked of them, AAAA and HTTPS, from being forwarded to the Internet. A host that is in
// no zone of a wildcard gets such a line too.
//
// # The gate
//
// [Config.Gate] asks an instance over UDP and TCP, as its clients do, for everything that the Config says: A and AAAA of
// every host, the wildcards, the aliases, that there is no HTTPS record, what addresses are called (PTR), and a name of
// the Internet. Whoever runs it must reach port 53 of the machines, but for those that are reached through a jump: their
// instances are asked over TCP through the SSH connection, and over UDP by the machine itself.
//
// # The resolvers
//
// /etc/resolv.conf names the Pi-holes by their addresses in the LAN, never by 127.0.0.1: k3s hands it to the pods. Where
// NetworkManager runs, as on Raspberry Pi OS since Bookworm, it is told to leave the file alone (dns=none).
//
// It is written when every Pi-hole answers on the machine itself, by UDP and TCP; the file that was there is kept in
// /var/lib/lab. When none of them answers any more, the next run puts it back. While one answers, nothing is done: the
// resolver goes on to the next after a second.
//
// # What it never does
//
// It never replaces or restarts a Pi-hole while no other one answers: that is asked when planning, and again right
// before. It never writes resolv.conf while a Pi-hole does not answer, nor where another program would write over it
// (systemd-resolved, resolvconf, dhcpcd, dhclient): it says then what to do. It never starts a Pi-hole while another
// program has port 53.
//
// # Errors
//
// What is wrong with a Config is a [lab.Problems]. The guards' no is an [lab.ErrRefused] with the next step. A gate
// that nobody opened is an [lab.ErrTimeout], with what was answered last.
//
// # Testing
//
// Package host/dns/dnstest has name servers in the test's process, and the means to ask them on a machine of hosttest.
package dns
