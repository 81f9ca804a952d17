package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Request says what to do with a plan: show it, or apply it too.
type Request struct {
	Apply     bool     // apply the plan; otherwise it is only shown
	Yes       bool     // apply it without asking
	Reviewed  string   // file of a reviewed plan: no change is made that it does not have; empty means that there is none
	Confirmed []string // IDs of changes that may lose data

	terminal *Terminal // where to ask; nil when there is none
}

// Flags defines the flags of a request to apply a plan. A command that applies without asking needs
// one of --yes and --plan; otherwise it asks on the terminal, which must be there.
func (r *Request) Flags(c *cobra.Command) {
	flags := c.Flags()
	flags.StringArrayVar(&r.Confirmed, "confirm", nil,
		"the `ID` of a change that may lose data, to confirm it (may be repeated)")
	flags.StringVar(&r.Reviewed, "plan", "",
		"apply only the changes of this reviewed plan `file`, the output of plan --output json or lab plan --out, "+
			"without asking")
	flags.BoolVarP(&r.Yes, "yes", "y", false, "apply without asking")
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if OptionsOf(c).JSON {
			r.terminal = nil // a person would not see what is asked about
		} else {
			r.terminal = TerminalOf(c)
		}
		return r.check()
	}
}

// Asks reports whether a person is asked before the plan is applied.
func (r *Request) Asks() bool { return r.Apply && !r.Yes && r.Reviewed == "" }

// check returns a usage error if somebody must be asked, and nobody can be.
func (r *Request) check() error {
	if r.Asks() && r.terminal == nil {
		return Usage("without a terminal to ask on, applying needs --yes or --plan FILE")
	}
	return nil
}

// Terminal is where a person is asked. It is not nil when [Request.Asks] is true.
func (r *Request) Terminal() *Terminal { return r.terminal }

// Execute shows the plan. If requested, agreed to and not empty, it applies the plan too, and shows
// and returns the report, which is nil otherwise. The error is [ErrPending] if the plan has changes
// and is only shown.
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
	if err := r.agree(ctx, plan); err != nil {
		return nil, err
	}
	o := &lab.ApplyOptions{Events: p.Event}
	for _, id := range r.Confirmed {
		o.Confirmed = append(o.Confirmed, lab.Confirm(id))
	}
	report, err := plan.Apply(ctx, o)
	p.Report(report)
	return report, err
}

// agree asks whether the plan may be applied, if somebody must be asked.
func (r *Request) agree(ctx context.Context, plan *lab.Plan) error {
	if err := r.check(); err != nil || !r.Asks() {
		return err
	}
	agrees, err := r.terminal.Agrees(ctx, "Apply "+Changes(plan.Changes())+"?")
	if err == nil && !agrees {
		err = NotAgreed()
	}
	return err
}

// NotAgreed is the error of an apply that a person did not agree to.
func NotAgreed() error {
	return &lab.Error{Op: "apply", Err: fmt.Errorf("%w: you did not agree; nothing was changed", lab.ErrRefused)}
}

// Changes says how many changes there are, and how many of each risk: "3 changes (1 with risk
// restart)".
func Changes(changes []lab.Change) string {
	text := fmt.Sprintf("%d changes", len(changes))
	if len(changes) == 1 {
		text = "1 change"
	}
	risks := ""
	for risk := lab.RiskDataLoss; risk > lab.RiskNone; risk-- {
		n := 0
		for _, c := range changes {
			if c.Risk == risk {
				n++
			}
		}
		if n > 0 {
			if risks != "" {
				risks += ", "
			}
			risks += fmt.Sprintf("%d with risk %s", n, risk)
		}
	}
	if risks != "" {
		text += " (" + risks + ")"
	}
	return text
}
