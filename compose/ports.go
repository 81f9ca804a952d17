package compose

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// hostNetwork is the network_mode of a service that has the network of the machine, so that what it listens on is
// taken from the machine without being published. It says so with expose.
const hostNetwork = "host"

// exposed returns the ports that a service on the machine's network takes: "53/udp", "8080", "8080-8083".
func exposed(expose types.StringOrNumberList) (out []exclusive) {
	for _, e := range expose {
		ports, protocol, _ := strings.Cut(e, "/")
		from, to, ranged := strings.Cut(ports, "-")
		first, err := strconv.ParseUint(from, 10, 16)
		last := first
		if ranged && err == nil {
			last, err = strconv.ParseUint(to, 10, 16)
		}
		for n := first; err == nil && n <= last; n++ {
			out = append(out, exclusive{kind: kindPort, value: fmt.Sprintf("%d/%s", n, cmp.Or(protocol, "tcp"))})
		}
	}
	return out
}

// portsProbe is the name of the question which ports of the machine are taken. It is asked once for all stacks.
const portsProbe = "ports"

func askPorts(q *host.Query) { q.Probe(portsProbe, script.Join(embedded, nil, "ports.sh")) }

// readPorts returns the ports on which something listens: lines of /proc/net/tcp and its like (proc_net_tcp.txt of the
// kernel), each after the protocol and a colon. The kernel writes addresses as words of the machine, little-endian on
// amd64 and arm64.
func readPorts(o *host.Observation) (out []exclusive) {
	for line := range strings.Lines(string(o.Probe(portsProbe).Output)) {
		protocol, rest, _ := strings.Cut(line, ":")
		f := strings.Fields(rest)
		if len(f) < 3 {
			continue
		}
		address, port, _ := strings.Cut(f[1], ":")
		n, err := strconv.ParseUint(port, 16, 16)
		b, errHex := hex.DecodeString(address)
		if err != nil || errHex != nil {
			continue
		}
		for word := range slices.Chunk(b, 4) {
			slices.Reverse(word)
		}
		protocol = strings.TrimSuffix(protocol, "6")
		if protocol == "udp" && n >= ephemeral {
			continue
		}
		at := ""
		if a, ok := netip.AddrFromSlice(b); ok && !a.IsUnspecified() {
			at = a.Unmap().String()
		}
		out = append(out, exclusive{kindPort, fmt.Sprintf("%d/%s", n, protocol), at})
	}
	return out
}

// ephemeral is the first port that the kernel gives to a client (net.ipv4.ip_local_port_range): a UDP socket there may be
// gone before the service starts.
const ephemeral = 32768

// refusePorts refuses ports on which something listens that is no container with a published port: a container with the
// machine's network, or a program of the machine.
func (p project) refusePorts(e Engine, o *host.Observation) error {
	own := e.Of(p.stack.Name, "")
	if slices.ContainsFunc(own, func(c Container) bool { return c.Networks == hostNetwork && c.Status == "running" }) {
		return nil // it is, or may be, the stack itself
	}
	listening := readPorts(o)
	for _, s := range p.stack.services {
		if s.replicas == 0 {
			continue
		}
		for _, x := range s.wants {
			if !slices.ContainsFunc(listening, x.clashes) ||
				slices.ContainsFunc(own, func(c Container) bool { return len(c.has([]exclusive{x})) > 0 }) {
				continue
			}
			by := "something on the machine"
			var suspects []string
			for _, c := range slices.Concat(e.Containers, e.Others) {
				if c.Networks == hostNetwork && c.Status == "running" {
					suspects = append(suspects, lab.Printable(c.Name))
				}
			}
			if len(suspects) > 0 {
				by += "; the containers " + strings.Join(suspects, ", ") + " have its network"
			}
			number, _, _ := strings.Cut(x.value, "/")
			return &lab.Error{Op: "check stack",
				Hint: "to see what, on the machine: sudo ss -lntup sport = :" + number + "; if this plan stops it first, name that in after",
				Err:  fmt.Errorf("%w: %s, for the service %s, is taken by %s", lab.ErrConflict, x, s.name, by)}
		}
	}
	return nil
}

// Bind implements [host.Binder]: two stacks of a state cannot have the same port or container name.
func (p project) Bind(w *host.Whole) host.Resource {
	p.rivals = nil
	for _, r := range w.Resources() {
		other, ok := r.(project)
		if !ok || other.stack.Name == p.stack.Name {
			continue
		}
		for _, s := range p.stack.services {
			for _, t := range other.stack.services {
				if s.replicas == 0 || t.replicas == 0 || s.ends && t.ends {
					continue
				}
				for _, x := range s.wants {
					if slices.ContainsFunc(t.wants, x.clashes) {
						p.rivals = append(p.rivals, fmt.Sprintf("%s, for the service %s, is that of the service %s of the stack %s too",
							x, s.name, t.name, other.stack.Name))
					}
				}
			}
		}
	}
	return p
}

// refuseRivals refuses what another stack of the state wants.
func (p project) refuseRivals() error {
	if len(p.rivals) == 0 {
		return nil
	}
	return &lab.Error{Op: "check stack", Hint: "give one of them another",
		Err: fmt.Errorf("%w: %s", lab.ErrConflict, strings.Join(p.rivals, "; "))}
}
