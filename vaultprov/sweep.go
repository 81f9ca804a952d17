package vaultprov

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// irrevocable is a lease that has ended, and whose credential could not be revoked.
type irrevocable struct {
	ID    string `json:"lease_id"`
	Error string `json:"error"`
}

// Sweep plans to revoke again the leases that have ended and could not be revoked, because the database was away, as
// after a power cut: Vault gives up after six tries, and the users stay in the database, and can log in until their
// VALID UNTIL. below is what their IDs begin with, such as "postgres/creds/erp"; empty means all. It is nothing but a
// plan until it is applied, and never removes a lease whose credential is still there.
//
// Users of which Vault knows nothing any more, after it was restored from a snapshot, are found in the database:
// pgprov's Server.Sweep drops those.
func (s *Server) Sweep(ctx context.Context, below string) (*lab.Plan, error) {
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	defer c.close()
	cluster, err := c.prove(ctx, "")
	if err != nil {
		return nil, err
	}
	left, err := c.irrevocable(ctx, below)
	if err != nil {
		return nil, err
	}
	step := lab.Step{Name: "leases"}
	for _, l := range left {
		step.Changes = append(step.Changes, lab.Change{ID: step.Name + "/" + l.ID, Action: lab.Delete,
			Cause: "it has ended, and could not be revoked: " + oneLine(l.Error)})
	}
	if len(left) == 0 {
		return lab.NewPlan()
	}
	step.Run = func(ctx context.Context, r *lab.Recorder) error {
		defer c.close()
		if _, err := c.prove(ctx, cluster); err != nil {
			return err
		}
		return c.revoke(ctx, r, step, below)
	}
	return lab.NewPlan(step)
}

// irrevocable returns the leases that could not be revoked.
func (c *client) irrevocable(ctx context.Context, below string) (left []irrevocable, err error) {
	var out struct {
		Leases []irrevocable `json:"leases"`
	}
	err = c.read(ctx, "sys/leases?type=irrevocable&limit=none", &out)
	for _, l := range out.Leases {
		if strings.HasPrefix(l.ID, below) {
			left = append(left, l)
		}
	}
	return left, err
}

// revoke revokes leases, each by itself.
func (c *client) revoke(ctx context.Context, r *lab.Recorder, step lab.Step, below string) error {
	now, err := c.irrevocable(ctx, below)
	if err != nil {
		return err
	}
	still := map[string]bool{}
	for _, l := range now {
		still[step.Name+"/"+l.ID] = true
	}
	var errs []error
	for _, change := range step.Changes {
		r.Start(change.ID)
		var err error
		if still[change.ID] { // otherwise somebody else has revoked it
			in := fields{"lease_id": strings.TrimPrefix(change.ID, step.Name+"/"), "sync": true}
			_, err = c.do(ctx, http.MethodPost, "sys/leases/revoke", in)
		}
		r.Done(change.ID, err)
		errs = append(errs, err)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return errors.Join(errs...)
}

// oneLine returns a text of several lines in one.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
