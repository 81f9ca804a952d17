package stepca

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"golang.org/x/sync/errgroup"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Plan plans the CA on its machines, of which one is the Config's Primary. It reads all machines and
// the sink, and writes nothing.
//
// Where there is no authority yet, the plan makes one: what the replicas and everybody's trust will
// be follows from it, and is one deferred change for each machine. Otherwise the plan shows every
// change. Machines are changed one after the other, the primary first, and each instance is proved
// ([Prove]) before the next is touched.
//
// A machine that cannot be reached does not stop the others, unless it is the primary or there is no
// authority yet: the plan covers those that can, and the error names the rest. What would fork or
// lose the authority is an [lab.ErrRefused], see the package's documentation.
func Plan(ctx context.Context, machines []*host.Machine, c Config, sink lab.Sink) (*lab.Plan, error) {
	if err := validate(machines, c, sink).Err(); err != nil {
		return nil, err
	}
	p := planner{c: c, sink: sink, keep: custody{c, sink}}
	for _, m := range machines {
		p.names = append(p.names, m.Name())
		if m.Name() == c.Primary {
			p.machines = append([]*host.Machine{m}, p.machines...)
		} else {
			p.machines = append(p.machines, m)
		}
	}
	s, away, err := p.stand(ctx, p.machines)
	if err != nil {
		return nil, err
	}
	create, err := s.judge(c, away == nil)
	var plan *lab.Plan
	switch {
	case err != nil:
	case create:
		plan, err = p.first(ctx)
	default:
		plan, err = p.next(ctx, s)
	}
	return plan, errors.Join(err, away)
}

// validate returns what is wrong with the Config on these machines.
func validate(machines []*host.Machine, c Config, sink lab.Sink) lab.Problems {
	ps := c.Validate()
	var names []string
	for _, m := range machines {
		if slices.Contains(names, m.Name()) {
			ps = append(ps, lab.Problem{Path: "machines", Text: m.Name(), Message: "is there twice"})
		}
		if !dnsName.MatchString(m.Name()) {
			ps = append(ps, lab.Problem{Path: "machines", Text: m.Name(), Message: "is not a name for DNS"})
		}
		names = append(names, m.Name())
	}
	for path, name := range map[string]string{"primary": c.Primary, "active": c.ActiveMachine()} {
		if !slices.Contains(names, name) && (path == "primary" || c.Active != "") {
			ps = append(ps, lab.Problem{Path: path, Text: name, Message: "is none of the machines of the CA"})
		}
	}
	if sink == nil {
		ps = append(ps, lab.Problem{Path: "sink", Message: "there is none",
			Hint: "say where the root key is kept", Set: lab.Setting{Name: lab.SettingSink}})
	}
	return ps
}

// planner plans the CA.
type planner struct {
	c        Config
	sink     lab.Sink
	keep     custody
	machines []*host.Machine // the primary first
	names    []string        // in the order of the inventory
}

// stand looks at machines, the primary first. away is the error of those that cannot be reached.
func (p planner) stand(ctx context.Context, machines []*host.Machine) (s standing, away, err error) {
	root, err := Root(ctx, p.sink)
	if err != nil && !errors.Is(err, lab.ErrNotFound) {
		return s, nil, err
	}
	if err == nil {
		c, err := certificate([]byte(root))
		if err != nil {
			return s, nil, &lab.Error{Op: "read the root certificate", Target: p.sink.String(), Path: RootCertificate,
				Hint: "restore it, from " + rootFile + " of a machine", Err: err}
		}
		s.recorded = fingerprintOf(c.Raw)
	}
	holdings, away := lookAll(ctx, machines)
	if holdings[0] == nil {
		return s, nil, away
	}
	s.primary = holdings[0]
	s.holdings = slices.DeleteFunc(holdings, func(h *holding) bool { return h == nil })
	return s, away, nil
}

// first plans an authority where there is none.
func (p planner) first(ctx context.Context) (*lab.Plan, error) {
	k := &lab.Keyring{Sink: p.sink}
	passwords := map[string]lab.Secret{}
	for _, name := range []string{RootPassword, IntermediatePassword, ProvisionerPassword} {
		s, err := k.Secret(ctx, name, nil)
		if err != nil {
			return nil, err
		}
		passwords[name] = s
	}
	primary := p.machines[0]
	plans, err := p.planEach(p.machines, func(m *host.Machine) (*lab.Plan, error) {
		state := p.c.Software()
		if m == primary {
			state = append(state, p.c.initialisation(p.names, passwords))
		}
		return m.Plan(ctx, state)
	})
	if err != nil {
		return nil, err // half an authority is none
	}
	var steps []lab.Step
	software := map[*host.Machine][]string{}
	for i, m := range p.machines {
		for _, s := range plans[i].Steps() {
			steps, software[m] = append(steps, s), append(software[m], s.Name)
		}
	}
	steps = append(steps, p.keep.record(primary, software[primary]...),
		p.keep.moveKeys([]*host.Machine{primary}, rootStep))
	before := rootStep
	for _, m := range p.machines {
		s := p.later(m, append(software[m], before)...)
		gate := p.gate(m, s.Name)
		steps, before = append(steps, s, gate), gate.Name
	}
	plan, err := lab.NewPlan(steps...)
	if err != nil {
		return nil, err
	}
	return k.Plan(plan)
}

// later returns the step that brings the authority to a machine, once it was made.
func (p planner) later(m *host.Machine, after ...string) lab.Step {
	name := "step-ca/" + m.Name()
	id := name + "/authority"
	return lab.Step{Name: name, After: after,
		Changes: []lab.Change{{ID: id, Action: lab.Create, Deferred: true, Risk: lab.RiskRestart,
			Cause: fmt.Sprintf("the files, the unit and the trust that follow from what %s makes", p.c.Primary)}},
		Run: func(ctx context.Context, r *lab.Recorder) error {
			r.Start(id)
			err := p.bring(ctx, m, r, id)
			r.Done(id, err)
			return err
		}}
}

// bring plans one machine, now that there is an authority, and applies that.
func (p planner) bring(ctx context.Context, m *host.Machine, r *lab.Recorder, id string) error {
	machines := []*host.Machine{p.machines[0]}
	if m != p.machines[0] {
		machines = append(machines, m)
	}
	s, away, err := p.stand(ctx, machines)
	if err = errors.Join(err, away); err != nil {
		return err
	}
	switch create, err := s.judge(p.c, true); {
	case err != nil:
		return err
	case create:
		return refused(p.c.Primary, rootFile, "plan again", "the authority that was just made is gone")
	}
	plans, err := p.states(ctx, s, s.holdings[len(s.holdings)-1:])
	if err != nil {
		return err
	}
	_, err = plans[0].Apply(ctx, &lab.ApplyOptions{Events: func(e lab.Event) {
		if e.Kind == lab.EventDone {
			r.Output(id, fmt.Sprintf("%s: %s", e.Change, e.Status))
		}
	}})
	return err
}

// next plans an authority that is there.
func (p planner) next(ctx context.Context, s standing) (*lab.Plan, error) {
	if _, err := provisionerPassword(ctx, p.c, p.sink); err != nil {
		return nil, err
	}
	plans, errs := p.states(ctx, s, s.holdings)
	if plans == nil {
		return nil, errs
	}
	var steps []lab.Step
	var before []string
	if s.recorded == "" {
		steps, before = append(steps, p.keep.record(s.primary.machine)), []string{rootStep}
	}
	var moved []*host.Machine
	movedAfter := slices.Clone(before)
	for i, h := range s.holdings {
		for _, step := range plans[i].Steps() {
			step.After = append(step.After, before...)
			gate := p.gate(h.machine, step.Name)
			steps, before = append(steps, step, gate), []string{gate.Name}
			if h.has(rootKeyFile) {
				movedAfter = append(movedAfter, step.Name) // which brings the client
			}
		}
		if h.has(rootKeyFile) {
			moved = append(moved, h.machine)
		}
	}
	if len(moved) > 0 {
		steps = append(steps, p.keep.moveKeys(moved, movedAfter...))
	}
	plan, err := lab.NewPlan(steps...)
	return plan, errors.Join(errs, err)
}

// states plans machines on their own, with the authority of the primary. The result is nil if none of
// them could be planned; otherwise the plan of one that could not is nil.
func (p planner) states(ctx context.Context, s standing, holdings []*holding) ([]*lab.Plan, error) {
	settings, err := p.c.wanted(s.primary.content[caJSON], p.names)
	if err != nil {
		var known *lab.Error
		if errors.As(err, &known) {
			known.Target = s.primary.machine.Name()
		}
		return nil, err
	}
	a := authority{root: string(s.primary.content[rootFile]), intermediate: string(s.primary.content[intermediateFile]),
		settings: string(settings), sums: s.primary.sums}
	if slices.ContainsFunc(holdings, func(h *holding) bool { return !h.sameSecrets(s.primary) }) {
		if a.secrets, err = s.primary.secrets(ctx, secretFiles...); err != nil {
			return nil, err
		}
	}
	byMachine, machines := map[*host.Machine]*holding{}, []*host.Machine{}
	for _, h := range holdings {
		byMachine[h.machine], machines = h, append(machines, h.machine)
	}
	plans, err := p.planEach(machines, func(m *host.Machine) (*lab.Plan, error) {
		own := a
		own.shown = shownDiff(byMachine[m].content[caJSON], settings)
		return m.Plan(ctx, p.c.state(own))
	})
	if !slices.ContainsFunc(plans, func(p *lab.Plan) bool { return p != nil }) {
		return nil, err
	}
	return plans, err
}

// sameSecrets reports whether the machine has the secrets of the other.
func (h *holding) sameSecrets(other *holding) bool {
	return !slices.ContainsFunc(secretFiles, func(path string) bool { return h.sums[path] != other.sums[path] })
}

// planEach plans machines at once. The plans of those that cannot be planned are nil.
func (p planner) planEach(machines []*host.Machine, plan func(*host.Machine) (*lab.Plan, error)) ([]*lab.Plan, error) {
	plans, errs := make([]*lab.Plan, len(machines)), make([]error, len(machines))
	var g errgroup.Group
	for i, m := range machines {
		g.Go(func() error {
			plans[i], errs[i] = plan(m)
			return nil // one machine does not stop the others
		})
	}
	_ = g.Wait()
	return plans, errors.Join(errs...)
}

// gate returns the step that proves the instance of a machine after another step.
func (p planner) gate(m *host.Machine, after string) lab.Step {
	return lab.Step{Name: "gate/" + m.Name(), After: []string{after},
		Run: func(ctx context.Context, r *lab.Recorder) error {
			r.Wait("a certificate from the CA on " + m.Name())
			return Prove(ctx, m, p.c, p.sink)
		}}
}

var encryptedKey = regexp.MustCompile(`("encryptedKey": *)"[^"]*"`)

// shownDiff returns the difference of two ca.json without the provisioners' encrypted keys, "" if
// they mean the same.
func shownDiff(before, after []byte) string {
	show := func(text []byte) []byte {
		s, err := readSettings(text)
		if err != nil {
			return nil // it is not there, or no JSON
		}
		return encryptedKey.ReplaceAll(s.text(), []byte(`$1"(secret)"`))
	}
	return lab.Diff(caJSON, show(before), show(after))
}
