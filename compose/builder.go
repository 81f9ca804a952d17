package compose

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// builder gathers the ops of a plan.
type builder struct {
	p             project
	e             Engine
	salt          string    // of the digests of secrets
	now           time.Time // of the machine's clock
	script        scripts
	before, after map[string]any
	ops           []host.Op
	replaced      map[string]bool // services whose containers are recreated
	remade        map[string]bool // networks that are, by key
	begun         map[string]bool // services whose containers are started, or started again
	made          map[string]bool // networks and volumes that a service before brought

	freed   []string          // IDs of containers with the kind of what they gave up
	stopped map[string]string // services that were stopped, by name: for which other
	started map[string]bool   // those that were started again since
}

func (b *builder) add(op host.Op) {
	op.Temps = []string{b.p.stack.stage() + "/"}
	b.ops = append(b.ops, op)
	b.script.ops = append(b.script.ops, b.p.ID()+"/"+op.Name)
}

func (b *builder) images() {
	seen := map[string]bool{}
	for _, s := range b.p.stack.services {
		for _, image := range append([]string{s.image}, s.mounted...) {
			if seen[image] || b.e.image(image) != "" {
				continue
			}
			seen[image] = true
			b.ops = append(b.ops, host.Op{Name: "image:" + image, Action: lab.Create, Cause: "not on the machine",
				Script: b.script.pull(image, s.platform)})
		}
	}
}

// remakeNetworks plans networks whose definition changed. Docker cannot change one, nor remove it
// while a container is attached.
func (b *builder) remakeNetworks() {
	b.remade = map[string]bool{}
	for _, n := range b.p.stack.networks {
		for _, x := range b.e.Networks {
			if x.Name == n.name && !n.external && x.Config != n.config {
				b.remade[n.key] = true
				b.add(host.Op{Name: "network:" + n.key, Action: lab.Replace,
					Cause: "its definition differs; the services in it stop meanwhile", Risk: lab.RiskDisrupt,
					Diff: b.diff("networks", n.key), Script: b.script.removeNetwork(n.name)})
			}
		}
	}
}

// orphans plans containers of services that the stack has no longer. They go first: they may hold a
// port that a new service wants.
func (b *builder) orphans() {
	seen := map[string]bool{}
	for _, c := range b.e.Of(b.p.stack.Name, "") {
		name := c.Service()
		if seen[name] || slices.ContainsFunc(b.p.stack.services,
			func(s service) bool { return s.name == name && s.replicas > 0 }) {
			continue
		}
		seen[name] = true
		cause := "is no longer in the stack"
		if subtree(b.after, "services", name) != nil {
			cause = "is to have no container"
		}
		b.add(host.Op{Name: "service:" + name, Action: lab.Delete, Cause: cause, Risk: lab.RiskDisrupt,
			Diff: b.diff("services", name), Script: b.script.remove(name)})
	}
}

// orphanNetworks plans networks that the stack has no longer. They go last, when nothing is in them
// any more; but first when one that is new may want what they have: only one network can have a
// subnet, a bridge or a parent interface.
func (b *builder) orphanNetworks(first bool) {
	contested := slices.ContainsFunc(b.p.stack.networks, func(n network) bool {
		return n.fixed && !n.external &&
			!slices.ContainsFunc(b.e.Networks, func(x Network) bool { return x.Name == n.name })
	})
	if first != contested {
		return
	}
	for _, x := range b.e.Networks {
		if x.Project != b.p.stack.Name ||
			slices.ContainsFunc(b.p.stack.networks, func(n network) bool { return n.name == x.Name }) {
			continue
		}
		op := host.Op{Name: "network:" + x.Key, Action: lab.Delete, Cause: "is no longer in the stack",
			Script: head + "docker network rm -- " + ssh.Quote(x.Name)}
		if first {
			op.Cause += "; the services in it stop meanwhile"
			op.Risk, op.Script = lab.RiskDisrupt, b.script.removeNetwork(x.Name)
		}
		b.add(op)
	}
}

// service plans one service.
func (b *builder) service(s service) {
	if s.replicas == 0 {
		return
	}
	have := b.e.Of(b.p.stack.Name, s.name)
	op := host.Op{Name: "service:" + s.name}
	if len(have) == 0 {
		op.Action, op.Cause = lab.Create, "not found"
		if makes := b.makes(s); len(makes) > 0 {
			op.Cause += "; with " + strings.Join(makes, ", ")
		}
		b.release(s) // before the script, which says what it rolls back
		op.Diff, op.Script = b.diff("services", s.name), b.script.up(s, steadySeconds, "")
		b.replaced[s.name] = true
		b.add(op)
		return
	}
	if cause := b.stale(s, have); cause != "" {
		b.release(s)
		op.Action, op.Cause, op.Risk = lab.Replace, cause, lab.RiskRestart
		op.Diff, op.Script = b.diff("services", s.name), b.script.up(s, steadySeconds, "--force-recreate")
		var halves []string
		for _, c := range have {
			if halfName.MatchString(c.Name) && !releasedName.MatchString(c.Name) {
				halves = append(halves, c.ID)
			}
		}
		if len(halves) > 0 && len(have) > s.replicas {
			// Compose would rename one container to the name of the other.
			op.Script = b.script.removeHalves(halves) + op.Script
		}
		b.replaced[s.name] = true
		b.add(op)
		return
	}
	action, cause := b.state(s, have)
	if taker := b.stopped[s.name]; taker != "" {
		action, cause = "start", "was stopped for "+taker
		b.started[s.name] = true
	}
	if action == "start" || action == "restart" {
		b.release(s)
	}
	steady := steadySeconds
	if slices.ContainsFunc(have, func(c Container) bool {
		killed := c.Exit == 137 || c.Exit == 143 // by somebody, or with the machine
		return c.Status == "restarting" || c.Exit != 0 && !killed || b.loops(c)
	}) {
		steady = watchedSeconds
	}
	switch action {
	case "":
		return
	case "wait":
		op.Script = b.script.wait(s)
	case "restart":
		op.Risk, op.Script = lab.RiskRestart, b.script.restart(s, steady)
	default:
		op.Script = b.script.up(s, steady, "--no-recreate")
	}
	b.begun[s.name] = action != "wait"
	op.Action, op.Cause = lab.Run, cause
	b.add(op)
}

// halfName is how Compose names a container until that which it replaces is gone, and releasedName
// how we name one that gave its name up.
var (
	halfName     = regexp.MustCompile(`^[0-9a-f]{12}_`)
	releasedName = regexp.MustCompile(`^[0-9a-f]{12}_was_`)
)

// makes returns the networks and volumes that come with a service's first container.
func (b *builder) makes(s service) (out []string) {
	defer func() {
		out = slices.DeleteFunc(out, func(what string) bool { return b.made[what] })
		for _, what := range out {
			b.made[what] = true
		}
	}()
	for _, n := range b.p.stack.networks {
		if slices.Contains(s.networks, n.key) && !n.external &&
			(b.remade[n.key] || !slices.ContainsFunc(b.e.Networks, func(x Network) bool { return x.Name == n.name })) {
			out = append(out, "network "+n.name)
		}
	}
	for _, v := range b.p.stack.volumes {
		if slices.Contains(s.volumes, v.key) && !v.external &&
			!slices.ContainsFunc(b.e.Volumes, func(x Volume) bool { return x.Name == v.name }) {
			out = append(out, "volume "+v.name)
		}
	}
	return out
}

// diff returns the difference of a definition from what lies on the machine.
func (b *builder) diff(kind, name string) string {
	text := func(doc map[string]any) []byte {
		def, ok := clone(subtree(doc, kind, name)).(map[string]any)
		if !ok {
			return nil
		}
		if labels, ok := def["labels"].(map[string]any); ok {
			for _, name := range []string{labelConfig, labelFiles, labelSalt} { // they say nothing to people
				delete(labels, name)
			}
			if len(labels) == 0 {
				delete(def, "labels")
			}
		}
		return encode(map[string]any{name: def})
	}
	return lab.Diff(kind+"/"+name, text(b.before), text(b.after))
}
