// Package dockertest has a Docker Engine for machines of hosttest, without containers of its own: dockerd, which reads
// and validates its configuration as the real one does, and the little of docker that package docker asks. For
// containers see package composetest.
//
//	box := hosttest.New(t, hosttest.Config{})
//	engine := dockertest.Install(box)
//	// install docker-ce or docker.io with apt-get, or with package docker
//
// What it does not know is an error that says "dockertest:".
package dockertest

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// Engine is what a machine's dockerd does.
type Engine struct {
	m *hosttest.Machine

	mu     sync.Mutex
	daemon *hosttest.Process // the dockerd that was started last
	with   string            // daemon.json as the running one has read it
	starts int               // of dockerd
	ids    []string          // running containers
	mute   bool
}

// Install gives the machine the programs of the Docker packages. The packages themselves are in its archive: docker-ce,
// docker-ce-cli, containerd.io, docker-buildx-plugin and docker-compose-plugin, which need a source of
// download.docker.com, and Debian's docker.io.
func Install(m *hosttest.Machine) *Engine {
	e := &Engine{m: m}
	m.Handle("dockerd", e.dockerd)
	m.Handle("docker", e.docker)
	m.Handle("containerd", func(p *hosttest.Process) int {
		p.Ready()
		<-p.Context().Done()
		return 0
	})
	return e
}

// Run makes n containers run, until dockerd is stopped.
func (e *Engine) Run(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ids = nil
	for i := range n {
		e.ids = append(e.ids, fmt.Sprintf("%064x", i+1))
	}
}

// Mute makes docker fail, as when dockerd hangs; Mute(false) ends that.
func (e *Engine) Mute(on bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mute = on
}

// Starts returns how often dockerd was started successfully.
func (e *Engine) Starts() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.starts
}

// Configuration returns daemon.json as the running dockerd has read it; empty if there was none.
func (e *Engine) Configuration() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.with
}

const daemonFile = "/etc/docker/daemon.json"

// directives are some of those that dockerd knows (docs.docker.com/reference/cli/dockerd, "Daemon configuration file").
var directives = []string{
	"bip", "cgroup-parent", "data-root", "debug", "default-address-pools", "default-ulimits", "dns", "dns-opts",
	"dns-search", "exec-opts", "experimental", "features", "fixed-cidr", "group", "hosts", "icc", "insecure-registries", "ip",
	"ipv6", "iptables", "labels", "live-restore", "log-driver", "log-level", "log-opts", "max-concurrent-downloads", "metrics-addr",
	"mtu", "registry-mirrors", "shutdown-timeout", "storage-driver", "storage-opts", "userland-proxy", "userns-remap",
}

// configured returns what dockerd says is wrong with a configuration; empty if nothing is. served is set if it is to
// run with it.
func configured(text string, served bool) string {
	d := map[string]any{}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return err.Error()
	}
	var unknown []string
	for name := range d {
		if !slices.Contains(directives, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return "the following directives don't match any configuration option: " + strings.Join(unknown, ", ")
	}
	if _, ok := d["hosts"]; ok && served {
		return "the following directives are specified both as a flag and in the configuration file: hosts: " +
			"(from flag: [fd://], from file: " + fmt.Sprint(d["hosts"]) + ")"
	}
	if driver, ok := d["storage-driver"].(string); ok && served && !slices.Contains([]string{"overlay2", "vfs"}, driver) {
		return "error initializing graphdriver: driver not supported: " + driver
	}
	return ""
}

// version returns that of the package that is installed.
func (e *Engine) version() string {
	out, _ := e.m.Exec("dpkg-query -W -f '${db:Status-Abbrev}${Version}\\n' docker-ce docker.io 2>/dev/null")
	for line := range strings.Lines(out) {
		if len(line) > 3 && line[1:3] == "i " { // installed, held or not
			v := strings.TrimSpace(line[3:])
			if _, after, ok := strings.Cut(v, ":"); ok {
				return after
			}
			return v
		}
	}
	return ""
}

func (e *Engine) dockerd(p *hosttest.Process) int {
	file, validate := daemonFile, false
	for i := 1; i < len(p.Args); i++ {
		switch arg := p.Args[i]; {
		case arg == "--validate" && strings.HasPrefix(e.version(), "20."):
			fmt.Fprintf(p.Stderr(), "Status: unknown flag: --validate\nSee 'dockerd --help'., Code: 125\n")
			return 1
		case arg == "--validate":
			validate = true
		case arg == "--config-file" && i+1 < len(p.Args):
			i++
			file = p.Args[i]
		case arg == "-H" && i+1 < len(p.Args):
			i++
		case strings.HasPrefix(arg, "--containerd="):
		default:
			fmt.Fprintf(p.Stderr(), "dockertest: unknown argument of dockerd: %s\n", arg)
			return 125
		}
	}
	text := "{}"
	if b, err := e.m.FS().ReadFile(file); err == nil {
		text = string(b)
	}
	if why := configured(text, !validate); why != "" {
		fmt.Fprintf(p.Stderr(), "unable to configure the Docker daemon with file %s: %s\n", file, why)
		return 1
	}
	if validate {
		fmt.Fprintln(p.Stderr(), "configuration OK")
		return 0
	}
	e.mu.Lock()
	if e.daemon != nil {
		e.ids = nil
	}
	e.daemon = p
	e.starts++
	e.with = text
	e.mu.Unlock()
	p.Ready()
	<-p.Context().Done()
	return 0
}

func (e *Engine) docker(p *hosttest.Process) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	// Of a daemon that was killed, the kernel knows at once that it is gone.
	if e.daemon == nil || e.daemon.Context().Err() != nil || e.mute {
		fmt.Fprintln(p.Stderr(), "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?")
		return 1
	}
	switch command := strings.Join(p.Args[1:], " "); command {
	case "ps -q --no-trunc", "ps -q":
		for _, id := range e.ids {
			io.WriteString(p.Stdout(), id+"\n")
		}
	case "version --format {{.Server.APIVersion}} {{.Server.MinAPIVersion}}":
		e.mu.Unlock()
		v := e.version()
		e.mu.Lock()
		api := map[string]string{"20": "1.41 1.12", "27": "1.47 1.24", "28": "1.49 1.24", "29": "1.52 1.44"}
		major, _, _ := strings.Cut(v, ".")
		fmt.Fprintln(p.Stdout(), api[major])
	default:
		fmt.Fprintf(p.Stderr(), "dockertest: unknown command: docker %q\n", p.Args[1:])
		return 1
	}
	return 0
}
