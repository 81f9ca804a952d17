package compose

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// exclusive is something that only one container of a machine can have at a time: its name, whether
// it runs or not; and while it runs, a port that is published and an address in a network.
type exclusive struct {
	kind  string // name, port or address
	value string // "web", "8080/tcp" or "172.28.0.10"
	at    string // of a port, the address of the machine, empty for all; of an address, the network's name
}

const (
	kindName    = "name"
	kindPort    = "port"
	kindAddress = "address"
)

func (x exclusive) String() string {
	switch {
	case x.kind == kindAddress:
		return "the address " + x.value + " in the network " + x.at
	case x.kind == kindPort && x.at != "":
		return "the port " + x.value + " of " + x.at
	}
	return "the " + x.kind + " " + x.value
}

// clashes reports whether two containers cannot have both.
func (x exclusive) clashes(y exclusive) bool {
	if x.kind != y.kind || x.value != y.value {
		return false
	}
	if x.kind != kindPort {
		return x.at == y.at
	}
	a, errA := netip.ParseAddr(x.at)
	b, errB := netip.ParseAddr(y.at)
	if errA != nil || errB != nil { // one is all addresses of the machine
		return true
	}
	a, b = a.Unmap(), b.Unmap()
	return a.Is4() == b.Is4() && (a == b || a.IsUnspecified() || b.IsUnspecified())
}

// wanted returns what each container of a service has for itself. A port that Docker chooses is not
// among it.
func (l *loading) wanted(s types.ServiceConfig) (out []exclusive) {
	if s.ContainerName != "" {
		out = append(out, exclusive{kind: kindName, value: s.ContainerName})
	} else {
		for n := range s.GetScale() {
			out = append(out, exclusive{kind: kindName, value: fmt.Sprintf("%s-%s-%d", l.project.Name, s.Name, n+1)})
		}
	}
	for _, p := range s.Ports {
		from, to, ranged := strings.Cut(p.Published, "-")
		if from == "" || from == "0" || ranged && from != to {
			continue
		}
		out = append(out, exclusive{kindPort, from + "/" + cmp.Or(p.Protocol, "tcp"), p.HostIP})
	}
	if s.NetworkMode == hostNetwork {
		out = append(out, exposed(s.Expose)...)
	}
	for key, n := range s.Networks {
		if n == nil {
			continue
		}
		for _, address := range []string{n.Ipv4Address, n.Ipv6Address} {
			if a, err := netip.ParseAddr(address); err == nil {
				out = append(out, exclusive{kindAddress, a.String(), l.project.Networks[key].Name})
			}
		}
	}
	slices.SortFunc(out, func(x, y exclusive) int { return strings.Compare(x.String(), y.String()) })
	return out
}

// validateExclusive reports what two containers of the stack would have. A service that ends may
// leave its port to the next.
func (l *loading) validateExclusive() {
	had := map[string][]exclusive{}
	for _, name := range l.project.ServiceNames() {
		s := l.project.Services[name]
		if s.GetScale() == 0 {
			continue
		}
		for _, x := range l.wanted(s) {
			if x.kind != kindName && s.GetScale() > 1 {
				l.add("services."+name, "leave the choice of a port to Docker, or write one replica",
					"%s can be had by one container only, and there are to be %d", x, s.GetScale())
			}
			for _, other := range l.project.ServiceNames() {
				if slices.ContainsFunc(had[other], x.clashes) && !(ends(s) && ends(l.project.Services[other])) {
					l.add("services."+name, "give one of them another", "%s is that of the service %s too", x, other)
				}
			}
			had[name] = append(had[name], x)
		}
	}
}

// held returns what a container has now that no other can have.
func (c Container) held() []exclusive {
	out := []exclusive{{kind: kindName, value: c.Name}}
	if c.Status != "running" && c.Status != "paused" && c.Status != "restarting" {
		return out
	}
	for _, ports := range []map[string][]Published{c.Ports, c.Bindings} {
		for port, published := range ports {
			number, protocol, _ := strings.Cut(port, "/")
			for _, p := range published {
				if p.HostPort == "" || number == "" {
					continue
				}
				x := exclusive{kindPort, p.HostPort + "/" + cmp.Or(protocol, "tcp"), p.HostIP}
				if !slices.Contains(out, x) {
					out = append(out, x)
				}
			}
		}
	}
	for name, in := range c.Attached {
		for _, address := range []string{in.IPAddress, in.GlobalIPv6Address} {
			if a, err := netip.ParseAddr(address); err == nil {
				out = append(out, exclusive{kindAddress, a.String(), name})
			}
		}
	}
	return out
}

// has returns which of these a container has.
func (c Container) has(wants []exclusive) (out []exclusive) {
	held := c.held()
	for _, x := range wants {
		if slices.ContainsFunc(held, x.clashes) {
			out = append(out, x)
		}
	}
	return out
}

// moving returns the services between which something moves that only one container can have.
func (b *builder) moving() (out []string) {
	for _, s := range b.p.stack.services {
		for _, c := range b.e.Of(b.p.stack.Name, "") {
			if s.replicas > 0 && c.Service() != s.name && len(c.has(s.wants)) > 0 {
				out = append(out, s.name, c.Service())
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// release plans that other services give up what a service is about to take: those that come after
// it, and those that had it from Docker's choice. A port and an address are free when the container
// is stopped, a name when it has another, which is how Compose names what it replaces.
func (b *builder) release(s service) {
	for _, other := range b.p.stack.services {
		if other.name == s.name || b.replaced[other.name] {
			continue
		}
		op := host.Op{Name: "release:" + other.name, Action: lab.Run}
		var taken, stop, rename []string
		for _, c := range b.e.Of(b.p.stack.Name, other.name) {
			for _, x := range c.has(s.wants) {
				id := &stop
				if x.kind == kindName {
					id = &rename
				}
				if slices.Contains(b.freed, c.ID+x.kind) {
					continue
				}
				if !slices.Contains(*id, c.ID) {
					*id = append(*id, c.ID)
				}
				if !slices.Contains(taken, x.String()) {
					taken = append(taken, x.String())
				}
			}
		}
		if len(taken) == 0 {
			continue
		}
		for _, id := range stop {
			b.freed = append(b.freed, id+kindPort, id+kindAddress)
			b.stopped[other.name] = s.name
		}
		for _, id := range rename {
			b.freed = append(b.freed, id+kindName)
		}
		op.Cause = "it has " + strings.Join(taken, ", ") + ", which is for " + s.name
		if len(stop) > 0 {
			op.Cause, op.Risk = op.Cause+": it is stopped meanwhile", lab.RiskDisrupt
		}
		if slices.ContainsFunc(b.ops, func(o host.Op) bool { return o.Name == op.Name }) {
			op.Name += ":" + s.name
		}
		op.Script = b.script.release(stop, rename)
		b.add(op)
	}
}

// restartStopped starts the services that were stopped after their own turn had come, and then those
// that are in a namespace of theirs.
func (b *builder) restartStopped() {
	for _, s := range b.p.stack.services {
		taker := b.stopped[s.name]
		if taker == "" || b.started[s.name] || b.replaced[s.name] {
			continue
		}
		b.add(host.Op{Name: "start:" + s.name, Action: lab.Run, Cause: "was stopped for " + taker,
			Script: b.script.up(s, steadySeconds, "--no-recreate")})
		for _, other := range b.p.stack.services {
			if slices.Contains(other.inside, s.name) && !b.replaced[other.name] && other.replicas > 0 {
				b.add(host.Op{Name: "restart:" + other.name, Action: lab.Run, Risk: lab.RiskRestart,
					Cause:  s.name + ", whose namespace it shares, was stopped for " + taker,
					Script: b.script.restart(other, steadySeconds)})
			}
		}
	}
}
