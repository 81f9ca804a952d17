package composetest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
)

// Config is a Docker Engine. The zero value is a new one without images.
type Config struct {
	Version  string             // of the engine; empty means 28.5.1
	Compose  string             // of the plugin; empty means 2.40.3, "-" means that there is none
	V1       bool               // docker-compose version 1 is there too
	Images   []Image            // on the machine
	Registry []Image            // that can be pulled
	Programs map[string]Program // what runs in containers, by the image's name without tag; those of this package are there without being named
}

// Image is an image by its name and tag. Its digest and its ID are made of the name.
type Image struct {
	Name     string // "postgres:17.2"
	Imported bool   // it is in no registry and has no digest
}

// ID returns the image's ID.
func (i Image) ID() string { return digest("id " + i.Name) }

// Digest returns the digest of its manifest, "" when it was imported.
func (i Image) Digest() string {
	if i.Imported {
		return ""
	}
	return digest("manifest " + i.Name)
}

func (i Image) repository() string { return i.Name[:strings.LastIndexByte(i.Name, ':')] }

func (i Image) tag() string { return i.Name[strings.LastIndexByte(i.Name, ':')+1:] }

func digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(h[:])
}

// Docker is an engine on a machine of hosttest. What it holds outlives reboots and power cuts of the machine.
type Docker struct {
	m      *hosttest.Machine
	config Config

	mu         sync.Mutex
	images     []Image
	containers []*Container
	networks   []network
	volumes    []volume
	boot       string
	serial     int
	changes    int64
	powerCuts  fake.Faults[chan struct{}] // by change
	unhealthy  map[string]bool
	fails      map[string]func(*Container) bool
	exits      map[string]int
	crashes    map[string]int
	badPulls   map[string]bool
	upFails    map[string]string
	stopped    bool // the engine does not answer
	answers    int  // how many commands it answers before it stops; 0 means that it does not stop
	databases  map[string]*cluster
	runners    map[int]bool // that the Gitea of the runners knows, by ID
}

type network struct{ Name, ID, project, key, config string }

// Label returns a label, as in the format of docker network ls.
func (n network) Label(name string) string {
	return map[string]string{"com.docker.compose.project": n.project, "com.docker.compose.network": n.key, "lab.config": n.config}[name]
}

type volume struct {
	Name, Driver    string
	Options, Labels map[string]string
}

// Container is a container.
type Container struct {
	ID, Name string
	Image    Image
	Labels   map[string]string
	Env      map[string]string
	Binds    map[string]string // source on the machine by target
	Volumes  map[string]string // name by target
	Created  time.Time
	Started  time.Time
	Status   string // created, running, exited, restarting
	Exit     int

	docker  *Docker
	restart string
	mode    string
	checked bool // it has a health check
	looked  bool // its health was asked for since it started
	looks   int  // how often it was inspected since it started

	networks map[string]string // IDs by name; "" before it was started
	log      []logLine

	restarts int
}

type logLine struct {
	at   time.Time
	text string
}

// Project returns the name of the container's project.
func (c *Container) Project() string { return c.Labels["com.docker.compose.project"] }

// Service returns the name of the container's service.
func (c *Container) Service() string { return c.Labels["com.docker.compose.service"] }

// Machine returns the machine that the container is on.
func (c *Container) Machine() *hosttest.Machine { return c.docker.m }

// Log adds a line to the container's log.
func (c *Container) Log(line string) { c.log = append(c.log, logLine{time.Now(), line}) }

// Install puts docker on the machine.
func Install(m *hosttest.Machine, c Config) *Docker {
	if c.Version == "" {
		c.Version = "28.5.1"
	}
	if c.Compose == "" {
		c.Compose = "2.40.3"
	}
	d := &Docker{m: m, config: c, images: slices.Clone(c.Images), boot: m.BootID(), unhealthy: map[string]bool{}, fails: map[string]func(*Container) bool{}, exits: map[string]int{}, crashes: map[string]int{}, badPulls: map[string]bool{},
		upFails: map[string]string{}, databases: map[string]*cluster{}, runners: map[int]bool{}}
	d.networks = []network{{Name: "bridge", ID: "b"}, {Name: "host", ID: "h"}, {Name: "none", ID: "n"}}
	d.config.Programs = programs()
	maps.Copy(d.config.Programs, c.Programs)
	m.Handle("/usr/bin/docker", d.run)
	if c.V1 {
		m.Handle("/usr/bin/docker-compose", func(p *hosttest.Process) int {
			fmt.Fprintln(p.Stdout(), "docker-compose version 1.29.2, build unknown")
			return 0
		})
	}
	return d
}

// Lock pins images that the machine or the registry has.
func (d *Docker) Lock(names ...string) compose.Lock {
	lock := compose.Lock{}
	for _, name := range names {
		for _, i := range append(slices.Clone(d.config.Images), d.config.Registry...) {
			if i.Name == name {
				lock[name] = compose.Pin{Digest: i.Digest()}
				if i.Imported {
					lock[name] = compose.Pin{ID: i.ID()}
				}
			}
		}
	}
	return lock
}

// Containers returns the containers, in the order in which they were made.
func (d *Docker) Containers() (out []Container) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wake()
	for _, c := range d.containers {
		out = append(out, *c)
	}
	return out
}

// Changes returns how often the engine was changed: images, containers, networks and volumes made, started, stopped or removed.
func (d *Docker) Changes() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changes
}

// Unhealthy makes what is run from an image, or of a service, never healthy; with false healthy again.
func (d *Docker) Unhealthy(imageOrService string, on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unhealthy[imageOrService] = on
}

// Fail makes the health check of a service's containers fail when the function says so, which is called whenever the health is asked for; nil lets it
// succeed.
func (d *Docker) Fail(service string, when func(*Container) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails[service] = when
}

// Exit makes containers of a service end with the status when they are started; below 0 they run. Those whose restart policy starts them again end
// again and again, once whenever they are looked at.
func (d *Docker) Exit(service string, status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.exits[service] = status
}

// Crash makes containers of a service end with status 1 when they were looked at more often than looks since they started; 0 lets them run. Those whose
// restart policy starts them again do so again and again.
func (d *Docker) Crash(service string, looks int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashes[service] = looks
}

// FailPull makes pulls of the image fail, or not.
func (d *Docker) FailPull(image string, on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.badPulls[image] = on
}

// FailStart makes starting containers of a service fail with a message; "" lets them start.
func (d *Docker) FailStart(service, message string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.upFails[service] = message
}

// ForgetRunners makes the Gitea that runners are registered at forget them, as when somebody removes them there. Those that run say so in their log.
func (d *Docker) ForgetRunners() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.runners)
	for _, c := range d.containers {
		if r := c.Image.repository(); c.Status == "running" && (r == "gitea/runner" || r == "gitea/act_runner") {
			c.Log(`level=error msg="failed to fetch task" error="unauthenticated: unregistered runner"`)
		}
	}
}

// Restart ends and starts the containers of a service, as docker restart does.
func (d *Docker) Restart(service string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.containers {
		if c.Service() == service {
			if err := d.start(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// Stop makes the engine not answer, or answer again.
func (d *Docker) Stop(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped, d.answers = on, 0
}

// StopAfter makes the engine answer n more commands, 1 at least, and then not any more, as when it dies while it is asked.
func (d *Docker) StopAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers = n
}

// Kill ends a container of a service with the status, as when its process dies.
func (d *Docker) Kill(service string, status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.containers {
		if c.Service() == service && c.Status == "running" {
			c.Status, c.Exit = "exited", status
		}
	}
}

// PowerCutAtChange cuts the machine's power at the k-th next change of the engine, before it is made. The channel is closed when the machine is up again.
func (d *Docker) PowerCutAtChange(k int) <-chan struct{} {
	done := make(chan struct{})
	d.powerCuts.At(k, done)
	return done
}

// cut unwinds a command whose machine has lost its power.
type cut struct{}

// change counts a change that is about to be made. The engine is locked.
func (d *Docker) change(p *hosttest.Process) {
	done, cutsPower := d.powerCuts.Next()
	if !cutsPower {
		d.changes++
		return
	}
	go func() {
		d.m.PowerCut()
		close(done)
	}()
	<-p.Context().Done()
	panic(cut{})
}

// wake does what the engine does when the machine has booted. The engine is locked.
func (d *Docker) wake() {
	if b := d.m.BootID(); b != d.boot {
		d.boot = b
		for _, c := range d.containers {
			if c.Status == "running" {
				if c.restart == "always" || c.restart == "unless-stopped" {
					c.Started, c.looked = time.Now(), true
				} else {
					c.Status, c.Exit = "exited", 137
				}
			}
		}
	}
}

// usageError is a command that the engine does not know.
type usageError string

func (e usageError) Error() string { return "composetest: " + string(e) }

func unknown(args []string) error { return usageError(fmt.Sprintf("unknown command: docker %q", args)) }

// run is the program docker.
func (d *Docker) run(p *hosttest.Process) (code int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer func() {
		if v := recover(); v != nil {
			if _, ok := v.(cut); !ok {
				panic(v)
			}
			code = 137
		}
	}()
	d.wake()
	if d.stopped {
		fmt.Fprintln(p.Stderr(), "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?")
		return 1
	}
	if d.answers > 0 {
		d.answers--
		d.stopped = d.answers == 0
	}
	if p.UID() != 0 {
		fmt.Fprintln(p.Stderr(), "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock")
		return 1
	}
	code, err := d.command(p, p.Args[1:])
	if err != nil {
		fmt.Fprintln(p.Stderr(), err)
		return max(code, 1)
	}
	return code
}

func (d *Docker) command(p *hosttest.Process, args []string) (int, error) {
	if len(args) == 0 {
		return 1, unknown(args)
	}
	rest := args[1:]
	switch args[0] {
	case "version":
		if len(rest) == 0 {
			fmt.Fprintln(p.Stdout(), d.config.Version)
			return 0, nil
		}
		return 0, show(p.Stdout(), rest, "--format", "{{.Server.Version}}", d.config.Version)
	case "ps":
		return 0, d.ps(p.Stdout(), rest)
	case "inspect":
		return d.inspect(p, rest)
	case "image", "network", "volume":
		if len(rest) > 0 {
			return d.object(p, args[0], rest[0], rest[1:])
		}
	case "pull":
		return 0, d.pull(p, rest)
	case "stop", "rm", "unpause":
		return 0, d.control(p, args[0], rest)
	case "logs":
		return 0, d.logs(p, rest)
	case "run":
		return d.try(p, rest)
	case "exec":
		return d.exec(p, rest)
	case "compose":
		return d.compose(p, rest)
	}
	return 1, unknown(args)
}

// show answers a command that has just these words.
func show(w io.Writer, args []string, words ...string) error {
	want, answer := words[:len(words)-1], words[len(words)-1]
	if !slices.Equal(args, want) {
		return unknown(args)
	}
	_, err := fmt.Fprintln(w, answer)
	return err
}

// format writes a value as docker does with --format.
func format(w io.Writer, text string, v any) error {
	t, err := template.New("").Funcs(template.FuncMap{"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	}}).Parse(text)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := t.Execute(&b, v); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, b.String())
	return err
}

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
				if kind, _, _ := strings.Cut(args[i], "="); !slices.Contains([]string{"label", "status", "network"}, kind) {
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
		} else if err := format(w, text, map[string]string{"ID": c.ID, "Names": c.Name, "Status": c.Status}); err != nil {
			return err
		}
	}
	return nil
}

func (d *Docker) find(id string) *Container {
	for _, c := range d.containers {
		if c.ID == id || c.Name == id {
			return c
		}
	}
	return nil
}

// health returns the state of a container's health check.
func (d *Docker) health(c *Container) string {
	switch {
	case !c.checked:
		return ""
	case c.Status != "running":
		return "unhealthy"
	case !c.looked:
		c.looked = true
		return "starting"
	case d.unhealthy[c.Image.Name] || d.unhealthy[c.Service()] || d.fails[c.Service()] != nil && d.fails[c.Service()](c):
		return "unhealthy"
	}
	return "healthy"
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
		type attachment struct{ NetworkID string }
		attached := map[string]attachment{}
		for name, id := range c.networks {
			attached[name] = attachment{id}
		}
		var mounts []map[string]string
		for _, target := range slices.Sorted(maps.Keys(c.Binds)) {
			mounts = append(mounts, map[string]string{"Type": "bind", "Source": c.Binds[target], "Destination": target})
		}
		for _, target := range slices.Sorted(maps.Keys(c.Volumes)) {
			mounts = append(mounts, map[string]string{"Type": "volume", "Name": c.Volumes[target], "Source": "/var/lib/docker/volumes/" + c.Volumes[target] + "/_data", "Destination": target})
		}
		s := state{Status: c.Status, ExitCode: c.Exit, StartedAt: c.Started.UTC().Format(time.RFC3339Nano)}
		if h := d.health(c); h != "" {
			s.Health = &health{h}
		}
		v := map[string]any{"ID": c.ID, "Name": "/" + c.Name, "Image": c.Image.ID(), "Created": c.Created.UTC().Format(time.RFC3339Nano), "RestartCount": c.restarts,
			"Config": map[string]any{"Labels": c.Labels}, "State": s, "Mounts": mounts, "NetworkSettings": map[string]any{"Networks": attached},
			"HostConfig": map[string]any{"RestartPolicy": map[string]string{"Name": c.restart}, "NetworkMode": c.mode, "PidMode": "", "IpcMode": "private"}}
		if err := format(p.Stdout(), args[3], v); err != nil {
			return 1, err
		}
	}
	return code, nil
}

// image finds an image on the machine by name, name and digest, or ID.
func find(images []Image, ref string) (Image, bool) {
	ref = strings.TrimPrefix(strings.TrimPrefix(ref, "docker.io/"), "library/")
	for _, i := range images {
		if i.ID() == ref || i.Name == ref || !i.Imported && (i.Name+"@"+i.Digest() == ref || i.repository()+"@"+i.Digest() == ref) {
			return i, true
		}
	}
	return Image{}, false
}

func (d *Docker) pull(p *hosttest.Process, args []string) error {
	quiet := len(args) > 1 && args[0] == "-q"
	if len(args) != 1 && !(quiet && (len(args) == 2 || len(args) == 4 && args[1] == "--platform")) {
		return unknown(args)
	}
	name := args[len(args)-1]
	i, ok := find(d.config.Registry, name)
	if !ok || d.badPulls[i.Name] {
		return fmt.Errorf("Error response from daemon: manifest for %s not found: manifest unknown", name)
	}
	if _, have := find(d.images, i.ID()); !have {
		d.change(p)
		d.images = append(d.images, i)
	}
	if !quiet {
		fmt.Fprintf(p.Stdout(), "%s: Pulling from %s\nDigest: %s\nStatus: Image is up to date for %s\n", i.tag(), i.repository(), i.Digest(), i.Name)
	}
	fmt.Fprintln(p.Stdout(), name)
	return nil
}

func (d *Docker) object(p *hosttest.Process, kind, verb string, args []string) (int, error) {
	w := p.Stdout()
	formatted := len(args) > 1 && args[len(args)-2] == "--format"
	switch kind + " " + verb {
	case "image ls":
		if !formatted || !slices.Equal(args[:len(args)-2], []string{"-a", "--no-trunc", "--digests"}) {
			break
		}
		for _, i := range d.images {
			v := map[string]string{"Repository": i.repository(), "Tag": i.tag(), "Digest": i.Digest(), "ID": i.ID()}
			if i.Imported {
				v["Digest"] = "<none>"
			}
			if err := format(w, args[len(args)-1], v); err != nil {
				return 1, err
			}
		}
		return 0, nil
	case "image inspect":
		ref, text := "", "{{.ID}}"
		switch {
		case len(args) == 1:
			ref = args[0]
		case len(args) == 3 && args[0] == "--format":
			text, ref = args[1], args[2]
		default:
			return 1, unknown(args)
		}
		i, ok := find(d.images, ref)
		if !ok {
			return 1, fmt.Errorf("Error response from daemon: No such image: %s", ref)
		}
		digests := []string{}
		if !i.Imported {
			digests = append(digests, i.repository()+"@"+i.Digest())
		}
		return 0, format(w, text, map[string]any{"ID": i.ID(), "RepoDigests": digests})
	case "network ls":
		if !formatted || !slices.Equal(args[:len(args)-2], []string{"--no-trunc"}) {
			break
		}
		for _, n := range d.networks {
			if err := format(w, args[len(args)-1], n); err != nil {
				return 1, err
			}
		}
		return 0, nil
	case "network rm":
		if len(args) != 2 || args[0] != "--" {
			break
		}
		for _, c := range d.containers {
			if _, in := c.networks[args[1]]; in && c.Status == "running" {
				return 1, fmt.Errorf("Error response from daemon: error while removing network: network %s has active endpoints", args[1])
			}
		}
		i := slices.IndexFunc(d.networks, func(n network) bool { return n.Name == args[1] })
		if i < 0 {
			return 1, fmt.Errorf("Error response from daemon: network %s not found", args[1])
		}
		d.change(p)
		d.networks = slices.Delete(d.networks, i, i+1)
		fmt.Fprintln(w, args[1])
		return 0, nil
	case "network disconnect":
		if len(args) != 4 || args[0] != "-f" || args[1] != "--" {
			break
		}
		c := d.find(args[3])
		if c == nil {
			return 1, fmt.Errorf("Error response from daemon: No such container: %s", args[3])
		}
		if _, in := c.networks[args[2]]; !in {
			return 1, fmt.Errorf("Error response from daemon: container %s is not connected to network %s", args[3], args[2])
		}
		d.change(p)
		delete(c.networks, args[2])
		return 0, nil
	case "network prune":
		if !slices.Equal(args, []string{"-f"}) {
			break
		}
		used := func(n network) bool {
			return n.project == "" || slices.ContainsFunc(d.containers, func(c *Container) bool { _, in := c.networks[n.Name]; return in && c.Status == "running" })
		}
		d.networks = slices.DeleteFunc(d.networks, func(n network) bool { return !used(n) })
		return 0, nil
	case "volume ls":
		if !slices.Equal(args, []string{"-q"}) {
			break
		}
		for _, v := range d.volumes {
			fmt.Fprintln(w, v.Name)
		}
		return 0, nil
	case "volume inspect":
		if len(args) < 2 || args[0] != "--format" {
			break
		}
		for _, name := range args[2:] {
			for _, v := range d.volumes {
				if v.Name == name {
					if err := format(w, args[1], v); err != nil {
						return 1, err
					}
				}
			}
		}
		return 0, nil
	case "volume rm":
		if len(args) != 2 || args[0] != "--" {
			break
		}
		i := slices.IndexFunc(d.volumes, func(v volume) bool { return v.Name == args[1] })
		if i < 0 {
			return 1, fmt.Errorf("Error response from daemon: get %s: no such volume", args[1])
		}
		d.change(p)
		d.volumes = slices.Delete(d.volumes, i, i+1)
		return 0, nil
	}
	return 1, unknown(append([]string{kind, verb}, args...))
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
				return fmt.Errorf("Error response from daemon: cannot remove container %q: container is running", c.Name)
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
		return 126, fmt.Errorf("composetest: nothing is known of what %s answers in a container of %s", args[1], c.Image.Name)
	}
	return program.Exec(c, p, args[1:]), nil
}

// try runs a command in a container of its own, which is gone afterwards.
func (d *Docker) try(p *hosttest.Process, args []string) (int, error) {
	fixed := []string{"--rm", "-i", "--network", "none", "--user", "postgres", "--entrypoint", "sh"}
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
