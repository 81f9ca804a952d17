package pgprov

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// DropSpec says what is to be dropped.
type DropSpec struct {
	Instances []lab.Instance // whose databases and owner roles are dropped
	Dump      *Dump          // makes a dump of each database first; nil makes none
}

// Drop returns a plan that drops the databases of instances, a dump first when one is asked for,
// and then their owner roles, after giving what these own in any other database to the owner of
// that. It is the only way to lose data here: each database is a change with [lab.RiskDataLoss],
// which Apply does not make without its confirmation. It refuses ([lab.ErrRefused]) while anybody
// is connected to one of the databases, or connected anywhere as a user of one of the roles. A drop
// that was cut off is continued by the next.
func (s *Server) Drop(ctx context.Context, spec DropSpec) (*lab.Plan, error) {
	ps := s.validate()
	var sc scope
	for n, i := range spec.Instances {
		if slices.Contains(reserved, i.Database()) || i.Database() == s.database() || i.OwnerRole() == s.user() {
			ps.Add(fmt.Sprintf("instances[%d]", n), "%s cannot be dropped", i)
		}
		sc.databases = append(sc.databases, i.Database())
		sc.roles = append(sc.roles, i.OwnerRole())
	}
	if err := lab.ValidateInstances(spec.Instances); err != nil {
		ps.Add("instances", "%v", err)
	}
	ps = append(ps, spec.Dump.validate()...)
	if err := s.invalid(ps); err != nil {
		return nil, err
	}
	c := s.client()
	conn, err := c.connect(ctx, s.database())
	if err != nil {
		return nil, err
	}
	defer conn.close()
	seen, err := conn.observe(ctx, sc, true)
	if err != nil {
		return nil, err
	}
	var steps []lab.Step
	for _, i := range spec.Instances {
		if err := conn.idle(ctx, i); err != nil {
			return nil, err
		}
		d, exists := seen.databases[i.Database()]
		r, hasRole := seen.roles[i.OwnerRole()]
		if hasRole && (r.Superuser || r.Login) {
			return nil, &lab.Error{Op: "plan drop", Target: s.target(), Path: r.Name,
				Hint: "look at what it is used for", Err: kindf(lab.ErrRefused,
					"it is no owner role: it logs in, or is a superuser")}
		}
		if exists && d.Owner != i.OwnerRole() {
			return nil, &lab.Error{Op: "plan drop", Target: s.target(), Path: d.Name, Hint: "look at whose it is",
				Err: kindf(lab.ErrRefused, "it belongs to %q, not to %q", d.Owner, i.OwnerRole())}
		}
		dump := spec.Dump
		// its DROP DATABASE was cut off: nobody can connect any more, and the dump was made before
		if d.ConnectionLimit == -2 {
			dump = nil
		}
		if planned := reconcile.Changes(dropOps(i, exists, hasRole, dump)); len(planned) > 0 {
			run := func(ctx context.Context, r *lab.Recorder) error { return c.drop(ctx, r, i, planned, dump) }
			steps = append(steps, lab.Step{Name: stepOf(i), Changes: planned, Run: run})
		}
	}
	return lab.NewPlan(steps...)
}

// dropOps returns what drops an instance, each op after the one before.
func dropOps(i lab.Instance, database, role bool, dump *Dump) (ops []op) {
	add := func(name string, c lab.Change, how func(context.Context, *session) error) {
		c.ID = stepOf(i) + "/" + name
		if len(ops) > 0 {
			c.After = []string{ops[len(ops)-1].ID}
		}
		ops = append(ops, op{Change: c, Make: how})
	}
	if database && dump != nil {
		add("dump:"+i.Database(), lab.Change{Action: lab.Run, Cause: "before it is dropped, into " + dump.Dir},
			func(ctx context.Context, s *session) error {
				_, err := dump.database(ctx, s.client, i.Database())
				return err
			})
	}
	if database {
		add("database:"+i.Database(), lab.Change{Action: lab.Delete, Cause: "asked for", Risk: lab.RiskDataLoss},
			statements("DROP DATABASE IF EXISTS "+ident(i.Database())))
	}
	if role {
		add("role:"+i.OwnerRole(), lab.Change{Action: lab.Delete, Cause: "asked for"},
			func(ctx context.Context, s *session) error { return s.dropRole(ctx, i.OwnerRole()) })
	}
	return ops
}

// idle refuses when somebody uses the instance.
func (s *session) idle(ctx context.Context, i lab.Instance) error {
	answers, err := s.ask(ctx, query{catalog.SessionsQuery, [][]string{{i.Database()}, {i.OwnerRole()}}})
	if err != nil {
		return err
	}
	sessions, err := rows[catalog.Session](answers[0])
	if err != nil || len(sessions) == 0 {
		return err
	}
	var who []string
	for _, o := range sessions {
		application := cmp.Or(o.Application, "unnamed")
		who = append(who, fmt.Sprintf("%d of %q at %q (%s)", o.Count, o.User, o.Database, application))
	}
	return &lab.Error{Op: "plan drop", Target: s.client.server.target(), Path: i.Database(),
		Hint: "stop the app and its pooler",
		Err:  kindf(lab.ErrRefused, "sessions are open: %s", strings.Join(who, ", "))}
}

func (c *client) drop(ctx context.Context, r *lab.Recorder, i lab.Instance, planned []lab.Change, dump *Dump) error {
	s, err := c.connect(ctx, c.server.database())
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.lock(ctx, r, i.Database()); err != nil {
		return err
	}
	seen, err := s.observe(ctx, scope{databases: []string{i.Database()}, roles: []string{i.OwnerRole()}}, true)
	if err != nil {
		return err
	}
	if err := s.idle(ctx, i); err != nil {
		return err
	}
	d, exists := seen.databases[i.Database()]
	if exists && d.Owner != i.OwnerRole() {
		return &lab.Error{Op: "drop", Target: stepOf(i),
			Err: kindf(lab.ErrDrift, "the database has another owner by now: %q", d.Owner)}
	}
	_, hasRole := seen.roles[i.OwnerRole()]
	return reconcile.Run(ctx, r, s, reconcile.Match(r, planned, dropOps(i, exists, hasRole, dump)))
}
