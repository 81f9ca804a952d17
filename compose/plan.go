package compose

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// project is what Docker runs of a stack.
type project struct {
	host.Order
	stack Stack
}

// ID implements [host.Resource].
func (p project) ID() string { return p.stack.Running() }

// Check implements [host.Resource].
func (p project) Validate() lab.Problems { return nil }

// Secrets returns the secrets of the stack and their digests, which are short: a secret might be guessed from one.
func (p project) Secrets() (out []lab.Secret) {
	for _, f := range p.stack.Files {
		if !f.Secret.IsZero() {
			out = append(out, f.Secret, lab.NewSecret(f.digest()))
		}
	}
	return out
}

func (p project) file(name string) string { return path.Join(p.stack.Dir, name) }

// Observe implements [host.Resource].
func (p project) Observe(q *host.Query) {
	AskEngine(q)
	sum := sha256.Sum256(p.stack.Render())
	q.Sum(p.file(composeFile), sum)
	q.Sum(p.file(path.Join(previousDir, composeFile)), sum)
}

// Plan implements [host.Resource].
func (p project) Plan(o *host.Observation) ([]host.Op, error) {
	e, err := ReadEngine(o)
	if err != nil {
		return nil, err
	}
	if err := e.usable(); err != nil {
		return nil, err
	}
	if e.Missing && len(p.stack.After) == 0 {
		return nil, &lab.Error{Op: "check docker", Hint: "apt-get install docker-ce docker-ce-cli docker-compose-plugin; or name in after what installs it", Err: fmt.Errorf("%w: docker", lab.ErrNotFound)}
	}
	if err := p.refuse(e); err != nil {
		return nil, err
	}
	b := &builder{p: p, e: e, script: p.stack.scripts(), replaced: map[string]bool{}, begun: map[string]bool{}, made: map[string]bool{}}
	if old, ok := o.Shown(p.file(composeFile)); ok {
		_ = yaml.Unmarshal(old, &b.before) // what cannot be read is shown as new
	}
	_ = yaml.Unmarshal(p.stack.Render(), &b.after) // it was just encoded
	b.images()
	b.remakeNetworks()
	b.orphans()
	for _, s := range p.stack.services {
		b.service(s)
	}
	b.orphanNetworks()
	sum := sha256.Sum256(p.stack.Render())
	if o.Sum(p.file(path.Join(previousDir, composeFile))) != hex.EncodeToString(sum[:]) {
		b.add(host.Op{Name: "keep", Action: lab.Run, Cause: "the stack that is healthy is kept, to go back to", Script: b.script.keep()})
	}
	if e.Missing || len(p.absent(e)) > 0 {
		for i := range b.ops {
			b.ops[i].Deferred = true
		}
	}
	return b.ops, nil
}

// refuse returns why the stack cannot be had from where the machine is.
func (p project) refuse(e Engine) error {
	s := p.stack
	for _, c := range e.Of(s.Name, "") {
		if c.Dir() != s.Dir {
			return &lab.Error{Op: "check project", Hint: fmt.Sprintf("rename the stack; or, if the other is not needed any more: docker compose -p %s down", s.Name),
				Err: fmt.Errorf("%w: the project %s is that of %s, whose containers would be taken for orphans of this one", lab.ErrRefused, s.Name, lab.Printable(c.Dir()))}
		}
	}
	for _, c := range e.Containers {
		if c.Dir() == s.Dir && c.Project() != s.Name {
			return &lab.Error{Op: "check project", Path: s.Dir, Hint: fmt.Sprintf("give the stack a folder of its own; or, if it is the same under its former name: docker compose -p %s down", c.Project()),
				Err: fmt.Errorf("%w: the folder is that of the project %s: each would take the files of the other for its own", lab.ErrRefused, c.Project())}
		}
	}
	if absent := p.absent(e); len(absent) > 0 && len(s.After) == 0 {
		return &lab.Error{Op: "check stack", Hint: "deploy first what makes it, and name that in after", Err: fmt.Errorf("%w: the external %s", lab.ErrNotFound, strings.Join(absent, ", "))}
	}
	for _, n := range s.networks {
		have := slices.IndexFunc(e.Networks, func(x Network) bool { return x.Name == n.name })
		if !n.external && have >= 0 && e.Networks[have].Project == s.Name && e.Networks[have].Config != n.config {
			for _, c := range e.Containers {
				if _, in := c.Attached[n.name]; in && c.Project() != s.Name {
					return &lab.Error{Op: "check network", Hint: fmt.Sprintf("docker network disconnect %s %s; apply this stack, and then that of %s, which joins it again", n.name, c.Name, c.Project()),
						Err: fmt.Errorf("%w: the network %s is to be made anew, and %s of another stack is in it", lab.ErrRefused, n.name, c.Name)}
				}
			}
		}
		if !n.external && have >= 0 && e.Networks[have].Project != s.Name {
			return &lab.Error{Op: "check network", Hint: "rename it, or write external: true if it is meant to be shared", Err: fmt.Errorf("%w: the network %s is there, and not of this stack", lab.ErrConflict, n.name)}
		}
	}
	for _, v := range s.volumes {
		have := slices.IndexFunc(e.Volumes, func(x Volume) bool { return x.Name == v.name })
		if v.external || have < 0 {
			continue
		}
		x := e.Volumes[have]
		driver := v.driver
		if driver == "" {
			driver = "local"
		}
		if x.Labels[labelProject] != s.Name {
			return &lab.Error{Op: "check volume", Hint: "rename it, or write external: true if it is meant to be shared", Err: fmt.Errorf("%w: the volume %s is there, and not of this stack", lab.ErrConflict, v.name)}
		}
		if x.Driver != driver || !maps.Equal(x.Options, v.options) && len(x.Options)+len(v.options) > 0 {
			return &lab.Error{Op: "check volume", Hint: "move the data to a volume of another name; or, if it is not needed: stack down, docker volume rm " + v.name,
				Err: fmt.Errorf("%w: the volume %s was made with another driver or other options, and those cannot be changed without losing what is in it", lab.ErrRefused, v.name)}
		}
	}
	for _, sv := range s.services {
		if id := imageID(sv.image); id != "" && e.image(id) == "" && !e.Missing {
			return &lab.Error{Op: "check image", Hint: "import or load it on the machine, and pin what it is then: stack lock",
				Err: fmt.Errorf("%w: the image of %s, %s, is in no registry and not on the machine", lab.ErrNotFound, sv.name, id)}
		}
	}
	return nil
}

// absent returns the external networks and volumes that are not there. What the stack comes after may bring them.
func (p project) absent(e Engine) (out []string) {
	if e.Missing {
		return nil
	}
	for _, n := range p.stack.networks {
		if n.external && !slices.ContainsFunc(e.Networks, func(x Network) bool { return x.Name == n.name }) {
			out = append(out, "network "+n.name)
		}
	}
	for _, v := range p.stack.volumes {
		if v.external && !slices.ContainsFunc(e.Volumes, func(x Volume) bool { return x.Name == v.name }) {
			out = append(out, "volume "+v.name)
		}
	}
	return out
}

// builder gathers the ops of a plan.
type builder struct {
	p             project
	e             Engine
	script        scripts
	before, after map[string]any
	ops           []host.Op
	replaced      map[string]bool // services whose containers are made anew
	remade        map[string]bool // networks that are, by key
	begun         map[string]bool // services whose containers are started, or started again
	made          map[string]bool // networks and volumes that a service before brought
}

func (b *builder) add(op host.Op) {
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
			b.ops = append(b.ops, host.Op{Name: "image:" + image, Action: lab.Create, Cause: "not on the machine", Script: b.script.pull(image, s.platform)})
		}
	}
}

// remakeNetworks plans networks whose definition changed. Docker cannot change one, nor remove it while a container is attached.
func (b *builder) remakeNetworks() {
	b.remade = map[string]bool{}
	for _, n := range b.p.stack.networks {
		for _, x := range b.e.Networks {
			if x.Name == n.name && !n.external && x.Config != n.config {
				b.remade[n.key] = true
				b.add(host.Op{Name: "network:" + n.key, Action: lab.Replace, Cause: "its definition differs; the services in it stop meanwhile", Risk: lab.RiskDisrupt,
					Diff: b.diff("networks", n.key), Script: b.script.removeNetwork(n.name)})
			}
		}
	}
}

// orphans plans containers of services that the stack has no longer. They go first: they may hold a port that a new service wants.
func (b *builder) orphans() {
	seen := map[string]bool{}
	for _, c := range b.e.Of(b.p.stack.Name, "") {
		name := c.Service()
		if seen[name] || slices.ContainsFunc(b.p.stack.services, func(s service) bool { return s.name == name && s.replicas > 0 }) {
			continue
		}
		seen[name] = true
		cause := "is no longer in the stack"
		if subtree(b.after, "services", name) != nil {
			cause = "is to have no container"
		}
		b.add(host.Op{Name: "service:" + name, Action: lab.Delete, Cause: cause, Risk: lab.RiskDisrupt, Diff: b.diff("services", name), Script: b.script.remove(name)})
	}
}

func (b *builder) orphanNetworks() {
	for _, x := range b.e.Networks {
		if x.Project == b.p.stack.Name && !slices.ContainsFunc(b.p.stack.networks, func(n network) bool { return n.name == x.Name }) {
			b.add(host.Op{Name: "network:" + x.Key, Action: lab.Delete, Cause: "is no longer in the stack", Script: "docker network rm -- " + ssh.Quote(x.Name)})
		}
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
		op.Diff, op.Script = b.diff("services", s.name), b.script.up(s, "")
		b.replaced[s.name] = true
		b.add(op)
		return
	}
	if cause := b.stale(s, have); cause != "" {
		op.Action, op.Cause, op.Risk = lab.Replace, cause, lab.RiskRestart
		op.Diff, op.Script = b.diff("services", s.name), b.script.up(s, "--force-recreate")
		var halves []string
		for _, c := range have {
			if halfName.MatchString(c.Name) {
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
	switch action {
	case "":
		return
	case "wait":
		op.Script = b.script.wait(s)
	case "restart":
		op.Risk, op.Script = lab.RiskRestart, b.script.restart(s)
	default:
		op.Script = b.script.up(s, "--no-recreate")
	}
	b.begun[s.name] = action != "wait"
	op.Action, op.Cause = lab.Run, cause
	b.add(op)
}

// halfName is how Compose names a container until that which it replaces is gone.
var halfName = regexp.MustCompile(`^[0-9a-f]{12}_`)

// makes returns the networks and volumes that come with a service's first container.
func (b *builder) makes(s service) (out []string) {
	defer func() {
		out = slices.DeleteFunc(out, func(what string) bool { return b.made[what] })
		for _, what := range out {
			b.made[what] = true
		}
	}()
	for _, n := range b.p.stack.networks {
		if slices.Contains(s.networks, n.key) && !n.external && (b.remade[n.key] || !slices.ContainsFunc(b.e.Networks, func(x Network) bool { return x.Name == n.name })) {
			out = append(out, "network "+n.name)
		}
	}
	for _, v := range b.p.stack.volumes {
		if slices.Contains(s.volumes, v.key) && !v.external && !slices.ContainsFunc(b.e.Volumes, func(x Volume) bool { return x.Name == v.name }) {
			out = append(out, "volume "+v.name)
		}
	}
	return out
}

// stale returns why the containers must be made anew, "" when they need not.
func (b *builder) stale(s service, have []Container) string {
	for _, n := range s.networks {
		if b.remade[n] {
			return "network " + n + " is made anew"
		}
	}
	for _, other := range s.shares {
		if b.replaced[other] {
			return "it shares what is of " + other + ", which is made anew"
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
			if slices.Contains(s.volumes, v.key) && !slices.ContainsFunc(c.Mounts, func(m Mount) bool { return m.Type == "volume" && m.Name == v.name }) {
				return "does not have the volume " + v.name
			}
		}
		for _, mode := range []string{c.Networks, c.PID, c.IPC} {
			if id, ok := strings.CutPrefix(mode, "container:"); ok && !slices.ContainsFunc(b.e.Containers, func(x Container) bool { return x.ID == id }) {
				return "the container whose namespace it shares is gone"
			}
		}
	}
	return ""
}

// detached returns why a container is not in its networks as they are: "docker system prune" removes those of containers that do not run, which
// cannot be started again then, and one that is made anew under the same name is another.
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
			return "the network " + n.name + " was made anew"
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

// state returns what containers that are as they should be need all the same: "" for nothing, start, restart or wait; and why.
func (b *builder) state(s service, have []Container) (action, cause string) {
	running := 0
	for _, c := range have {
		for name, d := range s.depends {
			for _, x := range b.e.Of(b.p.stack.Name, name) {
				if d.Restart && c.Status == "running" && (b.replaced[name] || x.Created.After(c.Started)) {
					return "restart", name + " was made anew"
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
			return "restart", "ends again and again"
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

// diff returns the difference of a definition from what lies on the machine.
func (b *builder) diff(kind, name string) string {
	text := func(doc map[string]any) []byte {
		def, ok := clone(subtree(doc, kind, name)).(map[string]any)
		if !ok {
			return nil
		}
		if labels, ok := def["labels"].(map[string]any); ok {
			delete(labels, labelConfig) // it says nothing to people
			if len(labels) == 0 {
				delete(def, "labels")
			}
		}
		return encode(map[string]any{name: def})
	}
	return lab.Diff(kind+"/"+name, text(b.before), text(b.after))
}
