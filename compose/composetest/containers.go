package composetest

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// ps lists containers.
func (d *Docker) ps(w io.Writer, args []string) error {
	all, quiet, text := false, false, ""
	var filters []string
	for i := 0; i < len(args); i++ {
		switch a := args[i]; a {
		case "-a":
			all = true
		case "-q":
			quiet = true
		case "-aq":
			all, quiet = true, true
		case "--no-trunc":
		case "--filter", "--format":
			if i++; i == len(args) {
				return unknown(args)
			}
			if a == "--format" {
				text = args[i]
			} else {
				if kind, _, _ := strings.Cut(args[i], "="); !slices.Contains([]string{"label", "status", "network"},
					kind) {
					return unknown(args)
				}
				filters = append(filters, args[i])
			}
		default:
			return unknown(args)
		}
	}
	for _, c := range slices.Backward(d.containers) { // the newest first
		keep := all || c.Status == "running"
		for _, f := range filters {
			kind, arg, _ := strings.Cut(f, "=")
			switch kind {
			case "label":
				k, v, exact := strings.Cut(arg, "=")
				have, ok := c.Labels[k]
				keep = keep && ok && (!exact || have == v)
			case "status":
				keep = keep && c.Status == arg
			case "network":
				_, in := c.networks[arg]
				keep = keep && in
			}
		}
		if !keep {
			continue
		}
		if quiet {
			fmt.Fprintln(w, c.ID)
		} else if err := format(w, text, map[string]string{"ID": c.ID, "Names": c.Name,
			"Status": c.Status}); err != nil {
			return err
		}
	}
	return nil
}

type health struct{ Status string }

func (d *Docker) inspect(p *hosttest.Process, args []string) (int, error) {
	if len(args) < 4 || args[0] != "--type" || args[1] != "container" || args[2] != "--format" {
		return 1, unknown(args)
	}
	code := 0
	for _, id := range args[4:] {
		c := d.find(id)
		if c == nil {
			fmt.Fprintln(p.Stderr(), "Error: No such container: "+id)
			code = 1
			continue
		}
		d.again(c)
		type state struct {
			Status    string
			ExitCode  int
			StartedAt string
			Health    *health
		}
		type attachment struct{ NetworkID, IPAddress, GlobalIPv6Address string }
		attached := map[string]attachment{}
		for name, id := range c.networks {
			attached[name] = attachment{NetworkID: id}
			if c.Status == "running" {
				attached[name] = attachment{NetworkID: id, IPAddress: c.addresses[name]}
			}
		}
		var mounts []map[string]string
		for _, target := range slices.Sorted(maps.Keys(c.Binds)) {
			mounts = append(mounts, map[string]string{"Type": "bind", "Source": c.Binds[target], "Destination": target})
		}
		for _, target := range slices.Sorted(maps.Keys(c.Volumes)) {
			mounts = append(mounts, map[string]string{"Type": "volume", "Name": c.Volumes[target],
				"Source": "/var/lib/docker/volumes/" + c.Volumes[target] + "/_data", "Destination": target})
		}
		s := state{Status: c.Status, ExitCode: c.Exit, StartedAt: c.Started.UTC().Format(time.RFC3339Nano)}
		if h := d.health(c); h != "" {
			s.Health = &health{h}
		}
		v := map[string]any{"ID": c.ID, "Name": "/" + c.Name, "Image": c.Image.ID(),
			"Created": c.Created.UTC().Format(time.RFC3339Nano), "RestartCount": c.restarts,
			"Config": map[string]any{"Labels": c.Labels}, "State": s, "Mounts": mounts,
			"NetworkSettings": map[string]any{"Networks": attached, "Ports": c.exposes()},
			"HostConfig": map[string]any{"RestartPolicy": map[string]string{"Name": c.restart}, "NetworkMode": c.mode,
				"PortBindings": c.ports, "PidMode": "", "IpcMode": "private"}}
		if err := format(p.Stdout(), args[3], v); err != nil {
			return 1, err
		}
	}
	return code, nil
}

// control stops, removes and unpauses containers.
func (d *Docker) control(p *hosttest.Process, verb string, ids []string) error {
	for _, id := range ids {
		c := d.find(id)
		if c == nil {
			return fmt.Errorf("Error response from daemon: No such container: %s", id)
		}
		switch verb {
		case "stop":
			if c.Status == "running" || c.Status == "restarting" {
				d.change(p)
				c.Status, c.Exit = "exited", 0
			}
		case "rm":
			if c.Status == "running" || c.Status == "restarting" {
				return fmt.Errorf("Error response from daemon: cannot remove container %q: container is running",
					c.Name)
			}
			d.change(p)
			d.drop(c)
		case "unpause":
			return fmt.Errorf("Error response from daemon: Container %s is not paused", id)
		}
		fmt.Fprintln(p.Stdout(), id)
	}
	return nil
}

func (d *Docker) drop(c *Container) {
	d.containers = slices.DeleteFunc(d.containers, func(x *Container) bool { return x == c })
}

func (d *Docker) logs(p *hosttest.Process, args []string) error {
	all := args
	tail, since := -1, time.Time{}
	for len(args) > 2 {
		var err error
		switch args[0] {
		case "--tail":
			tail, err = strconv.Atoi(args[1])
		case "--since":
			var ago time.Duration
			if ago, err = time.ParseDuration(args[1]); err == nil {
				since = time.Now().Add(-ago)
			} else if since, err = time.Parse(time.RFC3339Nano, args[1]); err != nil {
				since, err = unixTime(args[1])
			}
		default:
			err = unknown(all)
		}
		if err != nil {
			return err
		}
		args = args[2:]
	}
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		return unknown(all)
	}
	c := d.find(args[0])
	if c == nil {
		return fmt.Errorf("Error response from daemon: No such container: %s", args[0])
	}
	var out []string
	for _, l := range c.log {
		if !l.at.Before(since) {
			out = append(out, l.text)
		}
	}
	if tail >= 0 && len(out) > tail {
		out = out[len(out)-tail:]
	}
	for _, l := range out {
		fmt.Fprintln(p.Stdout(), l)
	}
	return nil
}

// unixTime reads seconds since 1970, with nine digits after the point if there are any.
func unixTime(s string) (time.Time, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || fraction == "" {
		return time.Unix(seconds, 0), err
	}
	nanoseconds, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	return time.Unix(seconds, nanoseconds), err
}

// exec runs a command in a container.
func (d *Docker) exec(p *hosttest.Process, args []string) (int, error) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch {
		case args[0] == "-i":
			args = args[1:]
		case args[0] == "-u" && len(args) > 1:
			args = args[2:]
		default:
			return 1, unknown(args)
		}
	}
	if len(args) < 2 {
		return 1, unknown(args)
	}
	c := d.find(args[0])
	if c == nil || c.Status != "running" {
		return 1, fmt.Errorf("Error response from daemon: container %s is not running", args[0])
	}
	program := d.config.Programs[c.Image.repository()]
	if program.Exec == nil {
		return 126, fmt.Errorf("composetest: nothing is known of what %s answers in a container of %s", args[1],
			c.Image.Name)
	}
	return program.Exec(c, p, args[1:]), nil
}

// try runs a command in a container of its own, which is gone afterwards.
func (d *Docker) try(p *hosttest.Process, args []string) (int, error) {
	fixed := []string{"--rm", "-i", "--network", "none", "--user", "postgres", "--entrypoint", "sh"}
	if i := slices.Index(args, "--user"); i < 0 { // as the image says
		fixed = slices.Delete(fixed, 4, 6)
	}
	if len(args) != len(fixed)+3 || !slices.Equal(args[:len(fixed)], fixed) {
		return 1, unknown(args)
	}
	i, ok := find(d.images, args[len(fixed)])
	if !ok {
		return 125, fmt.Errorf("Unable to find image %s locally", args[len(fixed)])
	}
	program := d.config.Programs[i.repository()]
	if program.Try == nil {
		return 126, fmt.Errorf("composetest: nothing is known of what a container of %s does", i.Name)
	}
	return program.Try(p, args[len(args)-1]), nil
}
