package stack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// ActRunner runs the jobs of Gitea Actions. It registers itself once, by what it keeps in its data folder, and again when Known says that the server has
// forgotten it. Labels are in its configuration, which a runner tells the server at every start, so that they change without registration.
//
// # The Docker socket
//
// Jobs with a label NAME:docker://IMAGE run in containers of an engine. With Socket that is the machine's own: whoever may push a workflow to a
// repository of the runner is then root on the machine. Do so for repositories that are trusted like the machine only. Nested gives the runner an
// engine of its own in a privileged container, which is a weaker wall than a machine of its own. With neither, jobs run in the runner's container, by
// labels NAME:host.
type ActRunner struct {
	Name  string       // of the project; empty means runner
	Image string       // "gitea/act_runner:0.2.13"; with Nested one that holds an engine, "gitea/act_runner:0.2.13-dind-rootless"
	Lock  compose.Lock // pins the image

	Instance string     // Gitea's RootURL: jobs clone from there, so that it is never localhost
	Runner   string     // its name at Gitea; required, the machine's name is a good one
	Token    lab.Secret // registers it
	Labels   []string   // "ubuntu-latest:docker://gitea/runner-images:ubuntu-22.04", "apply:host"
	Capacity int        // jobs at once; 0 means 1

	Socket bool // jobs and the runner use the machine's Docker Engine; see above
	Nested bool // jobs use an engine in the runner's container; see above

	// Known are the UUIDs of the runners that the server knows, asked for by the caller. A runner that is registered with another registers again.
	// Nil means that nobody asked.
	Known []string

	Data  string // the folder on the machine for its registration and caches; empty means data in the stack's folder
	Mount string // a mount point that must be there, when Data is on a disk of its own
	CA    string // PEM of a certificate authority that jobs with a container should trust; mounted into them. Empty means none

	JobTimeout time.Duration // 0 means 1 h
	Timeout    time.Duration // see [compose.Stack]
}

var runnerLabel = regexp.MustCompile(`^[A-Za-z0-9._-]+:(host|docker://[^\s]+)$`)

func (r ActRunner) name() string { return nameOr(r.Name, "runner") }

func (r ActRunner) check() (ps lab.Problems) {
	if u, err := url.Parse(r.Instance); err != nil || u.Host == "" || u.Hostname() == "localhost" {
		ps = append(ps, lab.Problem{Path: "instance", Text: r.Instance, Message: "is not the URL that jobs can reach Gitea at"})
	}
	if r.Runner == "" || strings.ContainsAny(r.Runner, " \n") {
		ps.Add("runner", "is empty, or holds a space")
	}
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

// config returns the runner's configuration (gitea.com/gitea/act_runner, config.example.yaml).
func (r ActRunner) config() string {
	options := ""
	volumes := []string{}
	if r.CA != "" {
		options = "-v " + path.Join(dirOf(r.name()), "conf/ca.crt") + ":/etc/ssl/certs/lab-ca.crt:ro"
		volumes = append(volumes, path.Join(dirOf(r.name()), "conf/ca.crt"))
	}
	b, err := json.MarshalIndent(object{
		"log":    object{"level": "info"},
		"runner": object{"file": "/data/.runner", "capacity": max(r.Capacity, 1), "timeout": cmp.Or(r.JobTimeout, time.Hour).String(), "labels": r.Labels, "insecure": false},
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

// Stack returns the stack.
func (r ActRunner) Stack() (compose.Stack, error) {
	if ps := r.check(); len(ps) > 0 {
		return compose.Stack{}, ps
	}
	data := cmp.Or(r.Data, path.Join(dirOf(r.name()), "data"))
	files := []compose.File{{Path: "conf/config.yaml", Content: r.config()}}
	volumes := []string{data + ":/data", "./conf:/etc/runner:ro"}
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
		"healthcheck": healthcheck([]string{"test", "-s", "/data/.runner"}, "5s", "60s", 6),
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
	s.Before = append(guards(r.name(), r.Mount), host.Directory{Path: data, Mode: 0o700, Owner: uid, Group: uid})
	s.Parts = []host.Resource{runnerRegistration{Order: host.Order{After: []string{s.Running()}}, stack: r.name(), file: path.Join(data, ".runner"), known: r.Known}}
	return s, nil
}

// runnerRegistration lets a runner register again that the server has forgotten.
type runnerRegistration struct {
	host.Order
	stack, file string
	known       []string
}

func (r runnerRegistration) ID() string { return "runner:" + r.stack }

func (r runnerRegistration) Check() lab.Problems { return nil }

func (r runnerRegistration) Observe(q *host.Questions) {
	// Only the UUID: the file holds the runner's token too.
	q.Probe(r.ID(), fmt.Sprintf(`[ -f %[1]s ] && sed -n 's/.*"uuid": *"\([^"]*\)".*/\1/p' %[1]s`, host.Quote(r.file)))
}

func (r runnerRegistration) Plan(o *host.Observation) ([]host.Op, error) {
	uuid := strings.TrimSpace(string(o.Probe(r.ID()).Output))
	if uuid == "" || r.known == nil || slices.Contains(r.known, uuid) {
		return nil, nil
	}
	dir := dirOf(r.stack)
	file := host.Quote(r.file)
	return []host.Op{{Name: "register", Action: lab.Run, Cause: "the server does not know it any more", Risk: lab.RiskRestart,
		Script: container(r.stack, "runner") + fmt.Sprintf(`mv -f -- %[1]s %[1]s.forgotten
docker compose --progress quiet -p %[2]s --project-directory %[3]s -f %[3]s/compose.yaml --env-file /dev/null restart runner
n=0; until [ -s %[1]s ]; do n=$((n + 1)); [ $n -lt 60 ] || { docker logs --tail 10 "$i" 2>&1; echo 'the runner has not registered'; mv -f -- %[1]s.forgotten %[1]s; exit 1; }; sleep 1; done
rm -f -- %[1]s.forgotten`, file, r.stack, dir)}}, nil
}
