package composetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// published is where a port of a container is published.
type published struct {
	HostIP   string `json:"HostIp"`
	HostPort string
}

// publish reads the ports of a service.
func publish(s map[string]any) map[string][]published {
	out := map[string][]published{}
	ports, _ := s["ports"].([]any)
	for _, p := range ports {
		port, _ := p.(map[string]any)
		protocol := text(port["protocol"])
		if protocol == "" {
			protocol = "tcp"
		}
		key := text(port["target"]) + "/" + protocol
		out[key] = append(out[key], published{text(port["host_ip"]), text(port["published"])})
	}
	return out
}

// exposes returns the ports that are published while the container runs.
func (c *Container) exposes() map[string][]published {
	if c.Status != "running" {
		return nil
	}
	return c.open
}

// take gives a container, which is about to start, its ports and addresses.
func (d *Docker) take(c *Container) error {
	open := map[string][]published{}
	for _, key := range slices.Sorted(maps.Keys(c.ports)) {
		_, protocol, _ := strings.Cut(key, "/")
		for _, p := range c.ports[key] {
			from, to, ranged := strings.Cut(p.HostPort, "-")
			first, _ := strconv.Atoi(from)
			last := first
			if ranged {
				last, _ = strconv.Atoi(to)
			}
			if first == 0 {
				first, last = 32768, 60999
			}
			n := first
			for n <= last && d.publishes(c, protocol, p.HostIP, strconv.Itoa(n)) {
				n++
			}
			if n > last {
				ip := p.HostIP
				if ip == "" {
					ip = "0.0.0.0"
				}
				return fmt.Errorf("Error response from daemon: failed to set up container networking: driver failed "+
					"programming external connectivity on endpoint %s: Bind for %s:%d failed: port is already allocated",
					c.Name, ip, first)
			}
			open[key] = append(open[key], published{p.HostIP, strconv.Itoa(n)})
		}
	}
	for name, want := range c.fixed {
		if !d.within(name, want) {
			return fmt.Errorf("Error response from daemon: invalid config for network %s: invalid endpoint settings:\n"+
				"no configured subnet or ip-range contain the IP address %s", name, want)
		}
		for _, x := range d.containers {
			if x != c && x.Status == "running" && x.addresses[name] == want {
				return fmt.Errorf("Error response from daemon: failed to set up container networking: Address already in use")
			}
		}
	}
	c.open, c.addresses = open, map[string]string{}
	maps.Copy(c.addresses, c.fixed)
	for name := range c.networks {
		if c.addresses[name] == "" {
			c.addresses[name] = d.address(name)
		}
	}
	return nil
}

// publishes reports whether another container has a port.
func (d *Docker) publishes(c *Container, protocol, ip, port string) bool {
	overlap := func(a, b string) bool {
		x, errX := netip.ParseAddr(a)
		y, errY := netip.ParseAddr(b)
		return errX != nil || errY != nil ||
			x.Is4() == y.Is4() && (x == y || x.IsUnspecified() || y.IsUnspecified())
	}
	for _, x := range d.containers {
		if x == c {
			continue
		}
		for key, list := range x.exposes() {
			for _, p := range list {
				if strings.HasSuffix(key, "/"+protocol) && p.HostPort == port && overlap(p.HostIP, ip) {
					return true
				}
			}
		}
	}
	return false
}

// within reports whether an address is of a subnet that a network asked for.
func (d *Docker) within(name, address string) bool {
	i := slices.IndexFunc(d.networks, func(n network) bool { return n.Name == name })
	a, err := netip.ParseAddr(address)
	return err == nil && i >= 0 && slices.ContainsFunc(d.networks[i].subnets, func(s string) bool {
		p, err := netip.ParsePrefix(s)
		return err == nil && p.Contains(a)
	})
}

// address chooses the next free address of a network.
func (d *Docker) address(name string) string {
	i := slices.IndexFunc(d.networks, func(n network) bool { return n.Name == name })
	a := netip.AddrFrom4([4]byte{172, 30, byte(i), 1})
	for _, s := range d.networks[i].subnets {
		if p, err := netip.ParsePrefix(s); err == nil {
			a = p.Addr().Next() // of the gateway
			break
		}
	}
	for a = a.Next(); slices.ContainsFunc(d.containers, func(x *Container) bool {
		return x.Status == "running" && x.addresses[name] == a.String()
	}); a = a.Next() {
	}
	return a.String()
}

// named returns an error when a container has the name.
func (d *Docker) named(name string) error {
	for _, c := range d.containers {
		if c.Name == name {
			return fmt.Errorf("Error response from daemon: Conflict. The container name %q is already in use by container %q. "+
				"You have to remove (or rename) that container to be able to reuse that name.", "/"+name, c.ID)
		}
	}
	return nil
}

// rename is docker rename.
func (d *Docker) rename(p *hosttest.Process, args []string) error {
	if len(args) != 2 {
		return unknown(append([]string{"rename"}, args...))
	}
	c := d.find(args[0])
	if c == nil {
		return fmt.Errorf("Error response from daemon: No such container: %s", args[0])
	}
	if err := d.named(args[1]); err != nil {
		return err
	}
	d.change(p)
	c.Name = args[1]
	return nil
}

// runAway is docker run -d of a container that no compose.yaml knows: --name NAME and -p PORTS.
func (d *Docker) runAway(p *hosttest.Process, args []string) error {
	all := args
	d.serial++
	c := &Container{ID: digest(fmt.Sprint("container ", d.serial))[7:], Labels: map[string]string{},
		networks: map[string]string{"bridge": ""}, ports: map[string][]published{}, docker: d, restart: "no",
		mode: "bridge", Status: "created"}
	for len(args) > 1 && (args[0] == "--name" || args[0] == "-p") {
		if args[0] == "--name" {
			c.Name = args[1]
		} else {
			words := strings.Split(args[1], ":")
			port, protocol, _ := strings.Cut(words[len(words)-1], "/")
			if protocol == "" {
				protocol = "tcp"
			}
			x := published{HostPort: words[len(words)-2]}
			if len(words) == 3 {
				x.HostIP = words[0]
			}
			c.ports[port+"/"+protocol] = append(c.ports[port+"/"+protocol], x)
		}
		args = args[2:]
	}
	if len(args) == 0 || c.Name == "" {
		return unknown(all)
	}
	i, ok := find(d.images, args[0])
	if !ok {
		return fmt.Errorf("Unable to find image %s locally", args[0])
	}
	c.Image = i
	if err := d.named(c.Name); err != nil {
		return err
	}
	d.change(p)
	d.containers = append(d.containers, c)
	if err := d.start(c); err != nil {
		return err
	}
	c.Status, c.Exit = "running", 0
	fmt.Fprintln(p.Stdout(), c.ID)
	return nil
}

// profile reads the seccomp profiles of a service, as Compose does before it makes a container.
func (d *Docker) profile(s map[string]any) error {
	options, _ := s["security_opt"].([]any)
	for _, o := range options {
		key, value, ok := strings.Cut(text(o), "=")
		if !ok {
			key, value, _ = strings.Cut(text(o), ":")
		}
		if key != "seccomp" || value == "unconfined" || value == "builtin" {
			continue
		}
		b, err := d.m.FS().ReadFile(value)
		if err == nil && !json.Valid(b) {
			err = fmt.Errorf("invalid character")
		}
		if err != nil {
			return fmt.Errorf("opening seccomp profile (%s) failed: %w", value, err)
		}
	}
	return nil
}

// fixedAddresses reads the addresses that a service has in networks, by the names of those.
func (in invocation) fixedAddresses(s map[string]any) map[string]string {
	out := map[string]string{}
	networks, _ := s["networks"].(map[string]any)
	for key, v := range networks {
		if n, _ := v.(map[string]any); n != nil && n["ipv4_address"] != nil {
			out[text(in.m.Networks[key]["name"])] = text(n["ipv4_address"])
		}
	}
	return out
}
