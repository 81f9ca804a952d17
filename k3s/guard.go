package k3s

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/docker"
)

// maxSkew is how far the clocks of two machines may be apart. A certificate that one has just made is not valid yet for
// another whose clock is behind.
const maxSkew = time.Minute

func (n *node) refuse(kind error, hint, format string, args ...any) error {
	return &lab.Error{Op: "plan k3s", Target: n.name, Hint: hint, Err: fmt.Errorf("%w: %s", kind, fmt.Sprintf(format, args...))}
}

// judge returns what a plan would make worse, or what it would fail for: all of it, nil if there is nothing. It depends
// on what was looked at alone. nodes are those that could be reached, the first server first.
func (c Config) judge(nodes []*node) error {
	var errs []error
	for _, n := range nodes {
		for _, check := range []func(*node) error{c.checkHost, c.checkRole, c.checkFixed, c.checkDocker} {
			errs = append(errs, check(n))
		}
		// An agent has no datastore: after a restoration of the server it follows to the older release.
		if c.server(n.name) || nodes[0].version != c.Version {
			errs = append(errs, c.checkVersion(n, nodes[0].members))
		}
	}
	return errors.Join(append(errs, c.checkTogether(nodes), c.checkCluster(nodes))...)
}

// checkHost refuses a machine that k3s cannot run on.
func (c Config) checkHost(n *node) error {
	switch {
	case !n.memory:
		return n.refuse(lab.ErrBlocked, "on a Raspberry Pi, have cgroup_memory=1 cgroup_enable=memory in cmdline.txt and reboot",
			"the kernel has no memory controller for cgroups, without which the kubelet does not start")
	case !n.running() && n.ports["10250"], !n.running() && n.ports["6443"] && c.server(n.name):
		return n.refuse(lab.ErrConflict, "find out what it is: ss -ltnp 'sport = :6443 or sport = :10250'",
			"something else listens on a port of k3s, %s, such as another Kubernetes", strings.Join(slices.Sorted(maps.Keys(n.ports)), " and "))
	case n.hostname != n.name:
		return n.refuse(lab.ErrRefused, "set the host name first, or call the machine by it",
			"its host name is %s: it would become a node of that name", lab.Printable(n.hostname))
	}
	return nil
}

// checkRole refuses to make an agent of a server, or the other way round: the data of the one would stay, and the node
// of the other could not join under the same name.
func (c Config) checkRole(n *node) error {
	for unit := range n.units {
		if unit != c.unit(n.name) {
			return n.refuse(lab.ErrRefused, "drain and uninstall it first", "it has %s.service, and shall have %s.service", unit, c.unit(n.name))
		}
	}
	return nil
}

// checkVersion refuses versions that cannot follow what the machine has: the program, and what runs, which may be another
// where the program was replaced.
func (c Config) checkVersion(n *node, members map[string]member) error {
	have := []string{}
	if n.program && n.running() {
		have = append(have, n.version)
	}
	if m, ok := members[n.name]; ok && m.version != n.version {
		have = append(have, m.version)
	}
	for _, v := range have {
		if why, hint := checkUpgrade(v, c.Version); why != "" {
			return n.refuse(lab.ErrRefused, hint, "%s", why)
		}
	}
	return nil
}

// checkFixed refuses a change of what cannot be changed on a node.
func (c Config) checkFixed(n *node) error {
	if !n.running() {
		return nil
	}
	if n.unread != nil {
		return n.refuse(lab.ErrConflict, "fix it by hand: it may say where the cluster has its data", "%s cannot be read", settingsFile)
	}
	want := c.settings(n.name, "")
	for _, name := range slices.Sorted(maps.Keys(fixedFlags)) {
		have, next := given(n.options, name), given(want, name)
		if name == "node-name" && have == n.name {
			continue
		}
		if have == next {
			continue
		}
		hint := "keep it, as it is set in " + settingsFile + " or in the unit"
		if field := ownFlags[name]; field != "" {
			hint += ", with " + field
		}
		if slices.Contains(secretFlags, name) {
			have, next = "what it is", "another value"
		}
		return n.refuse(lab.ErrRefused, hint, "%s would change from %q to %q, which k3s cannot do once a node is there", name,
			lab.Printable(have), next)
	}
	return nil
}

// checkDocker refuses a Docker Engine that the cri-dockerd in k3s cannot use.
func (c Config) checkDocker(n *node) error {
	if !c.Docker {
		return nil
	}
	f := strings.Fields(n.docker)
	if len(f) != 2 {
		return n.refuse(lab.ErrBlocked, "install and start the Docker Engine first", "Docker does not answer")
	}
	if err := docker.CheckAPI(c.dockerAPI(), docker.Window{Min: f[1], Max: f[0]}); err != nil {
		var known *lab.Error
		if errors.As(err, &known) {
			known.Target = n.name
		}
		return err
	}
	return nil
}

// checkTogether refuses machines that cannot be in one cluster.
func (c Config) checkTogether(nodes []*node) error {
	var errs []error
	ids := map[string]string{}
	for _, n := range nodes {
		if other, ok := ids[n.id]; ok && n.id != "" {
			errs = append(errs, n.refuse(lab.ErrConflict, "on the copy: rm /etc/machine-id && systemd-machine-id-setup, and reboot",
				"it has the machine ID of %s: one is a copy of the other", other))
		}
		ids[n.id] = n.name
		if d := (n.skew - nodes[0].skew).Abs(); d > maxSkew {
			errs = append(errs, n.refuse(lab.ErrBlocked, "set it: timedatectl", "its clock is %s from that of %s", d, nodes[0].name))
		}
	}
	return errors.Join(errs...)
}

// checkCluster refuses to make a second cluster beside one that is there.
func (c Config) checkCluster(nodes []*node) error {
	founder := nodes[0] // or the server that speaks for it
	_, elsewhere := founder.options["datastore-endpoint"]
	switch {
	case founder.restoring != "":
		return founder.refuse(lab.ErrRefused, "restore it again: "+path.Base(founder.restoring),
			"the restoration of a snapshot was cut off, and its datastore may be half of one")
	case founder.datadir == "" && founder.hashes["server"] != "" && !elsewhere:
		return founder.refuse(lab.ErrRefused, "restore a snapshot, or uninstall k3s",
			"it has the token of a cluster, and no datastore: k3s would make a new cluster, with none of the data")
	}
	if err := c.checkLost(nodes); err != nil {
		return err
	}
	for _, n := range nodes[1:] {
		if founder.caHash != "" && n.caHash != "" && n.caHash != founder.caHash {
			hint := "uninstall it there first"
			if c.server(n.name) {
				hint = "find out which has the data: one may have made a cluster of its own on a new disk; uninstall that one"
			}
			return n.refuse(lab.ErrRefused, hint, "it is a node of another cluster than %s, with another CA", founder.name)
		}
	}
	if founder.datadir == "sqlite" && len(c.Servers) > 1 {
		return founder.refuse(lab.ErrRefused, "keep one server; or, after a snapshot, migrate by hand: docs.k3s.io/datastore/ha-embedded",
			"its datastore is SQLite, which cannot be that of %d servers", len(c.Servers))
	}
	// One server that has etcd goes on with that, whatever its options say (docs.k3s.io/datastore/ha-embedded).
	return nil
}

// checkTokens refuses tokens with which a node could not start or join again: that of the servers decrypts the bootstrap
// data in the datastore. It is asked before anything is changed.
func (c Config) checkTokens(nodes []*node, t tokens) error {
	server, agent := sum(password(t.server.Reveal())), sum(password(t.agent.Reveal()))
	for _, n := range nodes {
		if h := n.hashes["server"]; h != "" && h != server {
			return n.refuse(lab.ErrRefused, "if a rotation of the token was cut off, rotate it again; otherwise put the token of "+c.dataDir()+"/server/token into the sink",
				"it has another token than the sink: k3s would not start with that, since the token decrypts its bootstrap data")
		}
		if n.name == c.founder() || !n.running() || n.caHash != "" && n.caHash == t.caHash {
			continue // a node of this cluster may have an earlier token
		}
		if _, known := nodes[0].members[n.name]; known {
			continue
		}
		for _, name := range []string{"own", "env"} {
			if h := n.hashes[name]; h != "" && h != server && h != agent {
				return n.refuse(lab.ErrRefused, "uninstall it there first", "its token is of another cluster")
			}
		}
	}
	return nil
}
