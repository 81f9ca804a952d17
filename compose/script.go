package compose

import (
	"embed"
	"fmt"
	"path"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

//go:embed sh/*.sh
var embedded embed.FS

// head begins a script: nothing on the machine may lead docker elsewhere.
const head = "unset DOCKER_HOST DOCKER_CONTEXT COMPOSE_FILE COMPOSE_PROFILES COMPOSE_PROJECT_NAME\n"

// scripts writes what changes a stack.
type scripts struct {
	s     Stack
	files []string // IDs of the resources that are the stack's files
	ops   []string // those that are planned before, as [host.RolledBack] names them
	moved []string // services between which something moves that only one can have
}

func (s Stack) scripts() scripts {
	c := scripts{s: s}
	for _, f := range s.Files {
		c.files = append(c.files, f.resource(s.Dir, host.Order{}).ID())
	}
	c.files = append(c.files, formerFiles{stack: s}.ID(), host.File{Path: path.Join(s.Dir, composeFile)}.ID())
	return c
}

// logLines is how many lines of its log a service that is not healthy shows.
const logLines = 20

// For how many seconds on end a container without a health check must run: one that has ended before
// is watched for longer.
const (
	steadySeconds  = 5
	watchedSeconds = 30
)

// familiarName returns the name of an image as docker image ls shows it: without docker.io and library.
func familiarName(name string) string {
	slash := strings.LastIndexByte(name, '/')
	if i := strings.LastIndexByte(name, ':'); i > slash {
		name = name[:i]
	}
	name = strings.TrimPrefix(name, "docker.io/")
	return strings.TrimPrefix(name, "library/")
}

// fileList returns the names of the stack's files that it brings at every run, a line each. Names
// hold no control characters.
func (c scripts) fileList() string {
	var b strings.Builder
	for _, f := range c.s.Files {
		if !f.IfAbsent {
			b.WriteString(f.Path + "\n")
		}
	}
	return b.String()
}

// stage returns the path of a temporary directory in that of the stack.
func (s Stack) stage() string { return path.Join(s.Dir, stageDir) }

// pull brings an image. One that is in no registry must be there.
func (c scripts) pull(image, platform string) string {
	if id := imageID(image); id != "" {
		return head + fmt.Sprintf("docker image inspect --format 'the image is there: {{.ID}}' %s", ssh.Quote(id))
	}
	if platform != "" {
		platform = "--platform " + ssh.Quote(platform) + " "
	}
	wrong := "the image " + image + " cannot be pulled; what runs is left alone"
	return head + fmt.Sprintf("docker pull -q %s%s || { echo %s; exit 1; }", platform, ssh.Quote(image),
		ssh.Quote(wrong))
}

// service returns a script that changes services and waits until they are healthy; what puts the
// former stack in the place of this one when one does not get there reports what that rolls back.
func (c scripts) service(steady int, words ...string) string {
	v := script.Variables{
		"project": c.s.Name, "dir": c.s.Dir, "files": c.fileList(), "meta": metaKey,
		"seconds": strconv.Itoa(int(c.s.timeout().Seconds())), "steady_seconds": strconv.Itoa(steady),
		"log_lines": strconv.Itoa(logLines), "moved": strings.Join(c.moved, " "),
		"stage": c.s.stage(),
	}
	reports := fmt.Sprintf("files_rolled_back() { %s; }\nops_rolled_back() { %s; }\n",
		host.RolledBack(c.files...), host.RolledBack(c.ops...))
	return head + reports + script.Join(embedded, v, "lastlog.sh", "release.sh", "service.sh") +
		strings.Join(words, "\n")
}

// settle returns a line that waits until the service is healthy.
func (s service) settle(verb string) string {
	ends := "0"
	switch {
	case s.completes:
		ends = "2"
	case s.ends:
		ends = "1"
	}
	return verb + " " + ssh.Quote(s.name) + " " + ends
}

// wait waits until the service is healthy.
func (c scripts) wait(s service) string { return c.service(steadySeconds, s.settle("settle")) }

// up makes or starts the containers of a service, and waits.
func (c scripts) up(s service, steady int, flags string) string {
	return c.service(steady, "start "+ssh.Quote(s.name)+" "+flags, s.settle("settle"))
}

// restart restarts the containers of a service, and waits.
func (c scripts) restart(s service, steady int) string {
	return c.service(steady, "restart "+ssh.Quote(s.name), s.settle("settle"))
}

// release stops containers, and gives others a name that nobody wants.
func (c scripts) release(stop, rename []string) string {
	return head + script.Join(embedded, nil, "release.sh") + "stop_each " + strings.Join(stop, " ") +
		"\nrename_each " + strings.Join(rename, " ") + "\n"
}

// removeHalves removes containers that a recreation was cut off before it renamed them. That which
// they were to replace is kept: what is in its anonymous volumes goes to the next.
func (c scripts) removeHalves(ids []string) string {
	words := strings.Join(ids, " ")
	return fmt.Sprintf("docker stop %s >/dev/null\ndocker rm %s >/dev/null\n", words, words)
}

// remove removes the containers of a service that the compose.yaml need not know.
func (c scripts) remove(name string) string {
	return head + script.Join(embedded, script.Variables{"project": c.s.Name, "service": name}, "remove.sh")
}

// removeNetwork removes a network, so that it can be recreated.
func (c scripts) removeNetwork(name string) string {
	return head + script.Join(embedded, script.Variables{"project": c.s.Name, "network": name}, "removenetwork.sh")
}

// keep looks once more at all services, and stores the files of the stack as those of the last that
// was healthy: one may have ended while others were made.
func (c scripts) keep() string {
	var words []string
	for _, s := range c.s.services {
		if s.replicas > 0 {
			words = append(words, s.settle("still"))
		}
	}
	v := script.Variables{"files": c.fileList() + composeFile + "\n", "stage": c.s.stage()}
	return c.service(steadySeconds, words...) + "\n" + script.Join(embedded, v, "keep.sh")
}

// validateScript validates a compose.yaml before it is moved in, where there is a docker to do it.
func (s Stack) validateScript() string {
	return fmt.Sprintf("! docker compose version >/dev/null 2>&1 || "+
		"docker compose -p %s --project-directory %s -f %%s --env-file /dev/null config -q", s.Name, ssh.Quote(s.Dir))
}
