package compose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// subnetProbe is the name of the question for the subnets of all networks. It is asked for stacks
// that choose one.
const subnetProbe = "docker subnets"

// subnets returns the subnets that a network asks for.
func subnets(n types.NetworkConfig) (out []netip.Prefix) {
	for _, c := range n.Ipam.Config {
		if p, err := netip.ParsePrefix(c.Subnet); err == nil {
			out = append(out, p.Masked())
		}
	}
	return out
}

// validateSubnets reports networks of the stack that cannot be there both.
func (l *loading) validateSubnets() {
	keys := l.project.NetworkNames()
	for i, key := range keys {
		for _, other := range keys[:i] {
			for _, s := range subnets(l.project.Networks[key]) {
				if slices.ContainsFunc(subnets(l.project.Networks[other]), s.Overlaps) {
					l.add("networks."+key+".ipam", "give one of them another", "the subnet %s overlaps with that of the network %s",
						s, other)
				}
			}
		}
	}
}

func (p project) askSubnets(q *host.Query) {
	if slices.ContainsFunc(p.stack.networks, func(n network) bool { return len(n.subnets) > 0 && !n.external }) {
		q.Probe(subnetProbe, script.Join(embedded, nil, "subnets.sh"))
	}
}

// refuseSubnets refuses a network whose subnet overlaps with that of a network that stays.
func (p project) refuseSubnets(e Engine, o *host.Observation) error {
	for _, n := range p.stack.networks {
		if n.external || slices.ContainsFunc(e.Networks,
			func(x Network) bool { return x.Name == n.name && x.Config == n.config }) {
			continue
		}
		for line := range strings.Lines(string(o.Probe(subnetProbe).Output)) {
			words := strings.Fields(line)
			if len(words) == 0 || e.network(words[0]).Project == p.stack.Name {
				continue // it is the stack's own, and is removed before
			}
			for _, word := range words[1:] {
				other, err := netip.ParsePrefix(word)
				i := slices.IndexFunc(n.subnets, func(s netip.Prefix) bool { return err == nil && s.Overlaps(other) })
				if i < 0 {
					continue
				}
				return &lab.Error{Op: "check network",
					Hint: "give the network another subnet; or, if the other is not needed any more: docker network rm " + words[0],
					Err: fmt.Errorf("%w: the subnet %s of the network %s overlaps with %s, which is that of the network %s",
						lab.ErrConflict, n.subnets[i], n.name, other, words[0])}
			}
		}
	}
	return nil
}

// network returns the network with a name, the zero one when there is none.
func (e Engine) network(name string) Network {
	for _, n := range e.Networks {
		if n.Name == name {
			return n
		}
	}
	return Network{}
}
