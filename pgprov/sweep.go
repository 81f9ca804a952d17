package pgprov

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// SweepSpec says which short-lived users are orphans.
type SweepSpec struct {
	Prefix string        // how their names begin, at least two characters; empty means "v-"
	Grace  time.Duration // how long ago they must have expired; 0 means 24 hours
}

const (
	stepSweep    = "pg/sweep"
	defaultGrace = 24 * time.Hour
)

func (w SweepSpec) prefix() string { return cmp.Or(w.Prefix, DefaultDynamicPrefix) }

func (w SweepSpec) grace() string {
	if w.Grace == 0 {
		w.Grace = defaultGrace
	}
	return strconv.FormatFloat(w.Grace.Seconds(), 'f', -1, 64)
}

// Sweep returns a plan that drops the users that Vault made and, having lost their lease, will not
// drop: those with the prefix that log in, may nothing by themselves, expired longer than the grace
// ago, and have no session. What they own is given to the owner of the database it is in, and what
// they were granted is revoked. Apply observes again: a user that was renewed meanwhile is left.
func (s *Server) Sweep(ctx context.Context, spec SweepSpec) (*lab.Plan, error) {
	ps := s.validate()
	if len(spec.prefix()) < 2 {
		ps.Add("prefix", "a single character fits too many names")
	}
	if spec.Grace < 0 {
		ps.Add("grace", "%s is negative", spec.Grace)
	}
	if err := s.invalid(ps); err != nil {
		return nil, err
	}
	c := s.client()
	conn, err := c.connect(ctx, s.database())
	if err != nil {
		return nil, err
	}
	defer conn.close()
	found, _, err := conn.findExpired(ctx, spec)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return lab.NewPlan()
	}
	planned := reconcile.Changes(found)
	run := func(ctx context.Context, r *lab.Recorder) error { return c.sweep(ctx, r, spec, planned) }
	return lab.NewPlan(lab.Step{Name: stepSweep, Changes: planned, Run: run})
}

// findExpired returns what drops the orphans, and the IDs of the changes of those that have a session.
func (s *session) findExpired(ctx context.Context, spec SweepSpec) (found []op, busy []string, err error) {
	if _, err := s.observe(ctx, scope{settings: true}, true); err != nil {
		return nil, nil, err
	}
	answers, err := s.ask(ctx, query{catalog.ExpiredQuery, [][]string{{spec.prefix()}, {spec.grace()}}})
	if err != nil {
		return nil, nil, err
	}
	expired, err := rows[catalog.Expired](answers[0])
	if err != nil {
		return nil, nil, err
	}
	for _, e := range expired {
		id := stepSweep + "/role:" + e.Name
		if e.Sessions > 0 {
			busy = append(busy, id)
			continue
		}
		found = append(found, op{
			Change: lab.Change{ID: id, Action: lab.Delete, Cause: "expired " + e.ValidUntil + ", and has no session"},
			Make:   func(ctx context.Context, s *session) error { return s.dropRole(ctx, e.Name) },
		})
	}
	return found, busy, nil
}

func (c *client) sweep(ctx context.Context, r *lab.Recorder, spec SweepSpec, planned []lab.Change) error {
	s, err := c.connect(ctx, c.server.database())
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.lock(ctx, r, stepSweep); err != nil {
		return err
	}
	found, busy, err := s.findExpired(ctx, spec)
	if err != nil {
		return err
	}
	for _, p := range planned {
		switch {
		case slices.Contains(busy, p.ID):
			r.Skip(p.ID, "it has a session")
		case !slices.ContainsFunc(found, func(o op) bool { return o.ID == p.ID }):
			r.Note(p.ID + ": the user was dropped or renewed meanwhile")
		}
	}
	return reconcile.Run(ctx, r, s, reconcile.Match(r, planned, found))
}

// dropRole drops a role. What it owns in a database is given to that database's owner, or to who is
// logged in where that is the role itself; what it was granted is revoked. The session must be in a
// database that the role does not own.
func (s *session) dropRole(ctx context.Context, role string) error {
	answers, err := s.ask(ctx, query{catalog.HoldingsQuery, [][]string{{role}}})
	if err != nil {
		return err
	}
	holdings, err := rows[catalog.Holding](answers[0])
	if err != nil {
		return err
	}
	for _, h := range holdings {
		if h.Database == "" || h.Database == s.database {
			continue
		}
		o, err := s.client.beside(ctx, h.Database)
		if err != nil {
			return err
		}
		err = o.disown(ctx, role, h.Owner)
		o.close()
		if err != nil {
			return err
		}
	}
	if len(holdings) > 0 {
		if err := s.disown(ctx, role, ""); err != nil {
			return errors.Join(err, s.exec(ctx, "ROLLBACK")) // the next role is dropped over the same connection
		}
	}
	return s.exec(ctx, "DROP ROLE IF EXISTS "+ident(role))
}

// disown leaves a role nothing in the session's database, all or none: what it owns is given to
// another, and what it was granted is revoked, by whoever granted it.
func (s *session) disown(ctx context.Context, role, to string) error {
	heir := "CURRENT_USER"
	if to != "" && to != role {
		heir = ident(to)
	}
	reassign := fmt.Sprintf("REASSIGN OWNED BY %s TO %s", ident(role), heir)
	if _, err := s.query(ctx, "BEGIN", reassign, "DROP OWNED BY "+ident(role)); err != nil {
		return err
	}
	var revokes []string
	r := &reading{}
	want(r, query{catalog.LeftGrantsQuery, [][]string{{role}}}, func(g catalog.LeftGrant) {
		revokes = append(revokes, "SET ROLE "+ident(g.Grantor), g.Statement)
	})
	if err := s.read(ctx, r); err != nil {
		return err
	}
	_, err := s.query(ctx, append(revokes, "SET ROLE NONE", "COMMIT")...)
	return err
}
