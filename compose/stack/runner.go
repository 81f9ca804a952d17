package stack

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// ActRunner runs the jobs of Gitea Actions. It registers itself once, by what it keeps in its data
// directory, and again when its log says that the server has forgotten it. Labels are in its
// configuration, which a runner tells the server at every start, so that they change without
// registration.
//
// The images' own run.sh registers with the token on the command line, which every process of the
// machine can read. The stack mounts another in its place, at /usr/local/bin/run.sh, that gives it
// to the runner's standard input.
//
// # The Docker socket
//
// Jobs with a label NAME:docker://IMAGE run in containers of an engine. With Socket that is the
// machine's own: whoever may push a workflow to a repository of the runner is then root on the
// machine. Do so for repositories that are trusted like the machine only. Nested gives the runner
// an engine of its own in a privileged container, which is a weaker wall than a machine of its own.
// With neither, jobs run in the runner's container, by labels NAME:host.
type ActRunner struct {
	Name string `yaml:"name"` // of the project; empty means runner

	// Image is "gitea/runner:1.0.8"; with nested one that holds an engine,
	// "gitea/runner:1.0.8-dind-rootless".
	Image string `yaml:"image,required"`

	// Instance is Gitea's root URL. Jobs clone from there, so that it is never localhost.
	Instance string `yaml:"instance"`

	// Labels say which jobs it runs, and where:
	// "ubuntu-latest:docker://gitea/runner-images:ubuntu-22.04", "apply:host". There is at least
	// one.
	Labels []string `yaml:"labels,required"`

	Capacity int `yaml:"capacity"` // jobs at once; 0 means 1

	// Socket lets jobs and the runner use the machine's Docker Engine: whoever may push a workflow
	// is then root on the machine.
	Socket bool `yaml:"socket"`

	Nested bool `yaml:"nested"` // jobs use an engine in the runner's container, which is privileged

	// Data is the directory on the machine for its registration and caches; empty means data in the
	// stack's directory.
	Data string `yaml:"data"`

	// Mount is a mount point that must be there, when the data is on a disk of its own; empty means
	// that it is not.
	Mount string `yaml:"mount"`

	// CA is PEM of a certificate authority that jobs with a container should trust; it is mounted
	// into them. Empty means none.
	CA string `yaml:"ca"`

	JobTimeout time.Duration `yaml:"jobTimeout"` // how long a job may run; 0 means 1 h
	Timeout    time.Duration `yaml:"timeout"`    // how long the runner may take to register; 0 means 3 minutes

	Runner string       `yaml:"-"` // its name at Gitea when it registers; required, the machine's name is a good one
	Token  lab.Secret   `yaml:"-"` // registers it
	Lock   compose.Lock `yaml:"-"` // pins the image
}

var runnerLabel = regexp.MustCompile(`^[A-Za-z0-9._-]+:(host|docker://[^\s]+)$`)

func (r ActRunner) name() string { return nameOr(r.Name, "runner") }

func (r ActRunner) data() string { return cmp.Or(r.Data, path.Join(dirOf(r.name()), "data")) }

// Validate returns everything that is wrong with the configuration, the secrets that it needs among it.
func (r ActRunner) Validate() (ps lab.Problems) {
	const unreachable = "is not the URL that jobs can reach Gitea at"
	if validateURL(&ps, "instance", r.Instance, unreachable) {
		special := strings.ContainsAny(r.Instance, `"&|\`) // to sed, which writes it
		if u, _ := url.Parse(r.Instance); u.Hostname() == "localhost" || special {
			ps = append(ps, lab.Problem{Path: "instance", Text: r.Instance, Message: unreachable})
		}
	}
	validateImage(&ps, r.Image)
	validateTimeout(&ps, "timeout", r.Timeout)
	validateTimeout(&ps, "jobTimeout", r.JobTimeout)
	if r.Capacity < 0 {
		ps.Add("capacity", "is negative")
	}
	if r.Runner == "" || strings.ContainsAny(r.Runner, " \n") {
		ps.Add("runner", "is empty, or holds a space")
	}
	validateDir(&ps, "data", r.Data)
	validateDir(&ps, "mount", r.Mount)
	if r.Token.IsZero() {
		ps.Add("token", "is empty")
	}
	if len(r.Labels) == 0 {
		ps.Add("labels", "there are none: no job would run")
	}
	if r.Socket && r.Nested {
		ps.Add("nested", "is set beside socket")
	}
	if r.Nested && !strings.Contains(tag(r.Image), "dind") {
		ps = append(ps, lab.Problem{Path: "image", Text: r.Image, Message: "holds no engine",
			Hint: "write the variant dind-rootless of the image"})
	}
	for i, l := range r.Labels {
		at := fmt.Sprintf("labels[%d]", i)
		switch {
		case !runnerLabel.MatchString(l):
			ps = append(ps, lab.Problem{Path: at, Text: l, Message: "is not NAME:host or NAME:docker://IMAGE"})
		case strings.Contains(l, ":docker://") && !r.Socket && !r.Nested:
			ps = append(ps, lab.Problem{Path: at, Text: l, Message: "wants an engine, and the runner has none",
				Hint: "set nested; or socket, if everybody who may push a workflow may be root on the machine"})
		}
	}
	return ps
}

// config returns the runner's configuration (gitea.com/gitea/runner,
// internal/pkg/config/config.example.yaml).
func (r ActRunner) config() string {
	options := ""
	volumes := []string{}
	if r.CA != "" {
		options = "-v " + path.Join(dirOf(r.name()), "conf/ca.crt") + ":/etc/ssl/certs/lab-ca.crt:ro"
		volumes = append(volumes, path.Join(dirOf(r.name()), "conf/ca.crt"))
	}
	b, err := json.MarshalIndent(object{
		"log": object{"level": "info"},
		"runner": object{
			"file": runnerState, "capacity": max(r.Capacity, 1), "timeout": cmp.Or(r.JobTimeout, time.Hour).String(),
			"shutdown_timeout": "50s", // without it, a runner that is stopped ends its jobs at once
			"labels":           r.Labels, "insecure": false,
		},
		"cache": object{"enabled": true, "dir": "/data/cache"},
		// "-" finds an engine and does not mount its socket into jobs
		"container": object{"privileged": false, "options": options, "valid_volumes": volumes, "docker_host": "-"},
		"host":      object{"workdir_parent": "/data/work"},
	}, "", "  ")
	if err != nil {
		return "" // text and numbers can be written
	}
	return string(b) + "\n"
}

// runnerState is where the runner keeps what it is registered with.
const runnerState = "/data/.runner"

// runScript takes the place of the image's run.sh. Without --no-interactive the runner asks for
// what no option says, which is the token. A runner goes to the address that it registered at,
// whatever its environment says: when Gitea's URL has changed, the registration is changed.
//
//go:embed sh/run.sh
var runScript string

// files returns what the runner reads of the stack's directory.
func (r ActRunner) files() []compose.File {
	files := []compose.File{
		{Path: "conf/config.yaml", Content: r.config()},
		{Path: "conf/run.sh", Content: runScript, Mode: 0o755},
	}
	if r.CA != "" {
		files = append(files, compose.File{Path: "conf/ca.crt", Content: r.CA})
	}
	return files
}

// uid is whom the image runs as.
func (r ActRunner) uid() string {
	if r.Nested {
		return "1000" // of the rootless variants
	}
	return "0"
}

// model returns the stack as a compose.yaml has it.
func (r ActRunner) model() object {
	volumes := []string{r.data() + ":/data", "./conf:/etc/runner:ro", "./conf/run.sh:/usr/local/bin/run.sh:ro"}
	if r.Socket {
		volumes = append(volumes, "/var/run/docker.sock:/var/run/docker.sock")
	}
	service := object{
		"image": r.Image, "restart": "unless-stopped", "volumes": volumes, "stop_grace_period": "60s",
		"environment": object{
			"CONFIG_FILE": "/etc/runner/config.yaml", "GITEA_INSTANCE_URL": r.Instance, "GITEA_RUNNER_NAME": r.Runner,
			"GITEA_RUNNER_REGISTRATION_TOKEN_FILE": "/run/secrets/runner_token",
		},
		"secrets": []any{object{"source": "runner_token", "uid": r.uid(), "gid": r.uid()}},
		// registered, which is what it can tell of itself; whether the server still knows it, the
		// server tells
		"healthcheck": healthcheck("5s", "60s", "test", "-s", runnerState),
	}
	if r.Nested {
		service["privileged"] = true
	}
	return object{
		"services": object{"runner": service},
		"secrets":  object{"runner_token": object{"file": "./secrets/runner_token"}},
	}
}

// Stack returns the stack. Its error is a [lab.Problems] when the configuration is wrong.
func (r ActRunner) Stack() (compose.Stack, error) {
	if ps := r.Validate(); len(ps) > 0 {
		return compose.Stack{}, ps
	}
	s, err := load(r.name(), r.model(), map[string]lab.Secret{"runner_token": r.Token}, r.files(), r.Lock)
	if err != nil {
		return s, err
	}
	s.Timeout = r.Timeout
	registration := runnerRegistration{stack: r.name(), file: path.Join(r.data(), path.Base(runnerState))}
	s.Before = append(guards(r.name(), r.Mount),
		host.Directory{Path: r.data(), Mode: 0o700, Owner: r.uid(), Group: r.uid()}, runnerForgotten{registration})
	registration.Order = host.Order{After: []string{s.Running()}}
	s.Parts = []host.Resource{registration}
	return s, nil
}
