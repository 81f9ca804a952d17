package compose

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// stale returns why the containers must be recreated, "" when they need not.
func (b *builder) stale(s service, have []Container) string {
	for _, n := range s.networks {
		if b.remade[n] {
			return "network " + n + " is recreated"
		}
	}
	for _, other := range s.shares {
		if b.replaced[other] {
			return "it shares what is of " + other + ", which is recreated"
		}
	}
	digests := b.p.stack.digests(s)
	for _, c := range have {
		switch {
		case c.Status == "dead" || c.Status == "removing":
			return "is " + c.Status
		case c.Labels[labelConfig] == "":
			return "was made by something else: it has no label " + labelConfig
		case c.Labels[labelConfig] != s.config:
			return "its definition differs"
		case c.Labels[labelFiles] != digests:
			return changedFiles(c.Labels[labelFiles], digests)
		case c.Format() != b.p.stack.Format:
			return "its data format is said to be " + lab.Printable(b.p.stack.Format)
		}
		if id := b.e.image(s.image); id != "" && c.Image != id {
			return "runs another image"
		}
		if cause := b.detached(s, c); cause != "" {
			return cause
		}
		for _, v := range b.p.stack.volumes {
			if slices.Contains(s.volumes, v.key) &&
				!slices.ContainsFunc(c.Mounts, func(m Mount) bool { return m.Type == "volume" && m.Name == v.name }) {
				return "does not have the volume " + v.name
			}
		}
		for _, mode := range []string{c.Networks, c.PID, c.IPC} {
			if id, ok := strings.CutPrefix(mode, "container:"); ok &&
				!slices.ContainsFunc(b.e.Containers, func(x Container) bool { return x.ID == id }) {
				return "the container whose namespace it shares is gone"
			}
		}
	}
	return ""
}

// detached returns why a container is not in its networks as they are: "docker system prune"
// removes those of containers that do not run, which cannot be started again then, and one that is
// recreated under the same name is another.
func (b *builder) detached(s service, c Container) string {
	for _, n := range b.p.stack.networks {
		if !slices.Contains(s.networks, n.key) {
			continue
		}
		in, ok := c.Attached[n.name]
		have := slices.IndexFunc(b.e.Networks, func(x Network) bool { return x.Name == n.name })
		switch {
		case !ok:
			return "is not in the network " + n.name
		case in.NetworkID != "" && have < 0:
			return "the network " + n.name + " is gone"
		case in.NetworkID != "" && in.NetworkID != b.e.Networks[have].ID:
			return "the network " + n.name + " was recreated"
		}
	}
	return ""
}

// changedFiles says which files differ.
func changedFiles(before, after string) string {
	read := func(s string) map[string]string {
		m := map[string]string{}
		for f := range strings.FieldsSeq(s) {
			if i := strings.LastIndexByte(f, ':'); i > 0 {
				m[f[:i]] = f[i+1:]
			}
		}
		return m
	}
	old, now := read(before), read(after)
	var names []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if old[name] != now[name] {
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if _, ok := now[name]; !ok {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "its files differ"
	}
	return "the content of " + strings.Join(names, ", ") + " differs"
}

// state returns what containers that are as they should be need all the same: "" for nothing,
// start, restart or wait; and why.
func (b *builder) state(s service, have []Container) (action, cause string) {
	running := 0
	for _, c := range have {
		for name, d := range s.depends {
			for _, x := range b.e.Of(b.p.stack.Name, name) {
				if d.Restart && c.Status == "running" && (b.replaced[name] || x.Created.After(c.Started)) {
					return "restart", name + " was recreated"
				}
			}
		}
		for _, other := range s.inside {
			for _, x := range b.e.Of(b.p.stack.Name, other) {
				if c.Status == "running" && (b.begun[other] || x.Started.After(c.Started)) {
					return "restart", other + ", whose namespace it shares, was started again"
				}
			}
		}
		switch {
		case c.Status == "exited" && c.Exit == 0 && s.ends:
			running++
		case c.Status == "created":
			return "start", "was never started"
		case c.Status == "exited":
			return "start", fmt.Sprintf("has ended with status %d", c.Exit)
		case c.Status == "paused":
			return "restart", "is paused"
		case c.Status == "restarting":
			return "restart", "is in a restart loop"
		case c.Health == "unhealthy":
			return "restart", "is unhealthy"
		case c.Health == "starting":
			return "wait", "is starting"
		case s.completes:
			return "wait", "has not ended"
		default:
			running++
		}
	}
	if running != s.replicas {
		return "start", fmt.Sprintf("%d of %d are there", running, s.replicas)
	}
	return "", ""
}
