package k3s

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// node is what a machine has of k3s.
type node struct {
	machine    *host.Machine
	name       string
	skew       time.Duration // of its clock, to ours
	arch       string        // as Debian names it
	id         string        // machine-id
	hostname   string
	memory     bool              // the memory controller of cgroups is there
	units      map[string]string // those of k3s that are installed, without suffix, with their state
	invocation string            // of the unit, as systemd calls this run of it; empty means that it does not run
	version    string            // of the program; empty means that there is none, or that it does not say
	program    bool              // there is one
	options    map[string]any    // of config.yaml and of the command line
	unread     error             // why config.yaml could not be read; nil if it could
	hashes     map[string]string // of passwords, by the name of the token: own, env, server, agent
	caHash     string            // of the cluster that the tokens on the machine are of; empty means unknown
	datadir    string            // what kind of datastore it has: sqlite, etcd; empty means none
	docker     string            // "MAX MIN", what Docker says of its API
	kept       map[string]bool   // the releases before whose upgrade a snapshot was made within the last hour
	ports      map[string]bool   // of k3s on which something listens
	restoring  string            // the snapshot that a restoration which was cut off has begun with; empty means none
	members    map[string]member // the nodes of the cluster, as its API says; nil if it could not be asked
}

// member is a node as the API of the cluster shows it.
type member struct {
	version  string
	ready    bool
	voter    bool   // of etcd
	address  string // at which the other nodes reach it; empty means that the API does not say
	cordoned bool
	drained  string // what it was drained for by this package, see sh/drain.sh; empty means that it was not
}

// drainedFor is the annotation of a node that this package has drained, so that it makes it schedulable again, whenever
// a run was cut off, and leaves alone what somebody else has cordoned.
const drainedFor = "lab.arcodange/drained-for"

// look reads what a machine has.
func look(ctx context.Context, m *host.Machine, c Config) (*node, error) {
	docker := ""
	if c.Docker {
		docker = "yes"
	}
	out, err := run(ctx, m, "look for k3s", shell("look", "data", c.dataDir(), "docker", docker, "snapshots", snapshots,
		"unfinished", unfinished))
	if err != nil {
		return nil, err
	}
	n := &node{machine: m, name: m.Name(), units: map[string]string{}, hashes: map[string]string{}, options: map[string]any{},
		kept: map[string]bool{}, ports: map[string]bool{}}
	if err := n.parse(out, time.Now()); err != nil {
		return nil, &lab.Error{Op: "look for k3s", Target: m.Name(), Hint: "report this", Err: err}
	}
	return n, nil
}

// parse reads what sh/look.sh prints; seen is when that was, by our clock.
func (n *node) parse(out string, seen time.Time) error {
	command := map[string]any{}
	for line := range strings.Lines(out) {
		key, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		f := strings.Fields(rest)
		switch {
		case key == "now" && len(f) == 1:
			s, err := strconv.ParseInt(f[0], 10, 64)
			if err != nil {
				return err
			}
			n.skew = time.Unix(s, 0).Sub(seen).Round(time.Second)
		case key == "arch":
			n.arch = rest
		case key == "machine":
			n.id = rest
		case key == "hostname":
			n.hostname = rest
		case key == "controllers":
			n.memory = slices.Contains(f, "memory")
		case key == "unit" && len(f) >= 2:
			n.units[f[0]] = f[1]
			if len(f) > 2 {
				n.invocation = f[2]
			}
		case key == "version":
			n.program, n.version = true, rest
		case key == "token" && len(f) == 3:
			n.hashes[f[0]] = f[1]
			if f[2] != "-" {
				n.caHash = f[2]
			}
		case key == "datastore":
			n.datadir = rest
		case key == "docker":
			n.docker = rest
		case key == "listens":
			n.ports[rest] = true
		case key == "restoring":
			n.restoring = rest
		case key == "kept":
			n.kept[rest] = true
		case key == "config", key == "nodes", strings.HasPrefix(key, "unitfile-"):
			text, err := base64.StdEncoding.DecodeString(rest)
			if err != nil {
				return err
			}
			switch key {
			case "config":
				n.options, n.unread = readSettings(string(text))
			case "nodes":
				if n.members, err = readMembers(text); err != nil {
					return err
				}
			default:
				maps.Copy(command, commandOptions(string(text)))
			}
		default:
			return fmt.Errorf("an answer that is not understood: %q", key)
		}
	}
	if n.options == nil {
		n.options = map[string]any{}
	}
	maps.Copy(n.options, command) // which overrides the file
	return nil
}

// readMembers reads a list of nodes.
func readMembers(text []byte) (map[string]member, error) {
	var list struct {
		Items []struct {
			Metadata struct {
				Name        string
				Annotations map[string]string
			}
			Spec   struct{ Unschedulable bool }
			Status struct {
				Conditions []struct{ Type, Status string }
				Addresses  []struct{ Type, Address string }
				NodeInfo   struct {
					KubeletVersion string `json:"kubeletVersion"`
				} `json:"nodeInfo"`
			}
		}
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	members := map[string]member{}
	for _, i := range list.Items {
		m := member{version: i.Status.NodeInfo.KubeletVersion, cordoned: i.Spec.Unschedulable, drained: i.Metadata.Annotations[drainedFor]}
		for _, c := range i.Status.Conditions {
			switch c.Type {
			case "Ready":
				m.ready = c.Status == "True"
			case "EtcdIsVoter": // k3s sets it on servers with etcd (pkg/etcd, "EtcdIsVoter")
				m.voter = c.Status == "True"
			}
		}
		for _, a := range i.Status.Addresses {
			if a.Type == "InternalIP" && m.address == "" {
				m.address = a.Address
			}
		}
		members[i.Metadata.Name] = m
	}
	return members, nil
}

// lookAll looks at all machines at once, in their order. The error names each that cannot be reached; its node is nil.
func lookAll(ctx context.Context, machines []*host.Machine, c Config) ([]*node, error) {
	found, errs := make([]*node, len(machines)), make([]error, len(machines))
	var g errgroup.Group
	g.SetLimit(16)
	for i, m := range machines {
		g.Go(func() error {
			found[i], errs[i] = look(ctx, m, c)
			return nil // one machine does not stop the others
		})
	}
	_ = g.Wait()
	return found, errors.Join(errs...)
}

// running reports whether the machine has been made a node.
func (n *node) running() bool { return len(n.units) > 0 }
