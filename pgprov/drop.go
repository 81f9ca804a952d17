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
// is connected to one of the databases, or connected anywhere as a user of one of the roles. The diff
// of each change names what goes with the database or the role: tables, replication slots,
// publications, members. What forbids the drop, such as a subscription, is an [lab.ErrBlocked] that
// names it. A drop that was cut off is continued by the next.
func (s *Server) Drop(ctx context.Context, spec DropSpec) (*lab.Plan, error) {
	ps := s.validate()
	sc := scope{settings: true}
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
	companions, err := conn.companions(ctx, sc, seen)
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
		if err := companions.blocks(i.Database(), s.target()); err != nil {
			return nil, err
		}
		ops := dropOps(i, exists, hasRole, dump)
		companions.show(i, ops)
		if planned := reconcile.Changes(ops); len(planned) > 0 {
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

// companions are what goes with databases and roles, as lines, by the name of each.
type companions struct {
	databases, roles map[string][]string
	blocking         map[string][]catalog.Companion
}

// companions looks for what goes with the databases and roles of a drop, over a session of its own in
// each database.
func (s *session) companions(ctx context.Context, sc scope, seen *observed) (*companions, error) {
	c := &companions{databases: map[string][]string{}, roles: map[string][]string{},
		blocking: map[string][]catalog.Companion{}}
	take := func(v catalog.Companion) {
		c.databases[v.Database] = append(c.databases[v.Database], v.Kind+" "+v.Name)
		if v.Blocks {
			c.blocking[v.Database] = append(c.blocking[v.Database], v)
		}
	}
	r := &reading{}
	want(r, query{catalog.CompanionsQuery, [][]string{sc.databases}}, take)
	want(r, query{catalog.HoldingsQuery, [][]string{sc.roles}}, func(h catalog.Holding) {
		if h.Database != "" && !slices.Contains(sc.databases, h.Database) {
			line := fmt.Sprintf("what it owns in %s, which %s gets", h.Database, h.Owner)
			c.roles[h.Role] = append(c.roles[h.Role], line)
		}
	})
	want(r, query{catalog.MembershipsQuery(s.version), [][]string{sc.roles}}, func(m catalog.MembershipRow) {
		if slices.Contains(sc.roles, m.Role) {
			c.roles[m.Role] = append(c.roles[m.Role], "member "+m.Member)
		}
		if slices.Contains(sc.roles, m.Member) {
			c.roles[m.Member] = append(c.roles[m.Member], "membership in "+m.Role)
		}
	})
	if err := s.read(ctx, r); err != nil {
		return nil, err
	}
	for _, name := range sc.databases {
		if d, ok := seen.databases[name]; !ok || !d.AllowConnections || d.ConnectionLimit == -2 {
			continue
		}
		inside, err := s.client.beside(ctx, name)
		if err != nil {
			c.databases[name] = append(c.databases[name], "what could not be looked at: "+err.Error())
			continue
		}
		r := &reading{}
		want(r, query{catalog.ContentsQuery, nil}, take)
		err = inside.read(ctx, r)
		inside.close()
		if err != nil {
			return nil, err
		}
	}
	for _, lines := range c.roles {
		slices.Sort(lines)
	}
	return c, nil
}

// show puts what goes with a database and its owner role into the diffs of the ops that drop them.
func (c *companions) show(i lab.Instance, ops []op) {
	for n, o := range ops {
		lines := slices.Compact(c.databases[i.Database()])
		if o.ID == stepOf(i)+"/role:"+i.OwnerRole() {
			lines = slices.Compact(c.roles[i.OwnerRole()])
		}
		if o.Action == lab.Delete {
			ops[n].Diff = lab.Diff(o.ID[strings.LastIndex(o.ID, "/")+1:], text(lines), nil)
		}
	}
}

// blocks returns what forbids to drop a database, as an error.
func (c *companions) blocks(database, target string) error {
	var names, hints []string
	for _, v := range c.blocking[database] {
		names = append(names, v.Kind+" "+v.Name)
		hint := map[string]string{
			"replication slot":     "stop who reads the slot, or SELECT pg_drop_replication_slot(" + literal(v.Name) + ")",
			"subscription":         "in " + database + ": DROP SUBSCRIPTION " + ident(v.Name),
			"prepared transaction": "in " + database + ": ROLLBACK PREPARED " + literal(v.Name),
		}[v.Kind]
		hints = append(hints, hint)
	}
	if len(names) == 0 {
		return nil
	}
	return &lab.Error{Op: "plan drop", Target: target, Path: database, Hint: strings.Join(hints, "; "),
		Err: kindf(lab.ErrBlocked, "PostgreSQL does not drop it while there is the %s", strings.Join(names, ", the "))}
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
