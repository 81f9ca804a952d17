package compose

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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
	digests := b.p.stack.digests(s, b.salt)
	for _, c := range have {
		switch {
		case c.Status == "dead" || c.Status == "removing":
			return "is " + c.Status
		case c.Labels[labelConfig] == "":
			return "was made by something else: it has no label " + labelConfig
		case c.Labels[labelConfig] != s.config:
			return "its definition differs"
		case c.Labels[labelFiles] != digests:
			return b.changed(s, c)
		case c.Format() != b.p.stack.Format:
			return "its data format is said to be " + lab.Printable(b.p.stack.Format)
		}
		if len(have) == s.replicas && halfName.MatchString(c.Name) {
			return "has the name of a container that is to be replaced"
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
			if other, ok := strings.CutPrefix(mode, "container:"); ok && b.e.find(other) == nil {
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

// changed says which files differ from those that a container was made from. Whether a secret does
// cannot be known when the salt of its digest is another.
func (b *builder) changed(s service, c Container) string {
	old, now := readDigests(c.Labels[labelFiles]), readDigests(b.p.stack.digests(s, b.salt))
	var unknown []string
	for _, f := range b.p.stack.mountedBy(s) {
		if _, had := old[f.Path]; had && !f.Secret.IsZero() && c.Labels[labelSalt] != mark(b.salt) {
			unknown = append(unknown, f.Path)
		}
	}
	return changedFiles(old, now, unknown)
}

// changedFiles compares files by their digests.
func changedFiles(old, now map[string]string, unknown []string) string {
	var names, causes []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if old[name] != now[name] && !slices.Contains(unknown, name) {
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if _, ok := now[name]; !ok {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		causes = append(causes, "the content of "+strings.Join(names, ", ")+" differs")
	}
	if len(unknown) > 0 {
		causes = append(causes, "whether the content of "+strings.Join(unknown, ", ")+
			" differs is not known, since "+saltFile+" is not the one that the container was made with")
	}
	if len(causes) == 0 {
		return "its files differ"
	}
	return strings.Join(causes, "; ")
}

// readDigests reads the label of files: their digests by their names.
func readDigests(label string) map[string]string {
	m := map[string]string{}
	for f := range strings.FieldsSeq(label) {
		if i := strings.LastIndexByte(f, ':'); i > 0 {
			m[f[:i]] = f[i+1:]
		}
	}
	return m
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
		for _, other := range s.foreign {
			if x := b.e.find(other); x != nil && c.Status == "running" && c.shares(*x) && x.Started.After(c.Started) {
				return "restart", other + ", whose namespace it shares, was started again"
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
		case b.loops(c):
			return "restart", "ends and is started again, over and over"
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

// loops reports whether a container without a health check is in a restart loop that is so slow that
// it runs most of the time: the engine started it again three times, the last one just now.
func (b *builder) loops(c Container) bool {
	since := b.now.Sub(c.Started)
	return c.Status == "running" && c.Health == "" && c.Restarts >= 3 && since >= 0 && since < 10*time.Minute
}

// shares reports whether a container uses a namespace of another.
func (c Container) shares(other Container) bool {
	for _, mode := range []string{c.Networks, c.PID, c.IPC} {
		if mode == "container:"+other.ID || mode == "container:"+other.Name {
			return true
		}
	}
	return false
}
