package docker

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// preflight looks for what is in the way of the engine. It changes nothing.
type preflight struct{ c Config }

// apiProbe is the name of the probe for the API versions of the engine that runs.
const apiProbe = "docker:api"

const apiScript = "if systemctl is-active -q " + service +
	"; then docker version --format '{{.Server.APIVersion}} {{.Server.MinAPIVersion}}'; fi"

// strangers are engines that apt did not install.
var strangers = []string{"/snap/bin/docker", "/usr/local/bin/dockerd"}

func (preflight) ID() string { return "docker:engine" }

func (preflight) Validate() lab.Problems { return nil }

// Observe implements [host.Resource].
func (p preflight) Observe(q *host.Query) {
	for _, name := range p.c.conflicting() {
		q.Package(name)
	}
	for _, part := range p.c.parts() {
		q.Package(part.resource.Name)
	}
	for _, file := range strangers {
		q.Path(file)
	}
	q.Content(daemonFile)
	q.Unit(service)
	q.Probe(runningProbe, runningScript)
	if p.c.ClientAPI != "" {
		q.Probe(apiProbe, apiScript)
	}
}

// Plan implements [host.Resource]. It refuses, and makes no changes.
func (p preflight) Plan(o *host.Observation) ([]host.Op, error) {
	for _, check := range []func(*host.Observation) error{
		p.release, p.packages, p.data, p.version, p.api,
	} {
		if err := check(o); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func refuse(kind error, hint, format string, args ...any) error {
	return &lab.Error{Op: "install docker", Hint: hint, Err: fmt.Errorf("%w: %s", kind, fmt.Sprintf(format, args...))}
}

// release refuses packages of another release than the machine's.
func (p preflight) release(o *host.Observation) error {
	if p.c.engine() == dockerIO || o.Facts.Codename == "" || o.Facts.Codename == p.c.suite() {
		return nil
	}
	return refuse(lab.ErrConflict, "set suite and version to those for "+o.Facts.Codename,
		"the packages are for %s, and the machine is %s", p.c.suite(), lab.Printable(o.Facts.OSName))
}

// packages refuses what the engine's own packages exclude.
func (p preflight) packages(o *host.Observation) error {
	for _, file := range strangers {
		if o.Stat(file).Type != host.NoFile {
			return refuse(lab.ErrConflict, "remove it, by the way it was installed: snap remove docker, or rm",
				"%s is there, and apt did not install it", file)
		}
	}
	var found []string
	for _, name := range p.c.conflicting() {
		if o.Package(name).Installed {
			found = append(found, name)
		}
	}
	if len(found) == 0 || p.c.Replace {
		return nil
	}
	return refuse(lab.ErrConflict, "set replace: true to remove them: all containers stop, and images and volumes are kept",
		"%s and the installed %s exclude each other", p.c.engine(), strings.Join(found, ", "))
}

// installed reports whether some engine is there, whose data count.
func (p preflight) installed(o *host.Observation) bool {
	return slices.ContainsFunc([]string{dockerCE, dockerIO}, func(name string) bool { return o.Package(name).Installed })
}

// data refuses a daemon.json with which the engine would lose sight of its data.
func (p preflight) data(o *host.Observation) error {
	before, configured := o.Content(daemonFile)
	if !configured && !p.installed(o) {
		return nil
	}
	after, _ := p.c.daemonJSON() // Validate has reported the error
	directive, from, to, err := moved(string(before), after)
	switch {
	case err != nil:
		return refuse(lab.ErrConflict, "fix it by hand: it may say where the engine has its data",
			"%s cannot be read: %s", daemonFile, lab.Printable(err.Error()))
	case directive == "":
		return nil
	}
	say := func(value string) string {
		if value == "" {
			return "not set"
		}
		return lab.Printable(value)
	}
	field := "options: {" + directive + ": ...}"
	if directive == "data-root" {
		field = "dataRoot"
	}
	return refuse(lab.ErrRefused, "keep it with "+field+"; or stop docker, move the data and change "+daemonFile+" by hand",
		"%s would change from %s to %s, and the engine would start without its images, containers and volumes",
		directive, say(from), say(to))
}

// version refuses a change of version of an engine with running containers, which apt restarts.
func (p preflight) version(o *host.Observation) error {
	n := running(o)
	if n == 0 || p.c.Restart {
		return nil
	}
	for _, part := range p.c.parts() {
		if part.changes(o) && part.restarts() {
			return refuse(lab.ErrRefused, "drain the node, and set restart: true",
				"version %s of %s would replace %s, which restarts the engine, and %s", part.resource.Version,
				part.resource.Name, o.Package(part.resource.Name).Version, containers(n))
		}
	}
	return nil
}

// api refuses an engine that the client cannot use. An engine whose version will change is judged by that, see
// [Config.Validate].
func (p preflight) api(o *host.Observation) error {
	f := strings.Fields(string(o.Probe(apiProbe).Output))
	have := o.Package(p.c.engine())
	if p.c.ClientAPI == "" || !have.Installed || p.c.Version != "" && have.Version != p.c.Version {
		return nil
	}
	w, known := windowOf(have.Version)
	if o.Probe(apiProbe).Exit == 0 && len(f) == 2 && apiPattern.MatchString(f[0]) && apiPattern.MatchString(f[1]) {
		w, known = Window{Min: f[1], Max: f[0]}, true
	}
	if !known {
		return nil
	}
	return CheckAPI(p.c.ClientAPI, w)
}
