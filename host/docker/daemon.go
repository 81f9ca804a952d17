package docker

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// daemonFile is the configuration of dockerd.
const daemonFile = "/etc/docker/daemon.json"

// service is the unit of dockerd.
const service = "docker.service"

//go:embed sh/*.sh
var embedded embed.FS

// daemonJSON returns the text of daemon.json: indented, with its directives in alphabetical order.
func (c Config) daemonJSON() (string, error) {
	d := map[string]any{
		"log-driver": "json-file",
		"log-opts": map[string]string{"max-size": cmp.Or(c.LogMaxSize, "10m"),
			"max-file": strconv.Itoa(cmp.Or(c.LogMaxFiles, 3))},
		"exec-opts":    []string{"native.cgroupdriver=systemd"}, // as the kubelet of k3s
		"live-restore": false,                                   // a restart would leave pods that nobody supervises
	}
	if c.DataRoot != "" {
		d["data-root"] = c.DataRoot
	}
	if len(c.DNS) > 0 {
		d["dns"] = c.DNS
	}
	maps.Copy(d, c.Options)
	if driver := d["log-driver"]; c.Options["log-opts"] == nil && driver != "json-file" && driver != "local" {
		delete(d, "log-opts") // another driver does not know them, and dockerd would not start a container
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(d)
	return b.String(), err
}

// configuration is daemon.json. dockerd must accept it before it is moved into place.
type configuration struct {
	file    host.File
	restart bool // see Config
}

func (c Config) file() configuration {
	text, _ := c.daemonJSON() // Validate has reported the error
	return configuration{restart: c.Restart, file: host.File{
		Path: daemonFile, Content: text, ValidateWith: "file=%s\n" + script.Join(embedded, nil, "accepts.sh"),
	}}
}

func (d configuration) ID() string                { return d.file.ID() }
func (d configuration) Validate() lab.Problems    { return d.file.Validate() }
func (d configuration) Relations() host.Relations { return d.file.Relations() }
func (d configuration) ComesAfter() []string      { return d.file.ComesAfter() }
func (d configuration) Fingerprint() string       { return d.file.Fingerprint() }
func (d configuration) Observe(q *host.Query) {
	d.file.Observe(q)
	q.Probe(runningProbe, runningScript)
}

// Plan implements [host.Resource]: the plan says if the running engine does not read the new configuration.
func (d configuration) Plan(o *host.Observation) ([]host.Op, error) {
	ops, err := d.file.Plan(o)
	if n := running(o); n != 0 && !d.restart {
		for i := range ops {
			ops[i].Cause += fmt.Sprintf("; it takes effect at the next start of %s: restart is not set, and %s",
				service, containers(n))
		}
	}
	return ops, err
}

// runningProbe is the name of the probe for the running containers.
const runningProbe = "docker:running"

// runningScript prints the IDs of the running containers, nothing if there is no engine that runs: docker would start
// it through its socket.
const runningScript = "if systemctl is-active -q " + service + "; then docker ps -q --no-trunc; fi"

// running returns the number of running containers, negative if an engine runs and does not say.
func running(o *host.Observation) int {
	answer := o.Probe(runningProbe)
	if answer.Exit != 0 {
		return -1
	}
	return len(strings.Fields(string(answer.Output)))
}

func containers(n int) string {
	switch n {
	case -1:
		return "the engine does not say which containers are running"
	case 1:
		return "1 container is running"
	}
	return fmt.Sprintf("%d containers are running", n)
}

// daemon is the unit of dockerd. It is only restarted if that is allowed, or stops nothing.
type daemon struct {
	unit     host.Unit
	restart  bool   // see Config
	packages []part // of the engine
}

func (c Config) daemon() daemon {
	enabled := true
	d := daemon{restart: c.Restart, packages: c.parts()}
	d.unit = host.Unit{Name: service, Enabled: &enabled, State: host.Started, RestartOn: []string{"file:" + daemonFile}}
	for _, p := range d.packages {
		d.unit.After = append(d.unit.After, p.resource.ID())
	}
	return d
}

func (d daemon) ID() string                { return d.unit.ID() }
func (d daemon) Validate() lab.Problems    { return d.unit.Validate() }
func (d daemon) Relations() host.Relations { return d.unit.Relations() }
func (d daemon) Implies() []host.Resource  { return d.unit.Implies() }
func (d daemon) ComesAfter() []string      { return d.unit.ComesAfter() }

// Bind implements [host.Binder].
func (d daemon) Bind(w *host.Whole) host.Resource {
	d.unit = d.unit.Bind(w).(host.Unit)
	return d
}

// Observe implements [host.Resource].
func (d daemon) Observe(q *host.Query) {
	d.unit.Observe(q)
	q.Content(daemonFile)
	for _, p := range d.packages {
		q.Package(p.resource.Name)
	}
	q.Probe(runningProbe, runningScript)
}

// upgraded returns the package whose version will change, empty if none.
func (d daemon) upgraded(o *host.Observation) string {
	for _, p := range d.packages {
		if p.changes(o) && p.restarts() {
			return p.resource.Name
		}
	}
	return ""
}

// Plan implements [host.Resource].
func (d daemon) Plan(o *host.Observation) ([]host.Op, error) {
	ops, err := d.unit.Plan(o)
	n := running(o)
	kept := ops[:0]
	for _, op := range ops {
		switch {
		case op.Name == "restart" && n != 0 && !d.restart:
			continue // the file says so
		case op.Name == "restart":
			op = d.costs(d.tries(op, o), n)
		case op.Name == "start":
			op = d.tries(op, o)
		}
		kept = append(kept, op)
	}
	if name := d.upgraded(o); name != "" && err == nil && !slices.ContainsFunc(kept, runs) {
		// Where docker.service is bound to it, the new containerd stops dockerd (docker/for-linux issue 1155).
		kept = append(kept, d.costs(host.Op{Name: "start", Action: lab.Run, Cause: "the upgrade of " + name + " stops it",
			Script: "systemctl start -- " + ssh.Quote(service)}, n))
	}
	return kept, err
}

// costs returns the op with its risk, for an engine with n running containers. Without permission to stop any, it is only
// made if there are still none.
func (d daemon) costs(op host.Op, n int) host.Op {
	switch {
	case n != 0:
		op.Risk = lab.RiskDisrupt
		op.Cause += ": " + containers(n) + ", and all stop, with every pod of a k3s that runs with --docker"
	case op.Name == "restart" && !d.restart:
		op.Script = "if [ -n \"$(docker ps -q)\" ]; then echo 'refused: containers are running now, plan again' >&2; exit 1; fi\n" +
			op.Script
	}
	return op
}

// runs reports whether the unit runs after the op.
func runs(op host.Op) bool { return op.Name == "start" || op.Name == "restart" }

// tries returns the op that starts or restarts dockerd, as one that puts the former daemon.json back if dockerd does not
// start with the new one.
func (d daemon) tries(op host.Op, o *host.Observation) host.Op {
	if !o.Pending("file:" + daemonFile) {
		return op // the file is there already, and the one before it is not known
	}
	before, existed := o.Content(daemonFile)
	temp, mode := "", host.Mode(0o644)
	if existed {
		temp, mode = "/etc/docker/.lab-daemon-before.tmp", o.Stat(daemonFile).Mode
		op.Payload = &host.Payload{Temp: temp, Size: int64(len(before)), Content: before}
	}
	for _, verb := range []string{"start", "restart"} {
		try := "try " + verb + " || {\n" + host.RolledBack("file:"+daemonFile) + "\nexit 1\n}"
		op.Script = strings.Replace(op.Script, "systemctl "+verb+" -- "+ssh.Quote(service), try, 1)
	}
	op.Script = script.Join(embedded, script.Variables{"unit": service, "file": daemonFile, "before": temp,
		"mode": mode.String()}, "try.sh") + op.Script
	return op
}

// placing are the directives that say where the engine keeps its data: with another value it starts without them.
var placing = []string{"data-root", "graph", "storage-driver", "userns-remap"}

// moved returns the directive of the two texts of daemon.json that would let the engine lose sight of its data; empty
// if there is none.
func moved(before, after string) (directive, from, to string, err error) {
	var old, next map[string]any
	if strings.TrimSpace(before) != "" {
		if err := json.Unmarshal([]byte(before), &old); err != nil {
			return "", "", "", err
		}
	}
	if err := json.Unmarshal([]byte(after), &next); err != nil {
		return "", "", "", err
	}
	value := func(d map[string]any, name string) string {
		if v, ok := d[name]; ok {
			return fmt.Sprint(v)
		}
		if name == "data-root" {
			return "/var/lib/docker"
		}
		return ""
	}
	i := slices.IndexFunc(placing, func(name string) bool { return value(old, name) != value(next, name) })
	if i < 0 {
		return "", "", "", nil
	}
	return placing[i], value(old, placing[i]), value(next, placing[i]), nil
}
