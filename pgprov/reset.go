package pgprov

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// Sandbox is an instance outside of production. There is no other way to make one than [SandboxOf],
// so that production cannot be reset.
type Sandbox struct{ instance lab.Instance }

// SandboxOf returns the instance as a sandbox. Production, and the zero instance, are refused
// ([lab.ErrRefused]).
func SandboxOf(i lab.Instance) (Sandbox, error) {
	if i.Env == "" || i.Env == lab.Prod {
		return Sandbox{}, &lab.Error{Op: "take as sandbox", Path: i.ID(), Hint: "name an environment",
			Err: kindf(lab.ErrRefused, "it is production")}
	}
	if err := lab.ValidateInstances([]lab.Instance{i}); err != nil {
		return Sandbox{}, err
	}
	return Sandbox{i}, nil
}

// Instance returns the instance.
func (s Sandbox) Instance() lab.Instance { return s.instance }

// ResetSpec says what is put into a sandbox's database.
type ResetSpec struct {
	Sandbox Sandbox
	File    string // a dump in pg_dump's custom format, such as [Server.Dump] makes

	// Programs is the directory of pg_restore, at least as new as the server; empty means that it is
	// looked for in PATH.
	Programs string
}

// Reset returns a plan that empties the database of a sandbox and fills it from a dump: everything
// that the owner role owns is dropped, and the dump restored as that role, in one transaction, so
// that a restore that fails leaves what was there. What the provisioner owns, user_lookup() and its
// schema, extensions and grants, is left alone, and left out of the restore.
//
// The server's user must be one of the sandbox's own, as Vault makes them. One who has power beyond
// it, a superuser or a member of another instance's owner role, is refused ([lab.ErrRefused]): that
// production is out of reach is then the database's word, not ours.
//
// Planning proves that the whole dump can be read, and fits. The change has [lab.RiskDataLoss]; it
// is refused while other users of the sandbox are connected. Afterwards every table of the dump
// must be there and the owner role's, and user_lookup() as it was.
func (s *Server) Reset(ctx context.Context, spec ResetSpec) (*lab.Plan, error) {
	i := spec.Sandbox.instance
	ps := s.validate()
	if _, err := SandboxOf(i); err != nil {
		ps.Add("sandbox", "none")
	}
	if spec.File == "" {
		ps.Add("file", "empty")
	}
	if err := s.invalid(ps); err != nil {
		return nil, err
	}
	c := s.client()
	o, err := c.connect(ctx, i.Database())
	if err != nil {
		return nil, err
	}
	defer o.close()
	t, err := o.tenant(ctx, i)
	if err != nil {
		return nil, err
	}
	if err := checkProgram(ctx, spec.Programs, "pg_restore", o.version/10000); err != nil {
		return nil, err
	}
	entries, err := readDump(ctx, spec.Programs, spec.File)
	if err != nil {
		return nil, err
	}
	tables := wantedTables(entries)
	if len(tables) == 0 {
		return nil, &lab.Error{Op: "plan reset", Target: stepOf(i), Path: spec.File, Hint: "make the dump again",
			Err: kindf(lab.ErrRefused, "the dump holds no table")}
	}
	if err := o.hasExtensions(ctx, i, entries); err != nil {
		return nil, err
	}
	reset := op{
		Change: lab.Change{ID: stepOf(i) + "/reset:" + i.Database(), Action: lab.Replace, Risk: lab.RiskDataLoss,
			Cause: fmt.Sprintf("the %d tables of %s are dropped, and %d restored from %s",
				t.Tables, i.OwnerRole(), len(tables), filepath.Base(spec.File))},
		Make: func(ctx context.Context, s *session) error { return s.reset(ctx, spec, tables) },
	}
	run := func(ctx context.Context, r *lab.Recorder) error {
		s, err := c.connect(ctx, i.Database())
		if err != nil {
			return err
		}
		defer s.close()
		return reconcile.Run(ctx, r, s, []op{reset})
	}
	return lab.NewPlan(lab.Step{Name: stepOf(i), Changes: []lab.Change{reset.Change}, Run: run})
}

// tenant describes the session's user, and refuses one that is not the sandbox's alone.
func (s *session) tenant(ctx context.Context, i lab.Instance) (t catalog.Tenant, err error) {
	answers, err := s.ask(ctx, query{catalog.TenantQuery, [][]string{{i.OwnerRole()}}})
	if err != nil {
		return t, err
	}
	ts, err := rows[catalog.Tenant](answers[0])
	if err != nil {
		return t, err
	}
	if len(ts) != 1 {
		return t, fmt.Errorf("the server described its user in %d rows", len(ts))
	}
	t = ts[0]
	e := &lab.Error{Op: "reset", Target: stepOf(i),
		Hint: "log in as a user of the sandbox: vault read postgres/creds/" + i.VaultDatabaseRole()}
	switch {
	case s.client.identity != "" && t.Identity != s.client.identity:
		place := catalog.Place{Identity: t.Identity, Database: t.Database}
		return t, s.client.elsewhere(s.database, []catalog.Place{place}, s.client.identity)
	case t.Database != i.Database():
		e.Err = kindf(lab.ErrRefused, "reached the database %q", t.Database)
	case t.Owner != i.OwnerRole():
		e.Err = kindf(lab.ErrRefused, "the database belongs to %q", t.Owner)
	case t.Powerful:
		e.Err = kindf(lab.ErrRefused, "%q has power beyond the sandbox", t.User)
	case !t.Member:
		e.Err = kindf(lab.ErrRefused, "%q is no member of %s", t.User, i.OwnerRole())
	case t.Others > 0:
		e.Err = kindf(lab.ErrRefused, "%q has rights on %d other databases", t.User, t.Others)
	case t.Sessions > 0:
		e.Hint = "scale the app to 0"
		e.Err = kindf(lab.ErrRefused, "%d other sessions of the sandbox are open", t.Sessions)
	default:
		if s.client.identity == "" {
			s.client.identity = t.Identity
		}
		return t, nil
	}
	return t, e
}

// hasExtensions reports extensions of the dump that the database lacks: the app cannot make them.
func (s *session) hasExtensions(ctx context.Context, i lab.Instance, entries []entry) error {
	answers, err := s.query(ctx, catalog.ExtensionsQuery)
	if err != nil {
		return err
	}
	have, err := rows[catalog.Name](answers[0])
	if err != nil {
		return err
	}
	var missing []string
	for _, e := range entries {
		if e.kind == "EXTENSION" && !slices.Contains(have, catalog.Name{Name: e.name}) {
			missing = append(missing, e.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &lab.Error{Op: "plan reset", Target: stepOf(i),
		Hint: "add them to the instance's extensions and provision it",
		Err:  kindf(lab.ErrNotFound, "the dump needs the extensions %s", strings.Join(missing, ", "))}
}

func wantedTables(entries []entry) (tables []catalog.Table) {
	for _, e := range entries {
		if e.kind == "TABLE" && e.restorable() {
			tables = append(tables, catalog.Table{Schema: e.schema, Name: e.name})
		}
	}
	return tables
}

func (s *session) reset(ctx context.Context, spec ResetSpec, tables []catalog.Table) error {
	i := spec.Sandbox.instance
	if _, err := s.tenant(ctx, i); err != nil {
		return err
	}
	before, err := s.provisioned(ctx)
	if err != nil {
		return err
	}
	entries, err := readDump(ctx, spec.Programs, spec.File)
	if err != nil {
		return err
	}
	if !slices.Equal(wantedTables(entries), tables) {
		return &lab.Error{Op: "reset", Target: stepOf(i), Path: spec.File, Hint: "plan again",
			Err: kindf(lab.ErrDrift, "the dump is not the one that was planned with")}
	}
	dir, err := newTempDir()
	if err != nil {
		return err
	}
	defer dir.remove()
	var list strings.Builder
	for _, e := range entries {
		if e.restorable() {
			list.WriteString(e.line + "\n")
		}
	}
	listFile := filepath.Join(dir.path, "list")
	if err := os.WriteFile(listFile, []byte(list.String()), 0o600); err != nil {
		return err
	}
	// pg_restore finds itself in a transaction that has dropped everything. Its own BEGIN changes
	// nothing, its COMMIT ends both, and when it fails there is none.
	prelude := "BEGIN; DROP OWNED BY " + ident(i.OwnerRole()) + " CASCADE"
	to := relayed{database: i.Database(), params: s.client.parameters(i.Database()), prelude: prelude}
	err = s.client.runRelayed(ctx, to, spec.Programs, "pg_restore", "--no-password", "--exit-on-error",
		"--single-transaction", "--no-owner", "--no-acl", "--role="+i.OwnerRole(), "--use-list="+listFile,
		"--dbname="+i.Database(), spec.File)
	if err != nil {
		return &lab.Error{Op: "reset", Target: stepOf(i), Hint: "the database is as it was; look at the dump", Err: err}
	}
	return s.verifyReset(ctx, i, tables, before)
}

// provisioned reads what a reset must leave alone.
func (s *session) provisioned(ctx context.Context) (*inside, error) {
	return s.readInside(ctx, s.client.identity, true)
}

func (s *session) verifyReset(ctx context.Context, i lab.Instance, tables []catalog.Table, before *inside) error {
	answers, err := s.query(ctx, catalog.TablesQuery)
	if err != nil {
		return err
	}
	have, err := rows[catalog.Table](answers[0])
	if err != nil {
		return err
	}
	after, err := s.provisioned(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range tables {
		t.Owner = i.OwnerRole()
		if !slices.Contains(have, t) {
			errs = append(errs,
				kindf(lab.ErrDrift, "the table %s.%s is missing, or not of %s", t.Schema, t.Name, t.Owner))
		}
	}
	if !reflect.DeepEqual(before, after) {
		errs = append(errs, kindf(lab.ErrDrift, "user_lookup(), its schema or the extensions are not as before"))
	}
	if len(errs) == 0 {
		return nil
	}
	return &lab.Error{Op: "verify reset", Target: stepOf(i), Hint: "provision the instance again, and look at the dump",
		Err: errors.Join(errs...)}
}
