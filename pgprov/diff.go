package pgprov

import (
	"context"
	"errors"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// op is a change with what makes it, over a session in the database that it is about.
type op = reconcile.Op[*session]

// statements makes a change by statements that are sent at once.
func statements(sql ...string) func(context.Context, *session) error {
	return func(ctx context.Context, s *session) error {
		_, err := s.query(ctx, sql...)
		return err
	}
}

// stepShared is the name of the step that makes what all instances share.
const stepShared = "pg"

func stepOf(i lab.Instance) string { return stepShared + "/" + i.Database() }

// update returns the op that turns the lines before into the lines after, or nil when they are equal.
func update(id, cause string, before, after []string, stmts ...string) []op {
	diff := lab.Diff(id[strings.LastIndex(id, "/")+1:], text(before), text(after))
	if diff == "" {
		return nil
	}
	change := lab.Change{ID: id, Action: lab.Update, Cause: cause, Diff: diff}
	return []op{{Change: change, Make: statements(stmts...)}}
}

func create(id string, after []string, stmts ...string) []op {
	diff := lab.Diff(id[strings.LastIndex(id, "/")+1:], nil, text(after))
	change := lab.Change{ID: id, Action: lab.Create, Cause: "not found", Diff: diff}
	return []op{{Change: change, Make: statements(stmts...)}}
}

func text(lines []string) []byte {
	if len(lines) == 0 {
		return nil
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// diffShared returns what the shared roles lack.
func (s *Spec) diffShared(seen *observed) (ops []op, err error) {
	editor := catalog.Role{Name: s.editor(), Login: true, CreateRole: true, ConnectionLimit: -1}
	pooler := catalog.Role{Name: s.pooler(), Login: true, ConnectionLimit: -1}
	if s.EditorEndsSessions && seen.server.Version < 160000 {
		err = &lab.Error{Op: "plan", Path: s.editor(), Hint: "upgrade to PostgreSQL 16 or later, or leave it out",
			Err: kindf(lab.ErrRefused, "on PostgreSQL 15 a role inherits all of its memberships or none, "+
				"so the editor cannot be let end sessions alone")}
	}
	ops = append(ops, diffRole(stepShared, editor, s.Editor.Password, seen)...)
	ops = append(ops, diffRole(stepShared, pooler, s.Pooler.Password, seen)...)
	if s.EditorEndsSessions {
		ops = append(ops, diffMembership(stepShared, signalRole, s.editor(), &options{inherit: true}, seen)...)
	}
	return append(ops, s.diffSharedReach(seen)...), err
}

// diffInstance returns what an instance lacks. in is what was read in its database; nil when that
// does not exist.
func (s *Spec) diffInstance(i Instance, seen *observed, in *inside) ([]op, error) {
	step, owner := stepOf(i.Instance), i.OwnerRole()
	var errs []error
	ops := diffRole(step, catalog.Role{Name: owner, Inherit: true, ConnectionLimit: -1}, lab.Secret{}, seen)
	database, err := s.diffDatabase(i, seen)
	ops, errs = append(ops, database...), append(errs, err)
	revoked, err := s.diffReach(i, seen) // first, so that no circle forbids the next
	ops, errs = append(ops, revoked...), append(errs, err)
	ops = append(ops, diffMembership(step, owner, s.editor(), &options{admin: true}, seen)...)
	ops = append(ops, s.diffConnect(i, seen)...)
	for _, role := range i.Connect {
		if _, ok := seen.roles[role]; !ok {
			errs = append(errs, &lab.Error{Op: "plan", Target: step, Path: role,
				Hint: "create the role, or leave it out", Err: kindf(lab.ErrNotFound, "the role that is to connect")})
		}
	}
	if in == nil {
		in = &inside{}
	}
	extensions, err := diffExtensions(i, seen, in)
	ops, errs = append(ops, extensions...), append(errs, err)
	ops = append(ops, s.diffSchema(step, seen, in)...)
	ops = append(ops, s.diffLookup(i, seen, in)...)
	for _, fn := range in.functions {
		ops = append(ops, s.diffOther(step, seen, fn)...)
	}
	// what is done in the database comes after it, and that after its owner
	var before []string
	for n := range ops {
		ops[n].After = slices.Clone(before)
		if early(i.Instance, ops[n].Change) {
			before = []string{ops[n].ID}
		}
	}
	return ops, errors.Join(errs...)
}

// early reports whether the change is made outside of the database, before that exists: of its
// owner role, and of itself.
func early(i lab.Instance, c lab.Change) bool {
	return c.Action == lab.Create && (c.ID == stepOf(i)+"/role:"+i.OwnerRole() || c.ID == databaseID(i))
}

func databaseID(i lab.Instance) string { return stepOf(i) + "/database:" + i.Database() }
