package composetest

import (
	"fmt"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

type network struct {
	Name, ID, project, key, config string
	subnets                        []string
}

// Label returns a label, as in the format of docker network ls.
func (n network) Label(name string) string {
	labels := map[string]string{
		"com.docker.compose.project": n.project, "com.docker.compose.network": n.key, "lab.config": n.config,
	}
	return labels[name]
}

// networkCommand is docker network.
func (d *Docker) networkCommand(p *hosttest.Process, verb string, args []string) (int, error) {
	switch {
	case verb == "ls" && len(args) == 3 && args[0] == "--no-trunc" && args[1] == "--format":
		for _, n := range d.networks {
			if err := format(p.Stdout(), args[2], n); err != nil {
				return 1, err
			}
		}
		return 0, nil
	case verb == "ls" && slices.Equal(args, []string{"-q", "--no-trunc"}):
		for _, n := range d.networks {
			fmt.Fprintln(p.Stdout(), n.ID)
		}
		return 0, nil
	case verb == "inspect" && len(args) > 2 && args[0] == "--format":
		return 0, d.inspectNetworks(p, args[1], args[2:])
	case verb == "rm" && len(args) == 2 && args[0] == "--":
		return 0, d.removeNetwork(p, args[1])
	case verb == "disconnect" && len(args) == 4 && args[0] == "-f" && args[1] == "--":
		return 0, d.disconnect(p, args[2], args[3])
	case verb == "prune" && slices.Equal(args, []string{"-f"}):
		d.networks = slices.DeleteFunc(d.networks,
			func(n network) bool { return n.project != "" && d.runningIn(n.Name) == nil })
		return 0, nil
	}
	return 1, unknown(append([]string{"network", verb}, args...))
}

// inspectNetworks is docker network inspect.
func (d *Docker) inspectNetworks(p *hosttest.Process, text string, ids []string) error {
	for _, id := range ids {
		i := slices.IndexFunc(d.networks, func(n network) bool { return n.ID == id || n.Name == id })
		if i < 0 {
			return fmt.Errorf("Error response from daemon: network %s not found", id)
		}
		config := []map[string]string{}
		for _, s := range d.networks[i].subnets {
			config = append(config, map[string]string{"Subnet": s})
		}
		if err := format(p.Stdout(), text, map[string]any{"Name": d.networks[i].Name,
			"IPAM": map[string]any{"Config": config}}); err != nil {
			return err
		}
	}
	return nil
}

// runningIn returns a container that runs and is in the network, nil when there is none.
func (d *Docker) runningIn(network string) *Container {
	for _, c := range d.containers {
		if _, in := c.networks[network]; in && c.Status == "running" {
			return c
		}
	}
	return nil
}

func (d *Docker) removeNetwork(p *hosttest.Process, name string) error {
	if d.runningIn(name) != nil {
		return fmt.Errorf("Error response from daemon: error while removing network: network %s has active endpoints",
			name)
	}
	i := slices.IndexFunc(d.networks, func(n network) bool { return n.Name == name })
	if i < 0 {
		return fmt.Errorf("Error response from daemon: network %s not found", name)
	}
	d.change(p)
	d.networks = slices.Delete(d.networks, i, i+1)
	fmt.Fprintln(p.Stdout(), name)
	return nil
}

func (d *Docker) disconnect(p *hosttest.Process, network, container string) error {
	c := d.find(container)
	if c == nil {
		return fmt.Errorf("Error response from daemon: No such container: %s", container)
	}
	if _, in := c.networks[network]; !in {
		return fmt.Errorf("Error response from daemon: container %s is not connected to network %s", container, network)
	}
	d.change(p)
	delete(c.networks, network)
	return nil
}
