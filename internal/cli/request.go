package cli

import (
	"context"

	"github.com/spf13/pflag"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Request says what to do with a plan: show it, or apply it too.
type Request struct {
	Apply     bool     // apply the plan; otherwise it is only shown
	Reviewed  string   // file of a reviewed plan: no change is made that it does not have; empty means that there is none
	Confirmed []string // IDs of changes that may lose data
}

// Flags defines the flags of a request to apply a plan.
func (r *Request) Flags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&r.Confirmed, "confirm", nil,
		"the `ID` of a change that may lose data, to confirm it (may be repeated)")
	flags.StringVar(&r.Reviewed, "plan", "",
		"apply only the changes of this reviewed plan `file`, the output of plan --output json")
}

// Execute shows the plan. If requested and not empty, it applies the plan too, and shows and
// returns the report, which is nil otherwise. The error is [ErrPending] if the plan has changes and
// is only shown.
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
