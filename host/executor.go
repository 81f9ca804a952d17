package host

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// job is the plan of one machine: made by [Machine.Plan], run when the plan is applied.
type job struct {
	m       *Machine
	want    *wanted
	masker  *lab.Masker
	changes []change
	boot    string // boot ID at the time of the plan
}

func (j *job) step() string { return "host/" + j.m.Name() }

// plan compares the machine with its desired state. The changes have the IDs of the plan, and the
// errors name their resource.
func (j *job) plan(o *Observation, final bool) ([]change, map[string]error) {
	changes, faults := j.want.diff(o, final)
	for i := range changes {
		changes[i].id = j.step() + "/" + changes[i].id
	}
	for id, err := range faults {
		faults[id] = j.resourceError(id, err)
	}
	return changes, faults
}

func (j *job) resourceError(id string, err error) error {
	var le *lab.Error
	if errors.As(err, &le) && le.Target == "" {
		return &lab.Error{Op: le.Op, Target: j.m.Name(), Path: id, Hint: le.Hint, Set: le.Set, Err: j.masker.Err(le.Err)}
	}
	return &lab.Error{Op: "plan", Target: j.m.Name(), Path: id, Err: j.masker.Err(err)}
}

// joined joins the errors in the order of the state.
func (j *job) joined(faults map[string]error) error {
	var all []error
	for _, n := range j.want.nodes {
		all = append(all, faults[n.resource.ID()])
	}
	return errors.Join(all...)
}

// run makes the planned changes with one exec, reboots if a change asks for it, and verifies the
// result with another exec. Deferred changes are planned and made before the reboot, in as many
// rounds as they need, with two more execs a round.
func (j *job) run(ctx context.Context, r *lab.Recorder) error {
	e := &execution{job: j, r: r, done: map[string]bool{}}
	var now, deferred, reboots []int
	for i, c := range j.changes {
		switch {
		case c.reboots():
			reboots = append(reboots, i)
		case c.deferred:
			deferred = append(deferred, i)
		default:
			now = append(now, i)
		}
	}
	if err := e.apply(ctx, j.among(now, nil)); err != nil {
		return err
	}
	for len(deferred) > 0 {
		left, faults, err := j.again(ctx)
		if err != nil {
			return err
		}
		if deferred, err = e.round(ctx, deferred, left, faults); err != nil {
			return err
		}
	}
	if err := e.reboot(ctx, reboots); err != nil {
		return err
	}
	left, faults, err := j.again(ctx)
	if err != nil {
		return err
	}
	e.verify(left, faults)
	return nil
}

// among returns the planned changes at the indexes, each with its op in ops if there is one. Their
// dependencies are indexes into the result; others are left out.
func (j *job) among(indexes []int, ops map[int]Op) []change {
	place := map[int]int{}
	var out []change
	for _, i := range indexes {
		c := j.changes[i]
		if op, ok := ops[i]; ok {
			c.op = op
		}
		c.after = nil
		for _, d := range j.changes[i].after {
			if at, ok := place[d]; ok {
				c.after = append(c.after, at)
			}
		}
		place[i] = len(out)
		out = append(out, c)
	}
	return out
}

// again observes the machine and plans the remaining changes.
func (j *job) again(ctx context.Context) (left []change, faults map[string]error, err error) {
	o, err := j.m.observe(ctx, j.want.query(), j.masker)
	if err != nil {
		return nil, nil, err
	}
	left, faults = j.plan(o, true)
	return left, faults, nil
}

// execution is one run of a job.
type execution struct {
	*job
	r    *lab.Recorder
	done map[string]bool // IDs of changes that were made and not rolled back
}

// apply makes the changes with one exec.
func (e *execution) apply(ctx context.Context, changes []change) error {
	if len(changes) == 0 {
		return nil
	}
	p := &applyParser{target: e.m.Name(), changes: changes, r: e.r, masker: e.masker, begun: map[int]bool{}, running: -1}
	err := e.m.apply(ctx, changes, p)
	for _, id := range p.done {
		e.done[id] = true
	}
	for _, b := range p.rolledBack {
		for _, c := range e.changes {
			if e.done[c.id] && b.means(c) {
				delete(e.done, c.id)
				e.r.RolledBack(c.id, "rolled back by "+b.by)
			}
		}
	}
	return err
}

// apply sends the changes with their payloads, and lets p parse the output.
func (m *Machine) apply(ctx context.Context, changes []change, p *applyParser) error {
	nonce := newNonce()
	frames := &frameParser{nonce: nonce, header: p.header, data: p.data, ended: p.flushLine}
	in := &payloads{}
	ids := map[*Payload]string{}
	for _, c := range changes {
		if c.op.Payload != nil {
			in.rest = append(in.rest, c.op.Payload)
			ids[c.op.Payload] = c.id
		}
	}
	in.sent = func(sent *Payload, done int64) { p.r.Progress(ids[sent], done, sent.Size, "bytes") }
	stderr := tail{masker: p.masker}
	res, err := m.Run(ctx, ssh.Command{
		Script: applyScript(nonce, m.journal(), changes), Stdin: in, Stdout: frames, Stderr: &stderr, Root: true, Lock: true,
	})
	_ = frames.Close() // it only flushes the parser
	p.flushLine()
	if err != nil {
		return err
	}
	err = p.masker.Err(p.problem)
	if err == nil && (!p.ended || res.Exit != 0) {
		err = fmt.Errorf("%w: the script ended early, exit status %d: %s",
			lab.ErrDrift, res.Exit, stderr.String())
	}
	if err != nil {
		return &lab.Error{Op: "apply plan", Target: m.Name(), Hint: "run it again: it continues from here", Err: err}
	}
	return nil
}

// notDone returns the ID of the first dependency of change i that is neither made nor pending; "" if
// there is none.
func (e *execution) notDone(i int, pending map[int]bool) string {
	for _, d := range e.changes[i].after {
		if id := e.changes[d].id; !e.done[id] && !pending[d] {
			return id
		}
	}
	return ""
}

func (e *execution) skip(i int, missing string) {
	e.r.Skip(e.changes[i].id, missing+" was not done")
}

// end records the result of a change that needed no command.
func (e *execution) end(i int, err error) {
	id := e.changes[i].id
	e.r.Start(id)
	e.r.Done(id, err)
	e.done[id] = err == nil
}

// round makes the deferred changes that can be made now, as now planned in left, and returns those
// that must wait for another round.
func (e *execution) round(
	ctx context.Context, deferred []int, left []change, faults map[string]error,
) (still []int, err error) {
	found := map[string]Op{}
	for _, c := range left {
		found[c.id] = c.op
	}
	var ready []int
	ops := map[int]Op{}
	pending := map[int]bool{} // made in this round, or waiting
	waiting := map[int]bool{}
	for _, i := range deferred {
		c := e.changes[i]
		op, needed := found[c.id]
		missing, waits := e.notDone(i, pending), false
		for _, d := range c.after {
			waits = waits || waiting[d]
		}
		fault := faults[c.resource.ID()]
		switch {
		case missing != "":
			e.skip(i, missing)
		case !waits && fault != nil:
			e.end(i, fault)
		case !waits && !needed:
			e.end(i, nil) // a change that it waited for made it unnecessary
		case waits || op.Deferred:
			still, pending[i], waiting[i] = append(still, i), true, true
		default:
			ready, pending[i], ops[i] = append(ready, i), true, op
		}
	}
	if len(ready) > 0 {
		return still, e.apply(ctx, e.among(ready, ops))
	}
	e.abandon(still)
	return nil, nil
}

// abandon ends deferred changes that no other change can make possible any more.
func (e *execution) abandon(waiting []int) {
	for _, i := range waiting {
		if missing := e.notDone(i, nil); missing != "" {
			e.skip(i, missing)
			continue
		}
		e.end(i, &lab.Error{Op: "make change", Target: e.m.Name(), Path: e.changes[i].resource.ID(),
			Hint: "find out which change should have provided it",
			Err:  fmt.Errorf("%w: what it changes still does not exist", lab.ErrNotFound)})
	}
}

// verify marks changes as failed whose effect the machine does not show, and notes further changes
// that are needed now.
func (e *execution) verify(left []change, faults map[string]error) {
	planned := map[string]bool{}
	for _, c := range e.changes {
		planned[c.id] = true
		if err := faults[c.resource.ID()]; err != nil && e.done[c.id] {
			e.r.Done(c.id, err)
		}
	}
	var more []string
	for _, c := range left {
		switch {
		case e.done[c.id]:
			e.r.Done(c.id, &lab.Error{Op: "verify change", Target: e.m.Name(), Path: c.resource.ID(),
				Hint: "something else changes it: find out what",
				Err:  fmt.Errorf("%w: it was made, but still: %s", lab.ErrDrift, e.masker.Mask(c.op.Cause))})
		case !planned[c.id]:
			more = append(more, c.resource.ID())
		}
	}
	if len(more) > 0 {
		e.r.Note(fmt.Sprintf("%s: more changes are needed now, plan again: %s", e.m.Name(), strings.Join(more, ", ")))
	}
}
