package composetest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// start runs a container's program.
func (d *Docker) start(c *Container) error {
	if m := d.upFails[c.Service()]; m != "" {
		return fmt.Errorf("Error response from daemon: %s", m)
	}
	if err := d.join(c); err != nil {
		return err
	}
	if err := d.share(c); err != nil {
		return err
	}
	if err := d.take(c); err != nil {
		return err
	}
	c.Status, c.Exit, c.Started, c.looked, c.looks, c.restarts = "running", 0, time.Now(), false, 0, 0
	for _, line := range d.says[c.Service()] {
		c.Log(line)
	}
	if !d.program(c) {
		return nil
	}
	code, said := d.exits[c.Service()]
	if !said && c.restart == "" && !c.checked {
		code, said = 0, true
	}
	switch {
	case !said || code < 0:
	case c.restart == "always" || c.restart == "unless-stopped" ||
		strings.HasPrefix(c.restart, "on-failure") && code != 0:
		c.Status, c.Exit = "restarting", code
	default:
		c.Status, c.Exit = "exited", code
	}
	return nil
}

// join attaches a container to its networks, as the first start does; later ones want the same.
func (d *Docker) join(c *Container) error {
	for name, id := range c.networks {
		i := slices.IndexFunc(d.networks, func(n network) bool { return n.Name == name })
		if i < 0 || id != "" && d.networks[i].ID != id {
			return fmt.Errorf("Error response from daemon: network %s not found", id)
		}
		c.networks[name] = d.networks[i].ID
	}
	return nil
}

// share looks at the container whose network another uses.
func (d *Docker) share(c *Container) error {
	other, ok := strings.CutPrefix(c.mode, "container:")
	if !ok {
		return nil
	}
	switch x := d.find(other); {
	case x == nil:
		return fmt.Errorf("Error response from daemon: No such container: %s", other)
	case x.Status != "running":
		return fmt.Errorf("Error response from daemon: cannot join network namespace of a non running container: %s", x.ID)
	}
	return nil
}

// program starts what runs in a container, and reports whether it runs. What ends with an error is
// in a restart loop when its policy says so.
func (d *Docker) program(c *Container) bool {
	program := d.config.Programs[c.Image.repository()]
	if program.Start == nil {
		return true
	}
	err := program.Start(c)
	switch {
	case err == nil:
		c.Status, c.Exit = "running", 0
		return true
	case c.restart == "" || c.restart == "no":
		c.Status, c.Exit = "exited", 1
	default:
		c.Status, c.Exit = "restarting", 1
	}
	c.Log(err.Error())
	return false
}

// again starts a container again that ended with an error. Time passes whenever somebody looks.
func (d *Docker) again(c *Container) {
	after := d.crashes[c.Service()]
	switch {
	case c.Status == "restarting":
		c.restarts++
		c.Started, c.looks = time.Now(), 0
		if d.program(c) && after > 0 {
			c.Status, c.Exit = "running", 0
		}
	case c.Status == "running" && after > 0:
		if c.looks++; c.looks <= after {
			return
		}
		c.Status, c.Exit = "exited", 1
		if c.restart != "" && c.restart != "no" {
			c.Status = "restarting"
		}
	}
}
