package pipeline

import (
	"context"
	"errors"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Secrets returns the Plan of a stage that takes secrets from a keyring of the sink. Those that are
// new are kept before anything of the stage's plan is done. A selection may be about them alone.
func Secrets(sink lab.Sink, plan func(context.Context, *Selection, *lab.Keyring) (*lab.Plan, error)) Planner {
	return func(ctx context.Context, only *Selection) (*lab.Plan, error) {
		k := &lab.Keyring{Sink: sink}
		p, err := plan(ctx, only, k)
		whole := len(only.globs) == 0
		selected := only.Reaches(k.IDs()...) && !whole
		var left LeftOut
		switch {
		case p != nil && (whole || !p.Empty()):
			p, joined := k.Plan(p)
			return p, errors.Join(err, joined)
		case selected && (p != nil || errors.As(err, &left)): // the secrets alone
			if p, err = k.Plan(nil); err == nil {
				p, err = p.Only(only.globs...)
			}
		}
		return p, err
	}
}
