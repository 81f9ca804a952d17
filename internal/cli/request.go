package cli

import (
	"context"
	"flag"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Request is what a person wants of a plan: to see it, or to have it done.
type Request struct {
	Apply     bool   // else it is only shown
	Reviewed  string // the file of a plan that was looked at: nothing else is done; empty means that there is none
	Confirmed List   // IDs of changes that may lose data
}

// Flags defines the flags of the request.
func (r *Request) Flags(flags *flag.FlagSet) {
	flags.Var(&r.Confirmed, "confirm", "the `ID` of a change that may lose data, to confirm it (may be repeated)")
	flags.StringVar(&r.Reviewed, "plan", "", "apply only what this reviewed plan `file` holds, written by plan -output json")
}

// Execute shows the plan and, where that is asked for and there is something to do, applies it and shows the report, which is nil otherwise. The
// error is [ErrPending] when there are changes that were only to be shown.
func (p *Printer) Execute(ctx context.Context, plan *lab.Plan, r Request) (*lab.Report, error) {
	p.Plan(plan)
	switch {
	case plan.Empty():
		return nil, nil
	case !r.Apply:
		return nil, ErrPending
	}
	if r.Reviewed != "" {
		reviewed, err := Reviewed(r.Reviewed)
		if err == nil {
			err = plan.Within(reviewed)
		}
		if err != nil {
			return nil, err
		}
	}
	o := &lab.ApplyOptions{Events: p.Event}
	for _, id := range r.Confirmed {
		o.Confirmed = append(o.Confirmed, lab.Confirm(id))
	}
	report, err := plan.Apply(ctx, o)
	p.Report(report)
	return report, err
}
