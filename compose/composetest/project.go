package composetest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/dag"
)

// model is a compose.yaml, canonical as package compose renders it.
type model struct {
	Name     string                    `yaml:"name"`
	Services map[string]map[string]any `yaml:"services"`
	Networks map[string]map[string]any `yaml:"networks"`
	Volumes  map[string]map[string]any `yaml:"volumes"`
}

// invocation is a call of docker compose.
type invocation struct {
	project, dir, file string
	m                  model
}

// compose is the plugin.
func (d *Docker) compose(p *hosttest.Process, args []string) (int, error) {
	if d.config.Compose == "-" {
		return 1, fmt.Errorf("docker: 'compose' is not a docker command.\nSee 'docker --help'")
	}
	if slices.Equal(args, []string{"version", "--short"}) || slices.Equal(args, []string{"version"}) {
		fmt.Fprintln(p.Stdout(), d.config.Compose)
		return 0, nil
	}
	var in invocation
	env := ""
	for len(args) > 1 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-p":
			in.project = args[1]
		case "--project-directory":
			in.dir = args[1]
		case "-f":
			in.file = args[1]
		case "--env-file":
			env = args[1]
		case "--progress":
			if args[1] != "quiet" {
				return 1, unknown(args)
			}
		default:
			return 1, unknown(args)
		}
		args = args[2:]
	}
	if in.project == "" || in.dir == "" || in.file == "" || env != "/dev/null" || len(args) == 0 {
		return 1, unknown(args)
	}
	b, err := d.m.FS().ReadFile(in.file)
	if err != nil {
		return 14, fmt.Errorf("open %s: no such file or directory", in.file)
	}
	if err := yaml.Unmarshal(b, &in.m); err != nil {
		return 15, err
	}
	if len(in.m.Services) == 0 {
		return 15, fmt.Errorf("no service selected")
	}
	switch {
	case slices.Equal(args, []string{"config", "-q"}):
		return 0, nil
	case slices.Equal(args, []string{"config", "--services"}):
		for _, s := range in.order() {
			fmt.Fprintln(p.Stdout(), s)
		}
		return 0, nil
	case args[0] == "up":
		return d.up(p, in, args[1:])
	case args[0] == "restart":
		names := slices.DeleteFunc(slices.Clone(args[1:]), func(a string) bool { return a == "--" || a == "--no-deps" })
		for _, c := range d.containers {
			if c.Project() == in.project && slices.Contains(names, c.Service()) {
				d.change(p)
				if err := d.start(c); err != nil {
					return 1, err
				}
			}
		}
		return 0, nil
	}
	return 1, unknown(args)
}

// order returns the services, each after those it depends on.
func (in invocation) order() (out []string) {
	names := slices.Sorted(maps.Keys(in.m.Services))
	order, _ := dag.Sort(len(names), func(n int) (after []int) { // package compose, whose file this is, refuses a cycle
		deps, _ := in.m.Services[names[n]]["depends_on"].(map[string]any)
		for _, dep := range slices.Sorted(maps.Keys(deps)) {
			if m := slices.Index(names, dep); m >= 0 {
				after = append(after, m)
			}
		}
		return after
	})
	for _, n := range order {
		out = append(out, names[n])
	}
	return out
}

func (d *Docker) up(p *hosttest.Process, in invocation, args []string) (int, error) {
	var names []string
	force, keep, orphans := false, false, false
	var seen []string
	for i, a := range args {
		if a == "--" {
			names = args[i+1:]
			break
		}
		seen = append(seen, a)
		switch a {
		case "--force-recreate":
			force = true
		case "--no-recreate":
			keep = true
		case "--remove-orphans":
			orphans = true
		case "-d", "--no-deps", "--no-build", "--pull", "never":
		default:
			return 1, unknown(args)
		}
	}
	if !slices.Contains(seen, "-d") || !slices.Contains(seen, "never") ||
		len(names) > 0 && !slices.Contains(seen, "--no-deps") {
		return 1, usageError(fmt.Sprintf("compose up would pull, or not return: %q", args))
	}
	if len(names) == 0 {
		names = in.order()
	}
	if orphans {
		for _, c := range slices.Clone(d.containers) {
			if c.Project() == in.project && in.m.Services[c.Service()] == nil {
				d.change(p)
				d.drop(c)
			}
		}
	}
	for _, name := range names {
		if in.m.Services[name] == nil {
			return 1, fmt.Errorf("no such service: %s", name)
		}
		if err := d.converge(p, in, name, force, keep); err != nil {
			return 1, err
		}
	}
	return 0, nil
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return strings.ReplaceAll(fmt.Sprint(v), "$$", "$")
}

func stringMap(v any) map[string]string {
	out := map[string]string{}
	m, _ := v.(map[string]any)
	for k, v := range m {
		out[k] = text(v)
	}
	return out
}

// converge makes the containers of one service as the model says.
func (d *Docker) converge(p *hosttest.Process, in invocation, name string, force, keep bool) error {
	s := in.m.Services[name]
	image, ok := find(d.images, text(s["image"]))
	if !ok {
		return fmt.Errorf("Error response from daemon: No such image: %s", text(s["image"]))
	}
	attached, err := d.needs(p, in, s)
	if err != nil {
		return err
	}
	if err := d.profile(s); err != nil {
		return err
	}
	same := maps.Clone(s) // Compose's hash is not of how many there are either
	delete(same, "scale")
	delete(same, "deploy")
	b, err := json.Marshal(same)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	hash := hex.EncodeToString(sum[:])
	var have []*Container
	for _, c := range d.containers {
		if c.Project() == in.project && c.Service() == name {
			have = append(have, c)
		}
	}
	want := scale(s)
	for len(have) > want {
		d.change(p)
		d.drop(have[len(have)-1])
		have = have[:len(have)-1]
	}
	for i := range want {
		if i < len(have) && (keep || !force && have[i].Labels["com.docker.compose.config-hash"] == hash) {
			continue
		}
		made := d.make(in, name, s, i+1, image, hash, attached)
		final := made.Name
		if i < len(have) {
			made.Name = have[i].ID[:12] + "_" + final
		}
		if err := d.named(made.Name); err != nil {
			return err
		}
		d.change(p)
		d.containers = append(d.containers, made)
		if i < len(have) {
			d.change(p)
			d.drop(have[i])
			if err := d.named(final); err != nil {
				return err
			}
			d.change(p)
			made.Name = final
			have[i] = made
		} else {
			have = append(have, made)
		}
	}
	for _, c := range have {
		if c.Status != "running" {
			d.change(p)
			if err := d.start(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// scale returns how many containers a service has.
func scale(s map[string]any) int {
	if n, ok := s["scale"].(int); ok {
		return n
	}
	deploy, _ := s["deploy"].(map[string]any)
	if n, ok := deploy["replicas"].(int); ok {
		return n
	}
	return 1
}

// subnetsOf returns the subnets that a network asks for.
func subnetsOf(def map[string]any) (out []string) {
	ipam, _ := def["ipam"].(map[string]any)
	configs, _ := ipam["config"].([]any)
	for _, c := range configs {
		if config, _ := c.(map[string]any); config["subnet"] != nil {
			out = append(out, text(config["subnet"]))
		}
	}
	return out
}

func overlaps(subnets []string, other string) bool {
	return slices.ContainsFunc(subnets, func(s string) bool {
		a, errA := netip.ParsePrefix(s)
		b, errB := netip.ParsePrefix(other)
		return errA == nil && errB == nil && a.Overlaps(b)
	})
}

// needs makes the networks and volumes of a service, and returns the names of the networks.
func (d *Docker) needs(p *hosttest.Process, in invocation, s map[string]any) (attached []string, err error) {
	networks, _ := s["networks"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(networks)) {
		def := in.m.Networks[key]
		name := text(def["name"])
		attached = append(attached, name)
		if slices.ContainsFunc(d.networks, func(n network) bool { return n.Name == name }) {
			continue
		}
		if def["external"] == true {
			return nil, fmt.Errorf("network %s declared as external, but could not be found", name)
		}
		subnets := subnetsOf(def)
		for _, n := range d.networks {
			if slices.ContainsFunc(n.subnets, func(s string) bool { return overlaps(subnets, s) }) {
				return nil, fmt.Errorf("failed to create network %s: Error response from daemon: Pool overlaps with other one on "+
					"this address space", name)
			}
		}
		d.change(p)
		d.serial++
		d.networks = append(d.networks, network{subnets: subnets, Name: name, ID: digest(fmt.Sprint("network ", d.serial))[7:],
			project: in.project, key: key, config: stringMap(def["labels"])["lab.config"]})
	}
	mounts, _ := s["volumes"].([]any)
	for _, m := range mounts {
		mount, _ := m.(map[string]any)
		source := text(mount["source"])
		switch mount["type"] {
		case "bind":
			if _, err := d.m.FS().Stat(source); err == nil {
				continue
			}
			bind, _ := mount["bind"].(map[string]any)
			if bind["create_host_path"] != true {
				return nil, fmt.Errorf("Error response from daemon: invalid mount config for type \"bind\": bind "+
					"source path does not exist: %s", source)
			}
			d.change(p)
			if err := d.m.FS().MkdirAll(source); err != nil {
				return nil, err
			}
		case "volume":
			def := in.m.Volumes[source]
			name := text(def["name"])
			if slices.ContainsFunc(d.volumes, func(v volume) bool { return v.Name == name }) {
				continue
			}
			if def["external"] == true {
				return nil, fmt.Errorf("external volume %q not found", name)
			}
			driver := text(def["driver"])
			if driver == "" {
				driver = "local"
			}
			d.change(p)
			d.volumes = append(d.volumes,
				volume{Name: name, Driver: driver, Options: stringMap(def["driver_opts"]),
					Labels: map[string]string{"com.docker.compose.project": in.project,
						"com.docker.compose.volume": source}})
		}
	}
	return attached, nil
}

// make returns a container, the n-th of its service, that is created and not started.
func (d *Docker) make(in invocation, name string, s map[string]any, n int, image Image, hash string,
	networks []string) *Container {
	d.serial++
	id := sha256.Sum256([]byte(fmt.Sprintf("container %d", d.serial)))
	c := &Container{ID: hex.EncodeToString(id[:]), Name: fmt.Sprintf("%s-%s-%d", in.project, name, n), Image: image,
		Labels: stringMap(s["labels"]), Env: stringMap(s["environment"]),
		Binds: map[string]string{}, Volumes: map[string]string{}, networks: map[string]string{}, Created: time.Now(),
		Status: "created", docker: d, restart: text(s["restart"]), mode: text(s["network_mode"]),
		ports: publish(s), fixed: in.fixedAddresses(s)}
	for _, n := range networks {
		c.networks[n] = ""
	}
	if fixed := text(s["container_name"]); fixed != "" {
		c.Name = fixed
	}
	if other, ok := strings.CutPrefix(c.mode, "service:"); ok {
		for _, x := range d.containers {
			if x.Project() == in.project && x.Service() == other {
				c.mode = "container:" + x.ID
			}
		}
	}
	maps.Copy(c.Labels, map[string]string{
		"com.docker.compose.project":              in.project,
		"com.docker.compose.service":              name,
		"com.docker.compose.oneoff":               "False",
		"com.docker.compose.container-number":     fmt.Sprint(n),
		"com.docker.compose.project.working_dir":  in.dir,
		"com.docker.compose.project.config_files": in.file,
		"com.docker.compose.config-hash":          hash,
		"com.docker.compose.image":                image.ID(),
		"com.docker.compose.version":              d.config.Compose,
	})
	if check, ok := s["healthcheck"].(map[string]any); ok {
		c.checked = check["disable"] != true
	}
	mounts, _ := s["volumes"].([]any)
	for _, m := range mounts {
		mount, _ := m.(map[string]any)
		switch target, source := text(mount["target"]), text(mount["source"]); {
		case mount["type"] == "bind":
			c.Binds[target] = source
		case mount["type"] == "volume" && source != "":
			c.Volumes[target] = text(in.m.Volumes[source]["name"])
		}
	}
	secrets, _ := s["secrets"].([]any)
	for _, r := range secrets {
		if ref, _ := r.(map[string]any); ref != nil {
			c.Binds[path.Join("/run/secrets", path.Base(text(ref["target"])))] = path.Join(in.dir, "secrets",
				text(ref["source"]))
		}
	}
	return c
}
