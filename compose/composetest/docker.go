package composetest

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
)

// Config is a Docker Engine. The zero value is a new one without images.
type Config struct {
	Version  string  // of the engine; empty means 28.5.1
	Compose  string  // of the plugin; empty means 2.40.3, "-" means that there is none
	V1       bool    // docker-compose version 1 is there too
	Images   []Image // on the machine
	Registry []Image // that can be pulled

	// Programs are what runs in containers, by the image's name without tag. Those of this package
	// are there without being named.
	Programs map[string]Program
}

// Docker is an engine on a machine of hosttest. What it holds outlives reboots and power cuts of
// the machine.
type Docker struct {
	m      *hosttest.Machine
	config Config

	mu         sync.Mutex
	images     []Image
	containers []*Container
	networks   []network
	volumes    []volume
	boot       string
	serial     int
	changes    int64
	powerCuts  fake.Faults[chan struct{}] // by change
	unhealthy  map[string]bool
	fails      map[string]func(*Container) bool
	exits      map[string]int
	crashes    map[string]int
	says       map[string][]string
	badPulls   map[string]bool
	upFails    map[string]string
	stopped    bool // the engine does not answer
	answers    int  // how many commands it answers before it stops; 0 means that it does not stop
	databases  map[string]*cluster
	runners    map[int]bool // that the Gitea of the runners knows, by ID
}

// Install puts docker on the machine.
func Install(m *hosttest.Machine, c Config) *Docker {
	if c.Version == "" {
		c.Version = "28.5.1"
	}
	if c.Compose == "" {
		c.Compose = "2.40.3"
	}
	d := &Docker{m: m, config: c, images: slices.Clone(c.Images), boot: m.BootID(), unhealthy: map[string]bool{},
		fails: map[string]func(*Container) bool{}, exits: map[string]int{}, crashes: map[string]int{}, says: map[string][]string{},
		badPulls: map[string]bool{},
		upFails:  map[string]string{}, databases: map[string]*cluster{}, runners: map[int]bool{}}
	d.networks = []network{{Name: "bridge", ID: "b", subnets: []string{"172.17.0.0/16"}}, {Name: "host", ID: "h"}, {Name: "none", ID: "n"}}
	d.config.Programs = programs()
	maps.Copy(d.config.Programs, c.Programs)
	m.Handle("/usr/bin/docker", d.run)
	if c.V1 {
		m.Handle("/usr/bin/docker-compose", func(p *hosttest.Process) int {
			fmt.Fprintln(p.Stdout(), "docker-compose version 1.29.2, build unknown")
			return 0
		})
	}
	return d
}

// Lock pins images that the machine or the registry has.
func (d *Docker) Lock(names ...string) compose.Lock {
	lock := compose.Lock{}
	for _, name := range names {
		for _, i := range append(slices.Clone(d.config.Images), d.config.Registry...) {
			if i.Name == name {
				lock[name] = compose.Pin{Digest: i.Digest()}
				if i.Imported {
					lock[name] = compose.Pin{ID: i.ID()}
				}
			}
		}
	}
	return lock
}

// Containers returns the containers, in the order in which they were made.
func (d *Docker) Containers() (out []Container) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wake()
	for _, c := range d.containers {
		out = append(out, *c)
	}
	return out
}

// Counters counts what an engine was asked to do.
type Counters struct {
	Changes int64 // images, containers, networks and volumes made, started, stopped or removed
}

// Counters returns what the engine has done since it was installed.
func (d *Docker) Counters() Counters {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Counters{Changes: d.changes}
}

// PowerCutAtChange cuts the machine's power at the k-th next change of the engine, before it is
// made. The channel is closed when the machine is up again.
func (d *Docker) PowerCutAtChange(k int) <-chan struct{} {
	done := make(chan struct{})
	d.powerCuts.At(k, done)
	return done
}

// cut unwinds a command whose machine has lost its power.
type cut struct{}

// change counts a change that is about to be made. The engine is locked.
func (d *Docker) change(p *hosttest.Process) {
	done, cutsPower := d.powerCuts.Next()
	if !cutsPower {
		d.changes++
		return
	}
	go func() {
		d.m.PowerCut()
		close(done)
	}()
	<-p.Context().Done()
	panic(cut{})
}

// wake does what the engine does when the machine has booted. The engine is locked.
func (d *Docker) wake() {
	if b := d.m.BootID(); b != d.boot {
		d.boot = b
		for _, c := range d.containers {
			if c.Status == "running" {
				if c.restart == "always" || c.restart == "unless-stopped" {
					c.Started, c.looked = time.Now(), true
				} else {
					c.Status, c.Exit = "exited", 137
				}
			}
		}
	}
}
