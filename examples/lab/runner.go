package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

// runner is one call of the program.
type runner struct {
	call
	lab      *Lab
	site     *site
	stages   pipeline.Pipeline
	out      *cli.Printer
	terminal *cli.Terminal // nil when there is none
	reviewed []lab.Change  // of the reviewed plan; nil when there is none
	agreed   []lab.Change  // that a person agreed to
	summed   bool          // the summary was printed
	started  time.Time
}

func (r *runner) run(ctx context.Context) error {
	name, err := r.read()
	if err != nil {
		return err
	}
	if r.verb == "validate" {
		r.validated(name)
		return nil
	}
	if r.request.Reviewed != "" {
		if r.reviewed, err = cli.Reviewed(r.request.Reviewed); err != nil {
			return err
		}
	}
	if r.verb == "apply" && !r.sandbox && r.lab.Environment != r.env && !r.asksName() {
		return &lab.Error{Op: "apply", Target: name, Hint: "if you mean it: --env " + r.lab.Environment,
			Err: fmt.Errorf("%w: the config is of environment %q, and only %q may be changed",
				lab.ErrRefused, r.lab.Environment, r.env)}
	}
	if err := r.visit(ctx); err != nil {
		return err
	}
	defer r.site.close()
	r.stages = pipeline.Pipeline{Stages: r.lab.stages(r.site), Only: r.only}
	switch r.verb {
	case "plan":
		return r.plan(ctx, r.call.out)
	case "status":
		return r.status(ctx)
	}
	return r.apply(ctx)
}

// about says what the run is about: which config, which environment, and the sandbox or the machines.
func about(out *cli.Printer, c call, l *Lab, config string) {
	var machines []string
	for _, h := range l.chosen() {
		machines = append(machines, h.Name)
	}
	environment, where := l.Environment, strings.Join(machines, ", ")
	switch {
	case c.sandbox:
		environment, where = sandboxName, "sandbox: nothing outside of this process is touched"
	case len(machines) > maxNamed:
		where = fmt.Sprintf("%s and %d more", strings.Join(machines[:maxNamed], ", "), len(machines)-maxNamed)
	}
	out.Object(map[string]any{"type": "run", "verb": c.verb, "config": config, "environment": environment,
		"sandbox": c.sandbox, "machines": machines})
	out.Printf("%s, environment %s, %s\n", config, environment, where)
}

// maxNamed is how many machines the first line names.
const maxNamed = 8

// apply builds the lab, and plans it again. Where there is something to be changed, the lab is planned three
// times when a person is asked, and twice otherwise:
//
//   - to show what would be changed, and to ask;
//   - each stage when its turn comes. What it reads may have been made by an earlier stage, so that often
//     nothing else than its wait for that could be shown. And hours may lie between the question and the answer:
//     a plan does what it says to a machine that somebody else has changed meanwhile. What is applied is
//     planned with the machine as it is, and must be within what was agreed to, or the person is asked again;
//   - all stages afterwards, as the proof that a second run finds nothing to do.
//
// A lab that is as wanted is planned once.
func (r *runner) apply(ctx context.Context) error {
	if r.sandbox {
		r.out.Printf("Building %d machines.\n", len(r.site.machines))
		if r.site.database != nil {
			r.out.Printf("The apps' databases are in %s.\n", r.site.database.about)
		}
	}
	if r.request.Asks() {
		results, err := r.ask(ctx)
		if err != nil {
			r.object(nil, -1, err)
			return err
		}
		if len(r.agreed) == 0 {
			r.summary(results, 0, nil)
			return nil
		}
	}
	var confirmations []lab.Confirmation
	for _, id := range r.request.Confirmed {
		confirmations = append(confirmations, lab.Confirm(id))
	}
	results, err := r.stages.Apply(ctx, pipeline.Options{
		Apply:   &lab.ApplyOptions{Events: r.out.Event, Confirmed: confirmations},
		Planned: func(stage string, p *lab.Plan) error { return r.planned(ctx, stage, p) },
		Done: func(s pipeline.Result) {
			if s.Report != nil {
				r.out.Report(s.Report)
			}
		},
	})
	second := -1
	if err == nil {
		second, err = r.second(ctx, results)
	}
	r.summary(results, second, err)
	return err
}

// second plans everything again: what was just applied must be empty. If nothing was, it has just been planned.
func (r *runner) second(ctx context.Context, results []pipeline.Result) (int, error) {
	if !slices.ContainsFunc(results, func(s pipeline.Result) bool { return s.Report != nil }) {
		return 0, nil
	}
	n := 0
	again, err := r.stages.Plan(ctx)
	for _, s := range again {
		if s.Plan != nil && !s.Plan.Empty() {
			n += len(s.Plan.Changes())
			r.out.Plan(s.Plan)
		}
	}
	if err != nil {
		return n, err
	}
	if n > 0 {
		return n, &lab.Error{Op: "plan again", Hint: "see what changes it back, above",
			Err: fmt.Errorf("%w: a second run would make %d changes", lab.ErrDrift, n)}
	}
	return 0, nil
}
