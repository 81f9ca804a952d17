package stack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

type object = map[string]any

// load makes a stack of a model. It reads nothing: all that the stack holds is passed.
func load(name string, model object, secrets map[string]lab.Secret, files []compose.File, lock compose.Lock) (compose.Stack, error) {
	model["name"] = name
	text, err := json.Marshal(model) // JSON is YAML
	if err != nil {
		return compose.Stack{}, err
	}
	return compose.Load(context.Background(), compose.Source{Name: name, Content: text, Secrets: secrets, Files: files, Lock: lock})
}

func dirOf(name string) string { return path.Join("/opt/stacks", name) }

// tag returns the tag of an image, without a digest that follows it.
func tag(image string) string {
	image, _, _ = strings.Cut(image, "@")
	i := strings.LastIndexByte(image, ':')
	if i <= strings.LastIndexByte(image, '/') {
		return ""
	}
	return image[i+1:]
}

// ports returns what a service publishes: "IP:PORT" here to a port in the container; an empty address publishes nothing.
func ports(pairs ...string) (out []any) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] != "" {
			out = append(out, pairs[i]+":"+pairs[i+1])
		}
	}
	return out
}

// checkListen reports an address that is not of one interface: Docker's published ports pass by the machine's firewall.
func checkListen(ps *lab.Problems, field, addr string) {
	if addr == "" {
		return
	}
	if host, port, ok := cutLast(addr, ":"); !ok || host == "" || port == "" || host == "0.0.0.0" || host == "[::]" {
		*ps = append(*ps, lab.Problem{Path: field, Text: addr, Message: "is not the address of one interface with a port", Hint: "write IP:PORT; Docker publishes past the machine's firewall"})
	}
}

// checkFolder reports a folder on the machine that guards would look for in another place than Docker does; empty is one of the stack's own.
func checkFolder(ps *lab.Problems, field, dir string) {
	if dir != "" && (!path.IsAbs(dir) || path.Clean(dir) != dir || strings.ContainsAny(dir, ":\n")) {
		*ps = append(*ps, lab.Problem{Path: field, Text: dir, Message: "is not an absolute path in its shortest form, without a colon"})
	}
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// container returns the beginning of a script that has the ID of the service's running container in $i, and ends with status 3 when there is none.
func container(project, service string) string {
	return fmt.Sprintf(`unset DOCKER_HOST DOCKER_CONTEXT
command -v docker >/dev/null 2>&1 || exit 3
i=$(docker ps -q --no-trunc --filter label=com.docker.compose.project=%s --filter label=com.docker.compose.service=%s --filter label=com.docker.compose.oneoff=False --filter status=running 2>/dev/null)
[ -n "$i" ] || exit 3
`, project, service)
}

// restart returns a command that ends and starts a service of a stack.
func restart(project, service string) string {
	return fmt.Sprintf("docker compose --progress quiet -p %[1]s --project-directory %[2]s -f %[2]s/compose.yaml --env-file /dev/null restart %[3]s", project, dirOf(project), service)
}

// until returns a script that waits for three minutes until a condition holds, and says else what is wrong.
func until(condition, wrong string) string {
	return fmt.Sprintf("n=0; until %s; do n=$((n + 1)); [ $n -lt 180 ] || { %s; exit 1; }; sleep 1; done\n", condition, wrong)
}

// untilHealthy waits until the health check of the container $i has seen that it is up again.
func untilHealthy() string {
	return until(`[ "$(docker inspect --type container --format '{{.State.Health.Status}}' "$i")" = healthy ]`, "echo 'the server is not healthy after the restart'")
}

// mountGuard refuses to go on when a folder that data is in is not on the disk that it should be on.
type mountGuard struct{ stack, target string }

func (g mountGuard) ID() string { return "guard:" + g.stack + ":mount" }

func (g mountGuard) Validate() lab.Problems { return nil }

func (g mountGuard) Observe(q *host.Query) { q.Mounts() }

func (g mountGuard) Plan(o *host.Observation) ([]host.Op, error) {
	for _, m := range o.Mounts() {
		if m.Target == g.target {
			return nil, nil
		}
	}
	return nil, &lab.Error{Op: "check disk", Path: g.target, Hint: "findmnt " + g.target + "; mount " + g.target,
		Err: fmt.Errorf("%w: nothing is mounted at %s: the data would be written to the disk below it", lab.ErrRefused, g.target)}
}

// guards returns a guard for a mount point, when there is one to guard.
func guards(name, mount string) (out []host.Resource) {
	if mount != "" {
		out = append(out, mountGuard{name, mount})
	}
	return out
}

// ranBefore asks, and tells, whether a stack was healthy before: that is kept beside it, or seen in containers.
type ranBefore struct{ name string }

func (r ranBefore) file() string { return path.Join(dirOf(r.name), ".prev/compose.yaml") }

func (r ranBefore) observe(q *host.Query) {
	compose.AskEngine(q)
	q.Content(r.file())
	q.Content(path.Join(dirOf(r.name), "compose.yaml"))
}

func (r ranBefore) told(o *host.Observation) (bool, error) {
	if o.Stat(r.file()).Type != host.NoFile {
		return true, nil
	}
	e, err := compose.ReadEngine(o)
	if err != nil {
		return false, err
	}
	for _, c := range e.Of(r.name, "") {
		// One that somebody else made has probably run; one of ours may have been cut off before it did.
		if c.Health == "healthy" || c.Labels["lab.config"] == "" {
			return true, nil
		}
	}
	return false, nil
}

// formats returns the versions of the data that the stack was run with: those of its containers and of what is kept, each "gitea 1.25.2".
func (r ranBefore) formats(o *host.Observation) ([]string, error) {
	e, err := compose.ReadEngine(o)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, c := range e.Of(r.name, "") {
		if f := c.Format(); f != "" {
			out = append(out, f)
		}
	}
	kept, _ := o.Content(r.file())
	for line := range strings.Lines(string(kept)) {
		if f, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "  format: "); ok {
			out = append(out, f)
		}
	}
	return out, nil
}

func healthcheck(test []string, interval, start string, retries int) object {
	return object{"test": append([]string{"CMD"}, test...), "interval": interval, "timeout": "10s", "start_period": start, "retries": retries}
}

func nameOr(name, fallback string) string { return cmp.Or(name, fallback) }
