package stack

import (
	"cmp"
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
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// ActRunner runs the jobs of Gitea Actions. It registers itself once, by what it keeps in its data folder, and again when its log says that the server has
// forgotten it. Labels are in its configuration, which a runner tells the server at every start, so that they change without registration.
//
// The images' own run.sh registers with the token on the command line, which every process of the machine can read. The stack mounts another in its
// place, at /usr/local/bin/run.sh, that gives it to the runner's standard input.
//
// # The Docker socket
//
// Jobs with a label NAME:docker://IMAGE run in containers of an engine. With Socket that is the machine's own: whoever may push a workflow to a
// repository of the runner is then root on the machine. Do so for repositories that are trusted like the machine only. Nested gives the runner an
// engine of its own in a privileged container, which is a weaker wall than a machine of its own. With neither, jobs run in the runner's container, by
// labels NAME:host.
type ActRunner struct {
	Name  string       // of the project; empty means runner
	Image string       // "gitea/runner:1.0.8"; with Nested one that holds an engine, "gitea/runner:1.0.8-dind-rootless"
	Lock  compose.Lock // pins the image

	Instance string     // Gitea's RootURL: jobs clone from there, so that it is never localhost
	Runner   string     // its name at Gitea when it registers; required, the machine's name is a good one
	Token    lab.Secret // registers it
	Labels   []string   // "ubuntu-latest:docker://gitea/runner-images:ubuntu-22.04", "apply:host"
	Capacity int        // jobs at once; 0 means 1

	Socket bool // jobs and the runner use the machine's Docker Engine; see above
	Nested bool // jobs use an engine in the runner's container; see above

	Data  string // the folder on the machine for its registration and caches; empty means data in the stack's folder
	Mount string // a mount point that must be there, when Data is on a disk of its own
	CA    string // PEM of a certificate authority that jobs with a container should trust; mounted into them. Empty means none

	JobTimeout time.Duration // 0 means 1 h
	Timeout    time.Duration // see [compose.Stack]
}

var runnerLabel = regexp.MustCompile(`^[A-Za-z0-9._-]+:(host|docker://[^\s]+)$`)

func (r ActRunner) name() string { return nameOr(r.Name, "runner") }

func (r ActRunner) check() (ps lab.Problems) {
	if u, err := url.Parse(r.Instance); err != nil || u.Host == "" || u.Hostname() == "localhost" || strings.ContainsAny(r.Instance, `"&|\`) { // the last are special to what writes it (sed)
		ps = append(ps, lab.Problem{Path: "instance", Text: r.Instance, Message: "is not the URL that jobs can reach Gitea at"})
	}
	if r.Runner == "" || strings.ContainsAny(r.Runner, " \n") {
		ps.Add("runner", "is empty, or holds a space")
	}
	checkFolder(&ps, "data", r.Data)
	checkFolder(&ps, "mount", r.Mount)
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
		ps = append(ps, lab.Problem{Path: "image", Text: r.Image, Message: "holds no engine", Hint: "write the variant dind-rootless of the image"})
	}
	for i, l := range r.Labels {
		at := fmt.Sprintf("labels[%d]", i)
		switch {
		case !runnerLabel.MatchString(l):
			ps = append(ps, lab.Problem{Path: at, Text: l, Message: "is not NAME:host or NAME:docker://IMAGE"})
		case strings.Contains(l, ":docker://") && !r.Socket && !r.Nested:
			ps = append(ps, lab.Problem{Path: at, Text: l, Message: "wants an engine, and the runner has none", Hint: "set nested; or socket, if everybody who may push a workflow may be root on the machine"})
		}
	}
	return ps
}

// config returns the runner's configuration (gitea.com/gitea/runner, internal/pkg/config/config.example.yaml).
func (r ActRunner) config() string {
	options := ""
	volumes := []string{}
	if r.CA != "" {
		options = "-v " + path.Join(dirOf(r.name()), "conf/ca.crt") + ":/etc/ssl/certs/lab-ca.crt:ro"
		volumes = append(volumes, path.Join(dirOf(r.name()), "conf/ca.crt"))
	}
	b, err := json.MarshalIndent(object{
		"log": object{"level": "info"},
		// without shutdown_timeout, a runner that is stopped ends its jobs at once
		"runner": object{"file": runnerState, "capacity": max(r.Capacity, 1), "timeout": cmp.Or(r.JobTimeout, time.Hour).String(), "shutdown_timeout": "50s", "labels": r.Labels, "insecure": false},
		"cache":  object{"enabled": true, "dir": "/data/cache"},
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

// runnerScript takes the place of the image's run.sh. Without --no-interactive the runner asks for what no option says, which is the token. A runner goes
// to the address that it registered at, whatever its environment says: when Gitea's URL has changed, the registration is told.
const runnerScript = `#!/bin/sh
program=$(command -v gitea-runner || command -v act_runner) || { echo 'no runner in this image'; exit 1; }
cd /data || exit 1
until [ -s .runner ]; do
  rm -f .runner
  { cat "$GITEA_RUNNER_REGISTRATION_TOKEN_FILE"; echo; } | "$program" register --config "$CONFIG_FILE" --instance "$GITEA_INSTANCE_URL" --name "$GITEA_RUNNER_NAME"
  [ -s .runner ] || { echo 'not registered: tried again in 5 s'; sleep 5; }
done
if ! grep -qF "\"address\": \"$GITEA_INSTANCE_URL\"" .runner; then
  sed "s|\"address\": *\"[^\"]*\"|\"address\": \"$GITEA_INSTANCE_URL\"|" .runner >.runner.lab && chmod 600 .runner.lab && sync && mv -f .runner.lab .runner || exit 1
fi
exec "$program" daemon --config "$CONFIG_FILE"
`

// Stack returns the stack.
func (r ActRunner) Stack() (compose.Stack, error) {
	if ps := r.check(); len(ps) > 0 {
		return compose.Stack{}, ps
	}
	data := cmp.Or(r.Data, path.Join(dirOf(r.name()), "data"))
	files := []compose.File{{Path: "conf/config.yaml", Content: r.config()}, {Path: "conf/run.sh", Content: runnerScript, Mode: 0o755}}
	volumes := []string{data + ":/data", "./conf:/etc/runner:ro", "./conf/run.sh:/usr/local/bin/run.sh:ro"}
	if r.CA != "" {
		files = append(files, compose.File{Path: "conf/ca.crt", Content: r.CA})
	}
	if r.Socket {
		volumes = append(volumes, "/var/run/docker.sock:/var/run/docker.sock")
	}
	uid := "0"
	service := object{
		"image": r.Image, "restart": "unless-stopped", "volumes": volumes, "stop_grace_period": "60s",
		"environment": object{"CONFIG_FILE": "/etc/runner/config.yaml", "GITEA_INSTANCE_URL": r.Instance, "GITEA_RUNNER_NAME": r.Runner, "GITEA_RUNNER_REGISTRATION_TOKEN_FILE": "/run/secrets/runner_token"},
		// registered, which is what it can tell of itself; whether the server still knows it, the server tells
		"healthcheck": healthcheck([]string{"test", "-s", runnerState}, "5s", "60s", 6),
	}
	if r.Nested {
		service["privileged"] = true
		uid = "1000" // of the rootless variants
	}
	service["secrets"] = []any{object{"source": "runner_token", "uid": uid, "gid": uid}}
	s, err := load(r.name(), object{"services": object{"runner": service}, "secrets": object{"runner_token": object{"file": "./secrets/runner_token"}}},
		map[string]lab.Secret{"runner_token": r.Token}, files, r.Lock)
	if err != nil {
		return s, err
	}
	s.Timeout = r.Timeout
	registration := runnerRegistration{stack: r.name(), file: path.Join(data, path.Base(runnerState))}
	s.Before = append(guards(r.name(), r.Mount), host.Directory{Path: data, Mode: 0o700, Owner: uid, Group: uid}, runnerForgotten{registration})
	registration.Order = host.Order{After: []string{s.Running()}}
	s.Parts = []host.Resource{registration}
	return s, nil
}

// runnerForgotten removes a registration that the server does not know any more. It comes before the service: a runner with such a registration ends at
// its start, again and again.
type runnerForgotten struct{ runnerRegistration }

func (r runnerForgotten) ID() string { return "runner:" + r.stack + ":forgotten" }

func (r runnerForgotten) Plan(o *host.Observation) ([]host.Op, error) {
	if seen := r.seen(o); !seen["forgotten"] || !seen["registered"] {
		return nil, nil
	}
	return []host.Op{{Action: lab.Delete, Cause: "the server does not know this registration any more", Script: "rm -f -- " + ssh.Quote(r.file)}}, nil
}

// runnerRegistration lets a runner register again that the server has forgotten.
type runnerRegistration struct {
	host.Order
	stack, file string
}

func (r runnerRegistration) ID() string { return "runner:" + r.stack }

func (r runnerRegistration) Validate() lab.Problems { return nil }

// Observe looks for what Gitea answers to a runner that it does not know (routers/api/actions/runner/interceptor.go), in what the runner said since it
// was registered, but not longer ago than a restarting container may rest: an idle runner asks every 5 s. What it said since its last start would be
// nothing yet, now and then, of one that is started again and again. A list of runners from Gitea's API would be old once the runner has registered
// again.
func (r runnerRegistration) Observe(q *host.Query) {
	q.Probe("runner:"+r.stack, fmt.Sprintf(`t=
if [ -s %[1]s ]; then echo registered; t=$(stat -c %%.Y -- %[1]s 2>/dev/null); fi
unset DOCKER_HOST DOCKER_CONTEXT
command -v docker >/dev/null 2>&1 || exit 0
i=$(docker ps -aq --no-trunc --filter label=com.docker.compose.project=%[2]s --filter label=com.docker.compose.service=runner --filter label=com.docker.compose.oneoff=False 2>/dev/null | head -n 1)
[ -n "$i" ] || exit 0
[ -n "$t" ] || t=$(docker inspect --type container --format '{{.State.StartedAt}}' "$i" 2>/dev/null) || exit 0
said() { docker logs --since "$1" "$i" 2>&1 | grep -q 'unregistered runner'; }
if said "$t" && said 3m; then echo forgotten; fi`, ssh.Quote(r.file), r.stack))
}

func (r runnerRegistration) seen(o *host.Observation) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(string(o.Probe("runner:" + r.stack).Output)) {
		out[w] = true
	}
	return out
}

func (r runnerRegistration) Plan(o *host.Observation) ([]host.Op, error) {
	if !r.seen(o)["forgotten"] {
		return nil, nil
	}
	file := ssh.Quote(r.file)
	return []host.Op{{Name: "register", Action: lab.Run, Cause: "the server does not know it any more", Risk: lab.RiskRestart,
		Script: container(r.stack, "runner") + fmt.Sprintf("if [ ! -s %s ]; then %s; fi\n", file, restart(r.stack, "runner")) +
			until(fmt.Sprintf("[ -s %s ]", file), `docker logs --tail 10 "$i" 2>&1; echo 'the runner has not registered'`) + untilHealthy()}}, nil
}
