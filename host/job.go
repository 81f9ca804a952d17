package host

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// job is one plan of one machine: made by Plan, carried out by Apply.
type job struct {
	m       *Machine
	nodes   []node
	masker  *lab.Masker
	prints  map[string]string   // fingerprints by resource ID, see [fingerprinter]
	setsOf  map[string][]string // IDs of the sets that a resource is of
	changes []change
	boot    string // boot ID when it was planned
}

func (m *Machine) newJob(want State, globs []string) (*job, error) {
	for _, g := range slices.Clone(globs) {
		globs = append(globs, lab.GlobsAfter(g, "host/"+m.name()+"/")...) // IDs of the plan's changes
	}
	if m.Environment != "" {
		claim := State{Directory{Path: path.Dir(environmentFile)}, File{Path: environmentFile, Content: m.Environment + "\n", claim: true}}
		want = append(claim, want...)
		if len(globs) > 0 {
			globs = append([]string{claim[0].ID(), claim[1].ID()}, globs...)
		}
	}
	nodes, err := want.sort(globs)
	if err != nil {
		return nil, err
	}
	j := &job{m: m, nodes: nodes, prints: map[string]string{}, setsOf: map[string][]string{}}
	var secrets []lab.Secret
	flat, sets, _ := want.flatten()
	loaded := map[string]Resource{}
	var errs []error
	for _, r := range flat {
		if l, ok := r.(interface{ load() (Resource, error) }); ok {
			if r, err = l.load(); err != nil {
				errs = append(errs, err)
				continue
			}
			loaded[r.ID()] = r
		}
		if s, ok := r.(interface{ Secrets() []lab.Secret }); ok {
			secrets = append(secrets, s.Secrets()...)
		}
		if f, ok := r.(fingerprinter); ok {
			j.prints[r.ID()] = f.fingerprint()
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for i, n := range j.nodes {
		if r, ok := loaded[n.ID()]; ok {
			j.nodes[i].Resource = r
		}
	}
	for set, parts := range sets {
		for _, id := range parts {
			j.setsOf[id] = append(j.setsOf[id], set)
		}
		slices.Sort(parts)
		for _, id := range parts {
			j.prints[set] += j.prints[id]
		}
	}
	j.masker = lab.NewMasker(secrets...)
	return j, nil
}

// fingerprinter is a kind whose change can notify a unit: the fingerprint is of what a service that reads it would see.
type fingerprinter interface{ fingerprint() string }

func (j *job) step() string { return "host/" + j.m.name() }

func (j *job) questions() *Query {
	q := &Query{}
	for _, n := range j.nodes {
		n.Observe(q)
	}
	return q
}

// plan returns the changes that the resources need, and the errors of those that could not be planned, by ID. It writes into the observation
// what the machine will be.
func (j *job) plan(o *Observation) ([]change, map[string]error) {
	o.pending, o.prints = map[string]bool{}, j.prints
	var out []change
	errs := map[string]error{}
	lastOf := map[string]int{} // index of the last change of a resource
	for _, n := range j.nodes {
		ops, err := n.Plan(o)
		if err != nil {
			errs[n.ID()] = j.resourceError(n, err)
			continue
		}
		for _, op := range ops {
			id := j.step() + "/" + n.ID()
			if op.Name != "" {
				id += "/" + op.Name
			}
			c := change{id: id, resource: n.Resource, op: op}
			for _, dep := range n.after {
				if d, ok := lastOf[dep]; ok {
					c.after = append(c.after, d)
				}
			}
			if d, ok := lastOf[n.ID()]; ok {
				c.after = append(c.after, d)
			}
			lastOf[n.ID()] = len(out)
			o.pending[n.ID()] = true
			for _, set := range j.setsOf[n.ID()] {
				o.pending[set] = true
			}
			out = append(out, c)
		}
	}
	return out, errs
}

// joined returns the errors of resources in the order of the state.
func (j *job) joined(errs map[string]error) error {
	var all []error
	for _, n := range j.nodes {
		all = append(all, errs[n.ID()])
	}
	return errors.Join(all...)
}

func (j *job) resourceError(r Resource, err error) error {
	var le *lab.Error
	if errors.As(err, &le) && le.Target == "" {
		return &lab.Error{Op: le.Op, Target: j.m.name(), Path: r.ID(), Hint: le.Hint, Err: maskError(j.masker, le.Err)}
	}
	return &lab.Error{Op: "plan", Target: j.m.name(), Path: r.ID(), Err: maskError(j.masker, err)}
}

// maskError hides secrets in an error's text and keeps its kind.
func maskError(m *lab.Masker, err error) error {
	if err == nil || m.Mask(err.Error()) == err.Error() {
		return err
	}
	for _, kind := range []error{lab.ErrNotFound, lab.ErrConflict, lab.ErrRefused, lab.ErrDrift, lab.ErrBlocked, lab.ErrInvalid} {
		if errors.Is(err, kind) {
			return fmt.Errorf("%w: %s", kind, m.Mask(err.Error()))
		}
	}
	return errors.New(m.Mask(err.Error()))
}

// run carries the plan out: one exec that makes the changes, a reboot when one is asked for, one exec that reads the machine again. Changes
// that had to wait for others are made by one more of each, and those that wait for these by another, all before the reboot.
func (j *job) run(ctx context.Context, r *lab.Recorder) error {
	t := &tally{map[string]bool{}}
	first, late, reboots := j.split()
	if err := j.apply(ctx, first, r, t); err != nil {
		return err
	}
	var left []change
	var faults map[string]error
	var err error
	for len(late) > 0 {
		if left, faults, err = j.again(ctx); err != nil {
			return err
		}
		if late, err = j.applyLate(ctx, late, left, faults, r, t); err != nil {
			return err
		}
	}
	if len(reboots) > 0 {
		if err := j.reboot(ctx, reboots, r, t); err != nil {
			return err
		}
	}
	if left, faults, err = j.again(ctx); err != nil {
		return err
	}
	j.check(left, faults, r, t)
	return nil
}

// tally is what is known of the changes of a run.
type tally struct{ done map[string]bool }

// split returns the changes for the first exec, those that must wait, and those that are done by a reboot.
func (j *job) split() (first []change, late, reboots []int) {
	at := map[int]int{} // index in changes -> index in first
	waits := map[int]bool{}
	for i, c := range j.changes {
		after := c.after
		for _, d := range after {
			waits[i] = waits[i] || waits[d]
		}
		switch {
		case c.op.Reboot && c.op.Script == "":
			reboots = append(reboots, i)
		case c.op.Deferred || waits[i]:
			waits[i] = true
			late = append(late, i)
		default:
			c.after = nil
			for _, d := range after {
				if f, ok := at[d]; ok {
					c.after = append(c.after, f)
				}
			}
			at[i] = len(first)
			first = append(first, c)
		}
	}
	return first, late, reboots
}

// apply makes changes by one exec and records which of them were done.
func (j *job) apply(ctx context.Context, changes []change, r *lab.Recorder, t *tally) error {
	done, taken, err := j.m.applyChanges(ctx, changes, j.masker, r)
	for _, id := range done {
		t.done[id] = true
	}
	for _, u := range taken {
		for _, c := range j.changes {
			if t.done[c.id] && u.means(c) {
				delete(t.done, c.id)
				r.RolledBack(c.id, "taken back by "+u.by)
			}
		}
	}
	return err
}

// again observes the machine and plans anew.
func (j *job) again(ctx context.Context) (left []change, faults map[string]error, err error) {
	o, err := j.m.observe(ctx, j.questions(), j.masker)
	if err != nil {
		return nil, nil, err
	}
	o.late = true
	left, faults = j.plan(o)
	return left, faults, nil
}

// applyLate makes the changes that waited for others, as they are planned now, and returns those that have to wait for these.
func (j *job) applyLate(ctx context.Context, late []int, left []change, faults map[string]error, r *lab.Recorder, t *tally) (still []int, err error) {
	now := map[string]change{}
	for _, c := range left {
		now[c.id] = c
	}
	var round []change
	at := map[string]int{}
	waits := map[string]bool{}
	for _, i := range late {
		was := j.changes[i]
		var blocked string
		var after []int
		for _, d := range was.after {
			id := j.changes[d].id
			if n, ok := at[id]; ok {
				after = append(after, n)
			} else if waits[id] {
				waits[was.id] = true
			} else if !t.done[id] {
				blocked = id
			}
		}
		c, needed := now[was.id]
		switch {
		case blocked != "":
			r.Skip(was.id, blocked+" was not done")
		case waits[was.id]:
			still = append(still, i)
		case faults[was.resource.ID()] != nil:
			r.Start(was.id)
			r.Done(was.id, faults[was.resource.ID()])
		case !needed:
			r.Start(was.id)
			r.Done(was.id, nil) // what it waited for did it
			t.done[was.id] = true
		case c.op.Deferred:
			waits[was.id] = true
			still = append(still, i)
		default:
			c.after = after
			at[was.id] = len(round)
			round = append(round, c)
		}
	}
	if len(round) > 0 {
		return still, j.apply(ctx, round, r, t)
	}
	// Nothing is left that could bring what they wait for.
	for _, i := range still {
		was := j.changes[i]
		blocked := ""
		for _, d := range was.after {
			if id := j.changes[d].id; !t.done[id] {
				blocked = id
			}
		}
		if blocked == "" {
			r.Start(was.id)
			r.Done(was.id, &lab.Error{Op: "make change", Target: j.m.name(), Path: was.resource.ID(), Hint: "look at what should have brought it",
				Err: fmt.Errorf("%w: what it changes is still not there", lab.ErrNotFound)})
		} else {
			r.Skip(was.id, blocked+" was not done")
		}
	}
	return nil, nil
}

// check takes back the success of changes that the machine does not show.
func (j *job) check(left []change, faults map[string]error, r *lab.Recorder, t *tally) {
	var more []string
	planned := map[string]bool{}
	for _, c := range j.changes {
		planned[c.id] = true
		if err := faults[c.resource.ID()]; err != nil && t.done[c.id] {
			r.Done(c.id, err)
		}
	}
	for _, c := range left {
		switch {
		case t.done[c.id]:
			r.Done(c.id, &lab.Error{Op: "verify change", Target: j.m.name(), Path: c.resource.ID(), Hint: "something else changes it: find out what",
				Err: fmt.Errorf("%w: it was made, and still: %s", lab.ErrDrift, j.masker.Mask(c.op.Cause))})
		case !planned[c.id]:
			more = append(more, c.resource.ID())
		}
	}
	if len(more) > 0 {
		r.Note(fmt.Sprintf("%s: more is to be done now, plan again: %s", j.m.name(), strings.Join(more, ", ")))
	}
}

// rebootTimeout is how long a machine may take to come back. A Raspberry Pi that checks a big file system takes minutes.
const rebootTimeout = 5 * time.Minute

// reboot reboots the machine once, for all changes that ask for it, and waits until it has booted anew: not until it answers, which it may
// do while it still goes down, but until its boot ID is another.
func (j *job) reboot(ctx context.Context, reboots []int, r *lab.Recorder, t *tally) error {
	var ids []string
	for _, i := range reboots {
		c := j.changes[i]
		blocked := ""
		for _, d := range c.after {
			if id := j.changes[d].id; !t.done[id] {
				blocked = id
			}
		}
		if blocked != "" {
			r.Skip(c.id, blocked+" was not done")
			continue
		}
		ids = append(ids, c.id)
	}
	if len(ids) == 0 {
		return nil
	}
	for _, id := range ids {
		r.Start(id)
	}
	err := j.m.Reboot(ctx, j.boot, r.Wait)
	for _, id := range ids {
		r.Done(id, err)
		t.done[id] = err == nil
	}
	return err
}

// Reboot reboots the machine and waits, for at most 5 minutes, until it has booted anew, which its boot ID tells. The boot ID is the one that
// the machine had when somebody decided on the reboot, empty for the one it has now; a machine with another one has been rebooted
// meanwhile, and is left alone. The function tell, which may be nil, is told what is waited for.
func (m *Machine) Reboot(ctx context.Context, bootID string, tell func(string)) error {
	boot := func(ctx context.Context) (string, error) {
		f, err := m.Facts(ctx)
		return f.BootID, err
	}
	now, err := boot(ctx)
	if err != nil {
		return err
	}
	if bootID != "" && now != bootID {
		return nil
	}
	// systemd answers before it goes down; the connection may be lost before the answer arrives all the same.
	res, err := m.run(ctx, ssh.Command{Script: "systemctl reboot", Root: true})
	switch {
	case err != nil && (ctx.Err() != nil || !errors.Is(err, lab.ErrUnreachable)):
		return err
	case err == nil && res.Exit > 0 && res.Exit < 128: // above, what goes down has ended it
		return &lab.Error{Op: "reboot", Target: m.name(), Hint: "on the machine: systemctl reboot", Err: res.Err()}
	}
	return lab.Wait(ctx, lab.Poll{What: m.name() + " to boot", First: 500 * time.Millisecond, Timeout: rebootTimeout, Tell: tell}, func(ctx context.Context) (bool, error) {
		_ = m.Close() // a connection to the system that goes down is of no use
		try, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		id, err := boot(try)
		if errors.Is(err, lab.ErrHostKey) || errors.Is(err, lab.ErrUnauthorized) {
			return false, err
		}
		return err == nil && id != "" && id != now, nil
	})
}
