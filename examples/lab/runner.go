package main

import (
	"context"
	"encoding/json"
	"fmt"
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
	reviewed []lab.Change // of the reviewed plan; nil when there is none
	summed   bool         // the summary was printed
	started  time.Time
}

func (r *runner) run(ctx context.Context) error {
	name, data, err := r.choose()
	if err != nil {
		return err
	}
	if r.lab, err = ReadConfig(name, data); err != nil {
		return err
	}
	if err := r.lab.limit(r.limit); err != nil {
		return err
	}
	r.about(name)
	if r.call.reviewed != "" {
		if r.reviewed, err = cli.Reviewed(r.call.reviewed); err != nil {
			return err
		}
	}
	if r.verb == "apply" && !r.sandbox && r.lab.Environment != r.env {
		return &lab.Error{Op: "apply", Target: name, Hint: "if you mean it: --env " + r.lab.Environment,
			Err: fmt.Errorf("%w: the config is of environment %q, and only %q may be changed",
				lab.ErrRefused, r.lab.Environment, r.env)}
	}
	if r.sandbox {
		r.site, err = r.lab.sandbox(ctx)
	} else {
		r.site, err = r.lab.real()
	}
	if err != nil {
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
func (r *runner) about(config string) {
	var machines []string
	for _, h := range r.lab.chosen() {
		machines = append(machines, h.Name)
	}
	environment, where := r.lab.Environment, strings.Join(machines, ", ")
	switch {
	case r.sandbox:
		environment, where = sandboxName, "sandbox: nothing outside of this process is touched"
	case len(machines) > maxNamed:
		where = fmt.Sprintf("%s and %d more", strings.Join(machines[:maxNamed], ", "), len(machines)-maxNamed)
	}
	r.out.Object(map[string]any{"type": "run", "verb": r.verb, "config": config, "environment": environment,
		"sandbox": r.sandbox, "machines": machines})
	r.out.Printf("%s, environment %s, %s\n", config, environment, where)
}

// maxNamed is how many machines the first line names.
const maxNamed = 8

// plan shows what would be done, and writes it into the file unless that has no name.
func (r *runner) plan(ctx context.Context, file string) error {
	results, err := r.stages.Plan(ctx)
	var plans []*lab.Plan
	changes := 0
	for _, s := range results {
		r.out.Printf("%s\n", s.Stage)
		switch {
		case s.Plan != nil:
			r.out.Plan(s.Plan)
			plans = append(plans, s.Plan)
			changes += len(s.Plan.Changes())
		case s.LeftOut != "":
			r.out.Printf("%s\n", note(s))
		}
		if s.Waits != "" {
			r.out.Printf("%s\n", note(s))
		}
	}
	if file != "" && err == nil {
		err = writePlan(file, plans)
	}
	r.summary(results, -1, err)
	if err == nil && changes > 0 {
		return cli.ErrPending
	}
	return err
}

// writePlan writes the plans of the stages as one. Stages share machines, and what is to be done
// for several of them is in it once: it is done by the first.
func writePlan(file string, plans []*lab.Plan) error {
	all := lab.Step{Name: "lab", Run: func(context.Context,
		*lab.Recorder) error {
		return nil
	}} // it is written, and never run
	seen := map[string]bool{}
	for _, p := range plans {
		for _, c := range p.Changes() {
			if !seen[c.ID] {
				all.Changes = append(all.Changes, c)
			}
			seen[c.ID] = true
		}
	}
	plan, err := lab.NewPlan(all)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return err
	}
	// what a plan shows of a machine is nobody else's business
	return cli.WriteFile(file, append(data, '\n'), 0o600)
}

// apply builds the lab, and plans it again.
func (r *runner) apply(ctx context.Context) error {
	if r.sandbox {
		r.out.Printf("Building %d machines.\n", len(r.site.machines))
		if r.site.database != nil {
			r.out.Printf("The apps' databases are in %s.\n", r.site.database.about)
		}
	}
	var confirmations []lab.Confirmation
	for _, id := range r.confirmed {
		confirmations = append(confirmations, lab.Confirm(id))
	}
	results, err := r.stages.Apply(ctx, pipeline.Options{
		Apply: &lab.ApplyOptions{Events: r.out.Event, Confirmed: confirmations},
		Planned: func(stage string, p *lab.Plan) error {
			r.out.Printf("\n%s: %s\n", stage, p.Summary())
			if r.out.JSON || !r.sandbox {
				r.out.Plan(p)
			}
			if r.call.reviewed != "" {
				return p.Within(r.reviewed)
			}
			return nil
		},
		Done: func(s pipeline.Result) {
			if s.Report != nil {
				r.out.Report(s.Report)
			}
		},
	})
	second := -1
	if err == nil {
		second, err = r.second(ctx)
	}
	r.summary(results, second, err)
	return err
}

// second plans everything again: what was just applied must be empty.
func (r *runner) second(ctx context.Context) (int, error) {
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
