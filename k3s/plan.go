package k3s

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Plan plans the nodes of a cluster. It reads all machines and the sink, and writes nothing.
//
// Where there is no cluster yet, the plan makes one: the first server is planned whole; what the others get follows from
// the CA that it makes, and is one deferred change for each. Otherwise the plan shows every change. Nodes are changed one
// after the other, servers first, and each must be ready with the wanted version before the next is touched.
//
// A machine that cannot be reached does not stop the others, unless it is the first server or there is no cluster yet:
// the plan covers those that can, and the error names the rest. What cannot end well is refused, all of it at once, see
// the package's documentation.
func Plan(ctx context.Context, machines []*host.Machine, c Config, sink lab.Sink) (*lab.Plan, error) {
	p, err := newPlanner(machines, c, sink)
	if err != nil {
		return nil, err
	}
	nodes, away, err := p.look(ctx)
	if err != nil {
		return nil, err
	}
	keys := &lab.Keyring{Sink: sink}
	t, err := p.tokens(ctx, keys, nodes[0])
	if err != nil {
		return nil, err
	}
	if err := errors.Join(c.judge(nodes), c.checkTokens(nodes, t)); err != nil {
		return nil, errors.Join(err, away)
	}
	if t.join, err = p.c.joins(nodes); err != nil {
		return nil, errors.Join(err, away)
	}
	var plan *lab.Plan
	if nodes[0].caHash == "" {
		if away != nil {
			return nil, away // a machine that is away may have the cluster that is looked for
		}
		plan, err = p.first(ctx, nodes, t)
	} else {
		plan, err = p.next(ctx, nodes, t)
	}
	if plan == nil {
		return nil, errors.Join(err, away)
	}
	plan, invalid := keys.Plan(plan)
	return plan, errors.Join(err, invalid, away)
}

// planner plans the nodes of a cluster.
type planner struct {
	c        Config
	sink     lab.Sink
	machines []*host.Machine // the first server first, then the others in the order of the Config
}

func newPlanner(machines []*host.Machine, c Config, sink lab.Sink) (*planner, error) {
	ps := c.Validate()
	p := &planner{c: c, sink: sink}
	for _, list := range []struct {
		field string
		names []string
	}{{"servers", c.Servers}, {"agents", c.Agents}} {
		for i, name := range list.names {
			at := slices.IndexFunc(machines, func(m *host.Machine) bool { return m.Name() == name })
			if at < 0 {
				ps = append(ps, lab.Problem{Path: fmt.Sprintf("%s[%d]", list.field, i), Text: name, Message: "is none of the machines"})
				continue
			}
			p.machines = append(p.machines, machines[at])
		}
	}
	if sink == nil {
		ps = append(ps, lab.Problem{Path: "sink", Message: "there is none", Hint: "say where the tokens are kept",
			Set: lab.Setting{Name: lab.SettingSink}})
	}
	return p, ps.Err()
}

// look looks at all machines, the server that speaks for the cluster first, see lead. away is the error of those that cannot be reached.
func (p *planner) look(ctx context.Context) (nodes []*node, away, err error) {
	nodes, away = lookAll(ctx, p.machines, p.c)
	if nodes[0] == nil {
		return nil, nil, away
	}
	nodes = slices.DeleteFunc(nodes, func(n *node) bool { return n == nil })
	arches := map[string]bool{}
	for _, n := range nodes {
		arches[n.arch] = true
	}
	p.c.lead(nodes)
	return nodes, away, p.c.checkSources(arches).Err()
}

// tokens returns the tokens of the cluster: those that the sink keeps; where it keeps none, that of the cluster which is
// there; otherwise new ones.
func (p *planner) tokens(ctx context.Context, keys *lab.Keyring, founder *node) (t tokens, err error) {
	t.caHash = founder.caHash
	adopt := func(name string) func() (lab.Secret, error) {
		if founder.hashes[name] == "" {
			return nil
		}
		return func() (lab.Secret, error) {
			file := p.c.dataDir() + "/server/" + tokenFiles[name]
			out, err := run(ctx, founder.machine, "read token", shell("token", "file", file))
			s := lab.NewSecret(password(out))
			if err == nil && sum(s.Reveal()) != founder.hashes[name] {
				err = founder.refuse(lab.ErrDrift, "plan again", "its token changed meanwhile")
			}
			return s, err
		}
	}
	server := adopt("server")
	if server == nil && founder.datadir != "" {
		server = func() (lab.Secret, error) { // github.com/k3s-io/k3s/issues/5345
			return lab.Secret{}, founder.refuse(lab.ErrRefused,
				"put it into the sink as "+ServerToken+"; "+p.c.dataDir()+"/server/cred/passwd has it too",
				"it has a datastore, and neither it nor the sink has the token that opens it")
		}
	}
	if t.server, err = keys.Secret(ctx, ServerToken, server); err != nil {
		return t, err
	}
	// A cluster that was made without an own token for agents has none to adopt: it gets one.
	agent := adopt("agent")
	if founder.hashes["agent"] == founder.hashes["server"] {
		agent = nil
	}
	if t.agent, err = keys.Secret(ctx, AgentToken, agent); err != nil {
		return t, err
	}
	return t, errors.Join(checkToken(ServerToken, t.server), checkToken(AgentToken, t.agent))
}

// tokenFiles are the files of the tokens below server/ of the data directory.
var tokenFiles = map[string]string{"server": "token", "agent": "agent-token"}

// first plans a cluster where there is none. Machines get the program at once; then the nodes are made one after the other.
func (p *planner) first(ctx context.Context, nodes []*node, t tokens) (*lab.Plan, error) {
	plans, err := p.planEach(nodes, func(n *node) (*lab.Plan, error) {
		if n == nodes[0] {
			return n.machine.Plan(ctx, p.c.state(n.name, n.arch, t, ""))
		}
		return n.machine.Plan(ctx, p.c.software(n.arch))
	})
	if err != nil {
		return nil, err
	}
	k := control{nodes[0].machine, p.c}
	var steps []lab.Step
	var before []string
	for i, n := range nodes {
		own := []string{}
		for _, s := range plans[i].Steps() {
			steps, own = append(steps, s), append(own, s.Name)
		}
		after := append(own, before...)
		if i > 0 {
			s := p.later(n, after...)
			steps, after = append(steps, s), []string{s.Name}
		}
		gate := p.gate(k, n.name, after...)
		steps, before = append(steps, gate), []string{gate.Name}
	}
	return lab.NewPlan(steps...)
}

// gate returns the step that waits for a node after others.
func (p *planner) gate(k control, name string, after ...string) lab.Step {
	return lab.Step{Name: "k3s/ready/" + name, After: after,
		Run: func(ctx context.Context, r *lab.Recorder) error { return k.ready(ctx, r, name) }}
}

// later returns the step that makes a machine a node, once there is a cluster.
func (p *planner) later(n *node, after ...string) lab.Step {
	id := "k3s/join/" + n.name
	return lab.Step{Name: id, After: after, Changes: []lab.Change{{ID: id, Action: lab.Create, Deferred: true, Risk: lab.RiskRestart,
		Cause: "the files and the unit of a node, with the CA that " + p.c.founder() + " makes"}},
		Run: func(ctx context.Context, r *lab.Recorder) error {
			r.Start(id)
			err := p.join(ctx, n, r, id)
			r.Done(id, err)
			return err
		}}
}

// join plans one machine, now that there is a cluster, and applies that.
func (p *planner) join(ctx context.Context, n *node, r *lab.Recorder, id string) error {
	found, err := lookAll(ctx, []*host.Machine{p.machines[0], n.machine}, p.c)
	if err != nil {
		return err
	}
	keys := &lab.Keyring{Sink: p.sink}
	t, err := p.tokens(ctx, keys, found[0])
	if err != nil {
		return err
	}
	if t.caHash == "" {
		return found[0].refuse(lab.ErrDrift, "plan again", "the cluster that was just made is gone")
	}
	if err := errors.Join(p.c.judge(found), p.c.checkTokens(found, t)); err != nil {
		return err
	}
	plan, err := n.machine.Plan(ctx, p.c.state(n.name, n.arch, t, ""))
	if err != nil {
		return err
	}
	_, err = plan.Apply(ctx, &lab.ApplyOptions{Events: func(e lab.Event) {
		if e.Kind == lab.EventDone {
			r.Output(id, fmt.Sprintf("%s: %s", e.Change, e.Status))
		}
	}})
	return err
}

// next plans a cluster that is there.
func (p *planner) next(ctx context.Context, nodes []*node, t tokens) (*lab.Plan, error) {
	plans, err := p.planEach(nodes, func(n *node) (*lab.Plan, error) {
		stale := ""
		if m := nodes[0].members[n.name]; m.ready && m.version != n.version {
			stale = n.invocation
		}
		return n.machine.Plan(ctx, p.c.state(n.name, n.arch, t, stale))
	})
	k, members := control{nodes[0].machine, p.c}, nodes[0].members
	if members == nil { // what the others need cannot be known before the first server runs
		err = errors.Join(err, nodes[0].refuse(lab.ErrBlocked, "apply this plan, which brings it up, and plan again",
			"the API of the cluster does not answer"))
		if bare, few := p.c.bare(nodes); few && nodes[0].datadir == "etcd" {
			err = errors.Join(err, nodes[0].refuse(lab.ErrBlocked, "if it stays so, "+resetHint(nodes[0].name),
				"%s have no datastore: if they were members of etcd, it has lost its quorum", strings.Join(bare, " and ")))
		}
		plans = plans[:1]
		nodes = nodes[:1]
	}
	var steps []lab.Step
	var before []string
	for _, i := range p.order(nodes, members, plans) {
		n := nodes[i]
		own := plans[i].Steps()
		if plans[i] != nil && len(own) == 0 && n.version != p.c.Version {
			err = errors.Join(err, n.refuse(lab.ErrConflict, "correct version, or what binaries."+n.arch+" is",
				"it has the program of binaries.%s, which says that it is %s", n.arch, lab.Printable(n.version)))
		}
		upgrades := n.running() && len(own) > 0 && (n.version != p.c.Version || members[n.name].version != p.c.Version)
		if upgrades && n == nodes[0] && n.datadir != "" && !n.kept[p.c.Version] {
			s := p.c.snapshot(n, "before the upgrade from "+n.version+" to "+p.c.Version, p.c.Version, before...)
			steps, before = append(steps, s), []string{s.Name}
		}
		m, known := members[n.name]
		lost := p.c.lost(n, members)
		if lost {
			s := k.forget(n.name, before...)
			steps, before = append(steps, s), []string{s.Name}
			upgrades, m, known = false, member{}, false
		}
		if upgrades && known && !p.c.NoDrain && m.drained != p.c.Version {
			s := k.drain(n.name, m.cordoned && m.drained == "", before...)
			steps, before = append(steps, s), []string{s.Name}
		}
		for _, s := range own {
			s.After = append(s.After, before...)
			if n.running() && members != nil && !lost {
				s = k.guarded(s, n.name)
			}
			gate := p.gate(k, n.name, s.Name)
			steps, before = append(steps, s, gate), []string{gate.Name}
		}
		switch {
		case upgrades && known && !p.c.NoDrain && !(m.cordoned && m.drained == ""):
			s := k.uncordon(n.name, "it was drained for its upgrade", before...)
			steps, before = append(steps, s), []string{s.Name}
		case m.drained != "":
			s := k.uncordon(n.name, "an earlier run has drained it for "+lab.Printable(m.drained)+", and was cut off", before...)
			steps, before = append(steps, s), []string{s.Name}
		}
	}
	if !slices.ContainsFunc(plans, func(p *lab.Plan) bool { return p != nil }) {
		return nil, err
	}
	plan, invalid := lab.NewPlan(steps...)
	return plan, errors.Join(err, invalid)
}

// order returns the indices of the nodes in the order in which they are changed: servers, then agents; of both those
// first that are down, since the others wait until all are ready. The cluster takes up to a minute to see that a node is
// down; a plan that starts its unit knows at once. plans are those of the nodes; nil where there are none.
func (p *planner) order(nodes []*node, members map[string]member, plans []*lab.Plan) (order []int) {
	starts := func(i int) bool {
		return plans != nil && slices.ContainsFunc(plans[i].Changes(), func(c lab.Change) bool {
			return strings.HasSuffix(c.ID, "unit:"+p.c.unit(nodes[i].name)+".service/start")
		})
	}
	rank := func(i int) int {
		n := nodes[i]
		m, ok := members[n.name]
		down := ok && (!m.ready || n.running() && starts(i))
		switch {
		case p.c.server(n.name) && down:
			return 0
		case p.c.server(n.name):
			return 1
		case down:
			return 2
		case ok:
			return 3
		}
		return 4 // new ones last
	}
	for i := range nodes {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(a) - rank(b) })
	return order
}

// guarded returns the step of a node with a wait for all others before its changes.
func (k control) guarded(s lab.Step, name string) lab.Step {
	run := s.Run
	s.Run = func(ctx context.Context, r *lab.Recorder) error {
		if err := k.alone(ctx, r, name); err != nil {
			return err
		}
		return run(ctx, r)
	}
	return s
}

// planEach plans machines at once. The plans of those that cannot be planned are nil.
func (p *planner) planEach(nodes []*node, plan func(*node) (*lab.Plan, error)) ([]*lab.Plan, error) {
	plans, errs := make([]*lab.Plan, len(nodes)), make([]error, len(nodes))
	var g errgroup.Group
	g.SetLimit(16)
	for i, n := range nodes {
		g.Go(func() error {
			plans[i], errs[i] = plan(n)
			return nil // one machine does not stop the others
		})
	}
	_ = g.Wait()
	return plans, errors.Join(errs...)
}
