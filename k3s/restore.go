package k3s

import (
	"context"
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// PlanRestore plans that the cluster goes back to a snapshot of its first server, with the release that made it, which
// must be the Config's Version. What the datastore has now is kept beside the snapshots, and yet the change has
// [lab.RiskDataLoss]: the cluster forgets all that happened since. With several servers, the others are emptied, and
// join again. Plan then brings the agents to the release.
func PlanRestore(ctx context.Context, machines []*host.Machine, c Config, sink lab.Sink, name string) (*lab.Plan, error) {
	p, err := newPlanner(machines, c, sink)
	if err != nil {
		return nil, err
	}
	nodes, away, err := p.look(ctx)
	if err != nil {
		return nil, err
	}
	if away != nil {
		return nil, away // a server that still runs would go on with what is restored away
	}
	founder := c.foundIn(nodes)
	s, err := find(ctx, founder.machine, c, name)
	if err != nil {
		return nil, err
	}
	if s.Version != c.Version {
		return nil, founder.refuse(lab.ErrRefused, "set version to "+s.Version,
			"%s made the snapshot, and %s may not be able to read it", s.Version, c.Version)
	}
	out, err := run(ctx, founder.machine, "check the snapshot", shell("check", "snapshot", snapshots+"/"+name))
	if err != nil {
		return nil, err
	}
	token, back, err := tokenOf(ctx, sink, founder, name, out)
	if err != nil {
		return nil, err
	}
	var steps []lab.Step
	var before []string
	for _, n := range nodes { // with the right program first: it resets etcd
		if !c.server(n.name) || !n.running() {
			continue
		}
		want := c.software(n.arch)
		if back != nil {
			want = append(want, host.File{Path: tokenFile, Value: tokens{server: token, caHash: founder.caHash}.file(c, n.name)})
		}
		own, err := n.machine.Plan(ctx, want)
		if err != nil {
			return nil, err
		}
		for _, s := range own.Steps() {
			steps, before = append(steps, s), append(before, s.Name)
		}
		if n != founder {
			s := c.empty(n, before...)
			steps, before = append(steps, s), append(before, s.Name)
		}
	}
	swap := c.swap(founder, s, before...)
	steps, before = append(steps, swap), []string{swap.Name}
	start := c.start(founder, restored, before...)
	steps, before = append(steps, start), []string{start.Name}
	for _, n := range nodes {
		if n != founder && c.server(n.name) && n.running() {
			s := c.start(n, restored, before...)
			steps, before = append(steps, s), []string{s.Name}
		}
	}
	if back != nil {
		back.After = before
		steps = append(steps, *back)
	}
	return lab.NewPlan(steps...)
}

// tokenOf returns the token of a snapshot, whose text is read from it: the one that the sink has, or one that was replaced
// since, see [PlanRotateToken]. back is the step that makes that the cluster's again in the sink; nil if there is none.
func tokenOf(ctx context.Context, sink lab.Sink, founder *node, name, text string) (token lab.Secret, back *lab.Step, err error) {
	current, err := sink.Get(ctx, ServerToken)
	h := sum(password(text))
	if err != nil || hashOf(current) == h {
		return current, nil, err
	}
	old, err := sink.Get(ctx, ServerToken+"-"+h[:8])
	replacer, ok := sink.(lab.Replacer)
	if err != nil || hashOf(old) != h || !ok {
		return token, nil, founder.refuse(lab.ErrRefused, "put the token of "+snapshots+"/"+name+"/token into the sink",
			"the token of the snapshot is not that of the sink, and k3s would not start with it")
	}
	id := "k3s/tokens"
	return old, &lab.Step{Name: id, Changes: []lab.Change{{ID: id, Action: lab.Update,
		Cause: "the token of the snapshot is that of the cluster again; the other is kept as " + kept(current)}},
		Run: func(ctx context.Context, r *lab.Recorder) error {
			r.Start(id)
			err := sink.Put(ctx, kept(current), current)
			if err == nil {
				err = replacer.Replace(ctx, ServerToken, current, old)
			}
			r.Done(id, err)
			return err
		}}, nil
}

// script returns a step with one change that a script on a machine makes.
func (n *node) script(id string, change lab.Change, text string, after ...string) lab.Step {
	change.ID = id
	return lab.Step{Name: id, After: after, Changes: []lab.Change{change}, Run: func(ctx context.Context, r *lab.Recorder) error {
		r.Start(id)
		_, err := run(ctx, n.machine, id, text)
		r.Done(id, err)
		return err
	}}
}

// swap returns the step that puts a snapshot in the place of the datastore of a server, which is stopped then.
func (c Config) swap(n *node, s Snapshot, after ...string) lab.Step {
	return n.script("k3s/restore/"+n.name, lab.Change{Action: lab.Replace, Risk: lab.RiskDataLoss,
		Cause: fmt.Sprintf("the datastore goes back to %s; what it has now is kept in %s", s.Name, replaced)},
		shell("restore", "snapshot", snapshots+"/"+s.Name, "data", c.dataDir(), "datastore", s.Datastore, "replaced", replaced,
			"unfinished", unfinished, "config", settingsFile, "program", program, "seconds", fmt.Sprint(int(c.timeout().Seconds()))), after...)
}

// replaced is the directory that has the datastores that were replaced, 0700.
const replaced = "/var/lib/lab/k3s/replaced"

// unfinished is the file that is there while a restoration goes on, or was cut off.
const unfinished = replaced + "/unfinished"

// empty returns the step that stops another server, and moves its copy of the datastore away.
func (c Config) empty(n *node, after ...string) lab.Step {
	return n.script("k3s/empty/"+n.name, lab.Change{Action: lab.Delete, Risk: lab.RiskDisrupt,
		Cause: "it is stopped, and joins again; its copy of the datastore is kept in " + replaced},
		shell("empty", "data", c.dataDir(), "replaced", replaced), after...)
}

const restored = "it was stopped for the restoration"

// start returns the step that starts a server, and waits until it is ready.
func (c Config) start(n *node, cause string, after ...string) lab.Step {
	id := "k3s/start/" + n.name
	return lab.Step{Name: id, After: after, Changes: []lab.Change{{ID: id, Action: lab.Run, Cause: cause}},
		Run: func(ctx context.Context, r *lab.Recorder) error {
			r.Start(id)
			_, err := run(ctx, n.machine, "start k3s", "systemctl reset-failed k3s.service 2>/dev/null || :\nsystemctl start k3s.service")
			if err == nil {
				err = control{n.machine, c}.ready(ctx, r, n.name)
			}
			r.Done(id, err)
			return err
		}}
}
