package k3s

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// PlanUninstall plans that machines are no nodes any more, agents first: the named ones, or all without names. Each is
// drained and removed from the cluster first, where that goes on: asked on a server that stays. A server leaves when all
// other nodes are ready, and etcd with it. With the last server, all go. Whatever k3s has made on
// a machine is removed: containers, those of Docker too, mounts, networks, the data directory. The snapshots and what is
// on other file systems stay. Each machine is a change with [lab.RiskDataLoss].
//
// Volumes of Longhorn that are attached are an [lab.ErrRefused]: an engine that is killed has not written all.
func PlanUninstall(ctx context.Context, machines []*host.Machine, c Config, only ...string) (*lab.Plan, error) {
	p, err := newPlanner(machines, c, lab.SecretDir{})
	if err != nil {
		return nil, err
	}
	all := slices.Concat(c.Servers, c.Agents)
	for _, name := range only {
		if !slices.Contains(all, name) {
			return nil, lab.Problems{{Path: "only", Text: name, Message: "is none of the machines of the cluster"}}.Err()
		}
	}
	if len(only) == 0 {
		only = all
	}
	whole := !slices.ContainsFunc(c.Servers, func(name string) bool { return !slices.Contains(only, name) })
	for _, name := range all {
		if whole && !slices.Contains(only, name) {
			return nil, &lab.Error{Op: "uninstall k3s", Target: c.Servers[len(c.Servers)-1], Hint: "name all machines, or none",
				Err: fmt.Errorf("%w: %s would be a node of a cluster that is gone", lab.ErrRefused, name)}
		}
	}
	nodes, away, err := p.look(ctx)
	if err = errors.Join(err, away); err != nil {
		return nil, err
	}
	asked := nodes[0]
	if i := slices.IndexFunc(nodes, func(n *node) bool { return n.members != nil && !slices.Contains(only, n.name) }); i >= 0 {
		asked = nodes[i]
	}
	k := control{asked.machine, c}
	if whole && asked.members != nil {
		if err := k.detached(ctx); err != nil {
			return nil, err
		}
	}
	var steps []lab.Step
	var before []string
	slices.Reverse(nodes) // agents first, the first server last
	for _, n := range nodes {
		if !slices.Contains(only, n.name) || !n.running() && !n.program && n.datadir == "" && len(n.hashes) == 0 {
			continue
		}
		if !whole && slices.Contains(only, asked.name) {
			return nil, n.refuse(lab.ErrBlocked, "bring a server up that stays, and plan again", "no server that stays answers")
		}
		_, known := asked.members[n.name]
		if known && !whole {
			s := k.remove(n.name, before...)
			steps, before = append(steps, s), []string{s.Name}
		}
		s := n.script("k3s/uninstall/"+n.name, lab.Change{Action: lab.Delete, Risk: lab.RiskDataLoss,
			Cause: "its containers, their data on the node, " + c.dataDir() + " and " + etc + " are removed"},
			shell("uninstall", "data", c.dataDir(), "unit", c.unit(n.name)), before...)
		steps, before = append(steps, s), []string{s.Name}
	}
	return lab.NewPlan(steps...)
}

// detached refuses volumes of Longhorn that are in use.
func (k control) detached(ctx context.Context) error {
	out, err := run(ctx, k.machine, "ask Longhorn", shell("volumes"))
	if err != nil {
		return err
	}
	names, err := attached([]byte(out))
	if err == nil && len(names) > 0 {
		err = &lab.Error{Op: "uninstall k3s", Target: k.machine.Name(), Hint: "scale what uses them to 0 first",
			Err: fmt.Errorf("%w: volumes of Longhorn are attached: %s", lab.ErrRefused, strings.Join(names, ", "))}
	}
	return err
}

// remove returns the step that drains a node and removes it from the cluster.
func (k control) remove(name string, after ...string) lab.Step {
	id := "k3s/remove/" + name
	return lab.Step{Name: id, After: after, Changes: []lab.Change{{ID: id, Action: lab.Delete, Risk: lab.RiskDisrupt,
		Cause: "its pods move to other nodes, and it leaves the cluster"}},
		Run: func(ctx context.Context, r *lab.Recorder) error {
			r.Start(id)
			var err error
			if k.c.server(name) { // without another one that is down, etcd would have no quorum
				err = k.alone(ctx, r, name)
			}
			if err == nil {
				err = k.volumes(ctx, r, name)
			}
			if err == nil {
				_, err = run(ctx, k.machine, "remove "+name, shell("drain", "node", name, "mark", "",
					"timeout", fmt.Sprintf("%ds", int(k.c.timeout().Seconds())))+
					"/usr/local/bin/k3s kubectl delete node "+name+" >/dev/null\n")
			}
			r.Done(id, err)
			return err
		}}
}
