package compose

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
	"gitea.arcodange.lab/arcodange-org/lab/internal/version"
)

// Engine is what a Docker Engine says of itself, read by one question for all stacks of a machine.
type Engine struct {
	Missing    bool   // there is no docker on the machine
	Problem    string // why the engine does not answer
	Version    string // of the engine: "28.5.1"
	Compose    string // of the plugin: "2.40.3"; empty when there is none
	ComposeV1  bool   // docker-compose, the old program, is there
	Containers []Container
	Others     []Container // of no project, and those of "docker compose run"
	Images     []Image
	Networks   []Network
	Volumes    []Volume
}

// Container is a container, of a compose project in most cases.
type Container struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Image    string            `json:"image"` // ID
	Labels   map[string]string `json:"labels"`
	Status   string            `json:"status"` // created, running, paused, restarting, removing, exited, dead
	Exit     int               `json:"exit"`
	Created  time.Time         `json:"created"`
	Started  time.Time         `json:"started"`
	Health   string            `json:"health"`  // starting, healthy, unhealthy; empty when it has no health check
	Restart  string            `json:"restart"` // restart policy
	Networks string            `json:"network"` // network mode: "container:ID" when it shares another's
	PID      string            `json:"pid"`
	IPC      string            `json:"ipc"`

	Mounts []Mount `json:"mounts"`

	// Attached are the networks that it is in, by name.
	Attached map[string]Attachment `json:"attached"`

	// Ports are those that are published now, by "PORT/PROTOCOL" in the container; Bindings are those
	// that it asks for, which are nobody's while it does not run.
	Ports    map[string][]Published `json:"ports"`
	Bindings map[string][]Published `json:"bindings"`

	Restarts int `json:"restarts"` // by the engine, since it was last started by somebody
}

// Published is where a port of a container is published on the machine.
type Published struct {
	HostIP   string `json:"HostIp"`   // empty means all addresses
	HostPort string `json:"HostPort"` // empty means one that the engine chooses
}

// Mount is what a container sees of the machine's files.
type Mount struct {
	Type, Source, Destination string // Type is bind, volume, ...; Source a path on the machine
	Name                      string // of a volume
}

// Attachment is a container's place in a network.
type Attachment struct {
	NetworkID         string // empty before the container was started
	IPAddress         string // empty while it does not run
	GlobalIPv6Address string
}

// Labels that Compose gives to what it makes (docs.docker.com/reference/compose-file/services, labels).
const (
	labelProject = "com.docker.compose.project"
	labelService = "com.docker.compose.service"
	labelDir     = "com.docker.compose.project.working_dir"
	labelOneOff  = "com.docker.compose.oneoff"
	labelNetwork = "com.docker.compose.network"
	labelVolume  = "com.docker.compose.volume"
)

// Labels that we give.
const (
	labelConfig = "lab.config" // hash of the service's definition
	labelFiles  = "lab.files"  // digests of the files that it mounts
	labelSalt   = "lab.salt"   // tells which salt those of secrets have, see saltFile
	labelFormat = "lab.format" // see [Stack.Format]
)

// Project returns the name of the container's project.
func (c Container) Project() string { return c.Labels[labelProject] }

// Service returns the name of the container's service.
func (c Container) Service() string { return c.Labels[labelService] }

// Dir returns the directory that its project was made from.
func (c Container) Dir() string { return c.Labels[labelDir] }

// Format returns the data format of the stack that made it, see [Stack.Format].
func (c Container) Format() string { return c.Labels[labelFormat] }

// Image is a name of an image on the machine. An image without a name has one of these all the
// same, with an empty Name.
type Image struct{ Name, Tag, Digest, ID string }

// Network is a network on the machine; Project and Key are empty when Compose did not make it.
type Network struct{ Name, ID, Project, Key, Config string }

// Volume is a volume on the machine; Project and Key are empty when Compose did not make it.
type Volume struct {
	Name    string            `json:"name"`
	Driver  string            `json:"driver"`
	Options map[string]string `json:"options"`
	Labels  map[string]string `json:"labels"`
}

// engineProbe is the name of the question. Every stack asks it, and it is asked once.
const engineProbe = "docker"

// AskEngine asks for the Docker Engine.
func AskEngine(q *host.Query) { q.Probe(engineProbe, script.Join(embedded, nil, "engine.sh")) }

// ReadEngine returns what the machine answered to [AskEngine].
func ReadEngine(o *host.Observation) (Engine, error) {
	e, err := parseEngine(o.Probe(engineProbe).Output)
	if err != nil {
		err = &lab.Error{Op: "observe docker", Hint: "on the machine: docker ps -a; docker image ls; docker volume ls",
			Err: err}
	}
	return e, err
}

func parseEngine(out []byte) (Engine, error) {
	var e Engine
	whole := false
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSuffix(line, "\n")
		kind, rest, _ := strings.Cut(line, " ")
		switch kind {
		case "missing":
			e.Missing, whole = true, true
		case "problem":
			e.Problem, whole = rest, true
		case "old":
			e.ComposeV1 = true
		case "engine":
			e.Version = rest
		case "compose":
			e.Compose = strings.TrimPrefix(rest, "v")
		case "container":
			var c Container
			if err := json.Unmarshal([]byte(rest), &c); err != nil {
				return e, fmt.Errorf("%w: a container that cannot be read: %v", lab.ErrDrift, err)
			}
			c.Name = strings.TrimPrefix(c.Name, "/")
			if c.Project() != "" && c.Labels[labelOneOff] != "True" {
				e.Containers = append(e.Containers, c)
			} else {
				e.Others = append(e.Others, c)
			}
		case "image":
			if f := strings.Split(rest, " "); len(f) == 4 {
				for i := range f {
					if f[i] == "<none>" {
						f[i] = ""
					}
				}
				e.Images = append(e.Images, Image{Name: f[0], Tag: f[1], Digest: f[2], ID: f[3]})
			}
		case "network":
			if f := strings.Split(rest, " "); len(f) == 5 {
				e.Networks = append(e.Networks, Network{Name: f[0], ID: f[1], Project: f[2], Key: f[3], Config: f[4]})
			}
		case "volume":
			var v Volume
			if err := json.Unmarshal([]byte(rest), &v); err != nil {
				return e, fmt.Errorf("%w: a volume that cannot be read: %v", lab.ErrDrift, err)
			}
			e.Volumes = append(e.Volumes, v)
		case "end":
			whole = true
		default:
			if !whole && e.Problem != "" {
				e.Problem += " " + line
			}
		}
	}
	if !whole {
		return e, fmt.Errorf("%w: docker's answer ends early: %s", lab.ErrDrift, lab.Printable(lastLine(string(out))))
	}
	return e, nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// minCompose is the oldest plugin whose up knows what is sent: --progress and --pull never for
// single services.
const minCompose = "2.20"

// usable returns why stacks cannot be kept with the engine. That there is no Docker at all is not
// such a reason here.
func (e Engine) usable() error {
	fail := func(hint, format string, args ...any) error {
		return &lab.Error{Op: "check docker", Hint: hint,
			Err: fmt.Errorf("%w: "+format, append([]any{lab.ErrRefused}, args...)...)}
	}
	const plugin = "install Docker's own packages: apt-get install docker-ce docker-ce-cli docker-compose-plugin; " +
		"or put the plugin at /usr/local/lib/docker/cli-plugins/docker-compose"
	switch {
	case e.Missing:
		return nil
	case e.Problem != "":
		return &lab.Error{Op: "check docker",
			Hint: "on the machine: systemctl status docker.service; journalctl -u docker.service",
			Err:  fmt.Errorf("%w: the engine does not answer: %s", lab.ErrBlocked, e.Problem)}
	case e.Compose == "" && e.ComposeV1:
		return fail(plugin, "there is docker-compose version 1 only, which is not maintained; version 2 is needed, as a plugin")
	case e.Compose == "":
		return fail(plugin, "the plugin docker compose is not there")
	case version.Compare(e.Compose, minCompose) < 0:
		return fail(plugin, "docker compose is %s; %s or newer is needed", e.Compose, minCompose)
	}
	return nil
}

// image returns the ID of a pinned image, "" when it is not on the machine.
func (e Engine) image(pinned string) string {
	if id := imageID(pinned); id != "" {
		for _, i := range e.Images {
			if i.ID == id {
				return id
			}
		}
		return ""
	}
	name, digest, _ := strings.Cut(pinned, "@")
	for _, i := range e.Images {
		if i.Digest == digest && i.Name == familiarName(name) {
			return i.ID
		}
	}
	return ""
}

// find returns the container with a name or an ID, of whatever project; nil when there is none.
func (e Engine) find(name string) *Container {
	for _, c := range slices.Concat(e.Containers, e.Others) {
		if c.Name == name || c.ID == name {
			return &c
		}
	}
	return nil
}

// Of returns the containers of a project, with a service of it when that is not empty.
func (e Engine) Of(project, service string) (out []Container) {
	for _, c := range e.Containers {
		if c.Project() == project && (service == "" || c.Service() == service) {
			out = append(out, c)
		}
	}
	return out
}
