package k3s

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// lead moves the server that speaks for the cluster to the front of nodes: the first one whose API answers. Where none
// does, the first server is there, which makes the cluster.
//
// So a first server that has lost its disk never makes a second cluster beside the one that lives on in the others: it
// joins that, as any server does.
func (c Config) lead(nodes []*node) {
	at := slices.IndexFunc(nodes, func(n *node) bool { return c.server(n.name) && n.members != nil })
	if at > 0 {
		leader := nodes[at]
		copy(nodes[1:at+1], nodes[:at])
		nodes[0] = leader
	}
}

// foundIn returns the node of the first server.
func (c Config) foundIn(nodes []*node) *node {
	return nodes[slices.IndexFunc(nodes, func(n *node) bool { return n.name == c.founder() })]
}

// joins returns the URL of the server that the first one joins, since the cluster goes on without it, or has joined so
// before: k3s reads it at the next start too. Empty if it is the one that makes the cluster.
func (c Config) joins(nodes []*node) (string, error) {
	leader, first := nodes[0], c.foundIn(nodes)
	if len(c.Servers) == 1 {
		return "", nil
	}
	if have, ok := first.options["server"].(string); ok && first.datadir == "etcd" {
		return have, nil
	}
	if first.datadir != "" || leader == first {
		return "", nil
	}
	address := c.Nodes[leader.name].Address
	if address == "" {
		address = leader.members[leader.name].address
	}
	if address == "" {
		return "", first.refuse(lab.ErrBlocked, "set nodes."+leader.name+".address",
			"it is to join %s, whose address the cluster does not say", leader.name)
	}
	return "https://" + net.JoinHostPort(address, "6443"), nil
}

// lost reports whether a machine has lost what made it the node that the cluster knows by its name.
func (c Config) lost(n *node, members map[string]member) bool {
	_, known := members[n.name]
	if c.server(n.name) {
		_, agent := n.units[agentUnit] // which has none
		return known && n.datadir == "" && !agent
	}
	return known && !n.running() && !n.program && len(n.hashes) == 0
}

// bare returns the servers that have no datastore, and whether those that have one are too few for a quorum of etcd.
func (c Config) bare(nodes []*node) (names []string, few bool) {
	for _, n := range nodes {
		if c.server(n.name) && n.datadir == "" {
			names = append(names, n.name)
		}
	}
	return names, len(c.Servers)-len(names) <= len(c.Servers)/2
}

// checkLost refuses what would make a second cluster beside one that is there, or that may be: a first server without a
// datastore, while others have one and cannot be asked.
func (c Config) checkLost(nodes []*node) error {
	for _, n := range nodes {
		if m := nodes[0].members[n.name]; c.lost(n, nodes[0].members) && m.ready {
			return n.refuse(lab.ErrBlocked, "plan again in a minute; if it stays so, find the other machine of that name",
				"it is no node, and the cluster has one of its name that is ready: it was lost just now, or that is another machine")
		}
	}
	first := nodes[0]
	if first.name != c.founder() || first.datadir != "" {
		return nil
	}
	var have, members []string
	for _, n := range nodes[1:] {
		switch {
		case c.server(n.name) && n.datadir != "":
			have = append(have, n.name)
		case n.running() && n.datadir == "":
			members = append(members, n.name)
		}
	}
	bare, few := c.bare(nodes)
	switch {
	case len(have) > 0 && few:
		return first.refuse(lab.ErrRefused, resetHint(have[0]),
			"of the servers, %s have no datastore: etcd has lost its quorum, and a new cluster would have none of the data of %s",
			strings.Join(bare, " and "), strings.Join(have, " and "))
	case len(have) > 0:
		return first.refuse(lab.ErrRefused, "bring one of them up: systemctl start k3s, on the machine; then it joins that",
			"it has no datastore, %s have one, and their API does not answer: a new cluster would have none of the data",
			strings.Join(have, " and "))
	case len(members) > 0:
		return first.refuse(lab.ErrRefused, "restore it from a snapshot, name another server first, or uninstall "+members[0],
			"it has no cluster, and %s is a node of one: a new one would have none of its data", members[0])
	}
	return nil
}

// resetHint says how a server that is left of several becomes the only one.
func resetHint(name string) string {
	return "on " + name + ": remove server from " + settingsFile + ", then systemctl stop k3s && k3s server --cluster-reset && " +
		"systemctl start k3s, and plan again: the others join it; or restore a snapshot"
}

// forget returns the step that removes a node that is lost from the cluster, and its member of etcd with it: under its
// name, another could not join.
func (k control) forget(name string, after ...string) lab.Step {
	id := "k3s/forget/" + name
	return lab.Step{Name: id, After: after, Changes: []lab.Change{{ID: id, Action: lab.Delete, Risk: lab.RiskDataLoss,
		Cause: "its disk is new, or is not mounted: what the cluster knows of it is removed, before it joins again; " +
			"Longhorn forgets its replicas"}},
		Run: func(ctx context.Context, r *lab.Recorder) error {
			r.Start(id)
			err := k.forgetNow(ctx, name)
			r.Done(id, err)
			return err
		}}
}

func (k control) forgetNow(ctx context.Context, name string) error {
	members, err := k.members(ctx)
	if err != nil {
		return err
	}
	m, ok := members[name]
	switch {
	case !ok:
		return nil
	case m.ready:
		return &lab.Error{Op: "forget node", Target: name, Hint: "plan again",
			Err: fmt.Errorf("%w: it is ready meanwhile", lab.ErrDrift)}
	}
	_, err = run(ctx, k.machine, "forget "+name, shell("forget", "node", name, "timeout", fmt.Sprintf("%ds", int(k.c.timeout().Seconds()))))
	return err
}
