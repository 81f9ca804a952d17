package composetest

import (
	"fmt"
	"path"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

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

	networks  map[string]string // IDs by name; "" before it was started
	fixed     map[string]string // addresses that it asks for, by the network's name
	addresses map[string]string // that it has, while it runs
	ports     map[string][]published
	open      map[string][]published // those that are published while it runs
	log       []logLine

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
	case d.unhealthy[c.Image.Name] || d.unhealthy[c.Service()] ||
		d.fails[c.Service()] != nil && d.fails[c.Service()](c):
		return "unhealthy"
	}
	return "healthy"
}

// File reads a file as the container sees it, through its mounts.
func (c *Container) File(name string) ([]byte, error) {
	for target, source := range c.Binds {
		if name == target {
			return c.Machine().FS().ReadFile(source)
		}
		if rest, ok := strings.CutPrefix(name, target+"/"); ok {
			return c.Machine().FS().ReadFile(path.Join(source, rest))
		}
	}
	return nil, fmt.Errorf("%s: no such file or directory", name)
}

// WriteFile writes a file through the container's mounts.
func (c *Container) WriteFile(name string, b []byte) error {
	for target, source := range c.Binds {
		if rest, ok := strings.CutPrefix(name, target+"/"); ok {
			return c.Machine().FS().WriteFile(path.Join(source, rest), b)
		}
	}
	return fmt.Errorf("%s: not in a mount", name)
}
