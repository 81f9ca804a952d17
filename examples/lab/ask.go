package main

import (
	"context"
	"fmt"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

// asksName reports whether the person who applies is asked to type the name of the environment,
// because --env does not name it.
func (r *runner) asksName() bool { return r.request.Asks() && r.lab.Environment != r.env }

// ask plans all stages, and asks whether what they would change may be changed. That a stage cannot be
// planned is said, and keeps the others from nothing: the error comes at the end of the run. If there is
// nothing to be changed, nobody is asked, and that is what is in results.
func (r *runner) ask(ctx context.Context) (results []pipeline.Result, err error) {
	results, err = r.stages.Plan(ctx)
	r.show(results)
	o := outline(results)
	if r.agreed = o.Changes(); len(r.agreed) == 0 {
		return results, err // nothing, or nothing that is known
	}
	if err != nil {
		r.out.Printf("not all could be planned: %s\n", lab.PrintableText(err.Error(), "  "))
	}
	if slices.ContainsFunc(o.Missing, func(m lab.MissingStage) bool { return m.Waits != "" }) {
		r.out.Printf("You will be asked about what waits when it can be planned.\n")
	}
	return results, r.agree(ctx, r.agreed)
}

// agree asks whether the changes may be made in the environment of the config.
func (r *runner) agree(ctx context.Context, changes []lab.Change) error {
	terminal, name := r.request.Terminal(), r.lab.Environment
	what := fmt.Sprintf("Apply %s to environment %s?", cli.Changes(changes), name)
	agrees, err := false, error(nil)
	if r.asksName() {
		var typed string
		typed, err = terminal.Ask(ctx, fmt.Sprintf("%s Type its name to agree: ", what))
		agrees = typed == name
	} else {
		agrees, err = terminal.Agrees(ctx, what)
	}
	if err == nil && !agrees {
		err = cli.NotAgreed()
	}
	return err
}

// planned says what a stage will change, before it is applied, and returns why it must not be: it is
// not what was reviewed, or nobody agreed to it.
func (r *runner) planned(ctx context.Context, stage string, p *lab.Plan) error {
	r.out.Printf("\n%s: %s\n", stage, p.Summary())
	asked := r.request.Asks() && p.Within(r.agreed) == nil
	if r.out.JSON || !r.sandbox && !asked {
		r.out.Plan(p)
	}
	switch {
	case r.request.Reviewed != "":
		return p.Within(r.reviewed)
	case r.request.Asks() && !asked:
		return r.agree(ctx, p.Changes())
	}
	return nil
}
