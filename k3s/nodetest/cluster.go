package nodetest

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/nodetest/internal/standin"
)

// Cluster is the network between machines that run the stand-in, and the releases that they can download.
type Cluster struct {
	versions []string

	mu      sync.Mutex
	boxes   map[string]*hosttest.Machine // by address and by name
	address map[string]string            // by name
	servers map[string]*serving          // by machine and port
	starts  map[string]int               // of servers and agents that got ready, by the name of the machine
	failing map[string]string            // what a version says instead of starting
}

// serving is a server that accepts connections.
type serving struct {
	ctx         context.Context
	handler     http.Handler
	certificate tls.Certificate
}

// NewCluster returns a cluster without machines, in which the releases can be had.
func NewCluster(versions ...string) *Cluster {
	return &Cluster{versions: versions, boxes: map[string]*hosttest.Machine{}, address: map[string]string{}, servers: map[string]*serving{},
		starts: map[string]int{}, failing: map[string]string{}}
}

func programOf(version string) string { return "/usr/lib/nodetest/k3s-" + version }

func script(version string) []byte {
	return []byte("#!/bin/sh\nexec " + programOf(version) + " \"$@\"\n")
}

func urlOf(version string) string { return "https://nodetest.invalid/" + version + "/k3s" }

// Binaries returns where machines get a release.
func (c *Cluster) Binaries(version string) map[string]k3s.Binary {
	b := k3s.Binary{URL: urlOf(version), SHA256: fmt.Sprintf("%x", sha256.Sum256(script(version)))}
	return map[string]k3s.Binary{"arm64": b, "amd64": b}
}

// Program returns the program of a release, for a machine to which it is sent.
func (c *Cluster) Program(version string) []byte { return script(version) }

// Install lets a machine have k3s. The others reach it at the address, and by its name.
func (c *Cluster) Install(box *hosttest.Machine, address string) {
	c.mu.Lock()
	c.boxes[address], c.boxes[box.Hostname()] = box, box
	c.address[box.Hostname()] = address
	c.mu.Unlock()
	for _, v := range c.versions {
		box.Serve(urlOf(v), script(v))
		box.Handle(programOf(v), func(p *hosttest.Process) int { return c.run(p, v) })
	}
}

// Starts returns how often the machine has become a node: servers and agents that got ready.
func (c *Cluster) Starts(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.starts[name]
}

// Fail makes servers and agents of a release fail with a message instead of starting. An empty message ends that.
func (c *Cluster) Fail(version, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing[version] = message
}

func (c *Cluster) run(p *hosttest.Process, version string) int {
	box := p.Machine()
	name := box.Hostname()
	if len(p.Args) > 1 && (p.Args[1] == "server" || p.Args[1] == "agent") {
		c.mu.Lock()
		why := c.failing[version]
		c.mu.Unlock()
		if why != "" {
			fmt.Fprintln(p.Stderr(), why)
			return 1
		}
	}
	c.mu.Lock()
	address := c.address[name]
	c.mu.Unlock()
	return standin.Run(p.Context(), &standin.Machine{
		Files: files{box}, Version: version, Hostname: name, Address: address, Args: p.Args, Env: p.Getenv,
		Stdin: p.Stdin(), Stdout: p.Stdout(), Stderr: p.Stderr(),
		Ready: func() {
			c.mu.Lock()
			c.starts[name]++
			c.mu.Unlock()
			p.Ready()
		},
		Serve: func(ctx context.Context, port int, h http.Handler, cert tls.Certificate, ready func()) error {
			key := fmt.Sprintf("%s:%d", name, port)
			own := &serving{ctx, h, cert}
			c.mu.Lock()
			c.servers[key] = own
			closed := listen(box, port, h, cert)
			c.mu.Unlock()
			defer closed()
			defer func() {
				c.mu.Lock()
				if c.servers[key] == own {
					delete(c.servers, key)
					box.Listen(port, nil)
				}
				c.mu.Unlock()
			}()
			ready()
			<-ctx.Done()
			return context.Cause(ctx)
		},
		Client: func(ca []byte, cert *tls.Certificate) *http.Client {
			return &http.Client{Transport: &transport{c: c, from: name, ca: ca, cert: cert}}
		},
	})
}

// files are those of a machine, as its root sees them.
type files struct{ box *hosttest.Machine }

func (f files) ReadFile(name string) ([]byte, error) { return f.box.FS().ReadFile(name) }

func (f files) WriteFile(name string, data []byte, mode fs.FileMode) error {
	if err := f.box.FS().WriteFile(name, data); err != nil {
		return err
	}
	return f.box.FS().Chmod(name, uint32(mode.Perm()))
}

func (f files) Symlink(target, name string) error {
	_ = f.box.FS().Remove(name) // it need not be there
	return f.box.FS().Symlink(target, name)
}

func (f files) Remove(name string) error {
	if _, err := f.box.FS().Lstat(name); err != nil {
		return nil
	}
	return f.box.FS().Remove(name)
}

func (f files) ReadDir(name string) ([]string, error) { return f.box.FS().ReadDir(name) }

var errRefused = errors.New("connect: connection refused")

// server returns who serves at a host and a port, as a machine reaches it.
func (c *Cluster) server(from, host, port string) (*serving, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := from
	if host != "127.0.0.1" && host != "localhost" {
		box := c.boxes[host]
		if box == nil {
			return nil, fmt.Errorf("dial tcp: lookup %s: no such host", host)
		}
		name = box.Hostname()
	}
	s := c.servers[name+":"+port]
	if s == nil || s.ctx.Err() != nil {
		return nil, fmt.Errorf("dial tcp %s:%s: %w", host, port, errRefused)
	}
	return s, nil
}
