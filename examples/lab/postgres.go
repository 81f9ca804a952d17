package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/pgtest"
)

// PostgresConfig is the database server of the apps. Every instance of every app gets its database
// there.
type PostgresConfig struct {
	Host string `yaml:"host,required"` // a name or an address
	Port int    `yaml:"port"`          // 0 means 5432
	User string `yaml:"user"`          // a superuser; empty means postgres

	// Password is a reference to the superuser's password; empty means the one that the stack of
	// 02_setup was made with.
	Password lab.SecretRef `yaml:"password"`

	// EditorPassword is a reference to the password of credentials_editor, whom Vault logs in as;
	// empty means one that is made once, beside those of the stacks.
	EditorPassword lab.SecretRef `yaml:"editorPassword"`

	// PoolerPassword is a reference to the password of pgbouncer_auth; empty means the same.
	PoolerPassword lab.SecretRef `yaml:"poolerPassword"`

	Identity  string `yaml:"identity"`  // the system identifier that the server must prove; empty means any
	AllowPG15 bool   `yaml:"allowPG15"` // accept PostgreSQL 15, where the editor can take over the server
}

// database is a PostgreSQL server and what it must hold.
type database struct {
	server pgprov.Server
	spec   pgprov.Spec

	// secrets fills in the passwords that are not there before a stage is planned; nil when they are.
	secrets func(context.Context, *lab.Keyring) error

	about string // what the sandbox runs, for people; empty for a real one
	close func() error
}

// server returns the database server of the apps, without its password, and with no boundary.
func (c *PostgresConfig) server() pgprov.Server {
	return pgprov.Server{Host: c.Host, Port: c.Port, User: c.User, Identity: c.Identity}
}

// databaseSpec returns what the server must hold, without the passwords.
func (l *Lab) databaseSpec() pgprov.Spec {
	return pgprov.Spec{Instances: l.databases(), AllowPG15: l.Postgres.AllowPG15}
}

// databaseProblems returns what is wrong with the databases of the apps, at places in the document.
func (l *Lab) databaseProblems() (ps lab.Problems) {
	c := l.Postgres
	server, spec := c.server(), l.databaseSpec()
	ps = append(ps, problemsOf(server.Validate()).Under("postgres")...)
	for _, p := range problemsOf(spec.Validate()) {
		if path, ok := strings.CutPrefix(p.Path, "instances"); ok {
			if p.Path = path; strings.HasSuffix(path, ".app") || strings.HasSuffix(path, ".env") {
				continue // the name of an app, which is reported with the apps
			}
			ps = append(ps, l.ofApps(lab.Problems{p})...)
		} else {
			ps = append(ps, lab.Problems{p}.Under("postgres")...)
		}
	}
	ps = append(ps, l.databaseBoundary()...)
	if l.Stacks == nil || l.Stacks.Postgres == nil {
		return append(ps, c.missing()...)
	}
	return append(ps, c.elsewhere(l.Stacks.Postgres)...)
}

// missing returns the passwords that are nowhere without a stack that is made with them.
func (c *PostgresConfig) missing() (ps lab.Problems) {
	for _, f := range c.passwords() {
		if f.ref.IsZero() {
			ps = append(ps, lab.Problem{Path: f.path, Message: "is missing",
				Hint: `a reference such as "file:~/.arcodange/postgres"; without one, the stacks must have a postgres`})
		}
	}
	return ps
}

// elsewhere returns why a server that is logged in to with the stack's password cannot be the stack's.
func (c *PostgresConfig) elsewhere(st *PostgresStack) (ps lab.Problems) {
	if !c.Password.IsZero() {
		return nil
	}
	if st.Listen == "" {
		return lab.Problems{{Path: "postgres.host", Text: c.Host,
			Message: "is the server of stacks.postgres, whose password is used, and that publishes no port",
			Hint:    "write where it listens, stacks.postgres.listen: IP:5432"}}
	}
	there, err := netip.ParseAddrPort(st.Listen)
	if err != nil || there.Addr().IsUnspecified() {
		return nil // reported with the stack
	}
	const message = "is not where stacks.postgres listens, whose password is used"
	const hint = "write %s, or the password of another server"
	if ip, err := netip.ParseAddr(c.Host); err == nil && ip.Unmap() != there.Addr().Unmap() {
		ps = append(ps, lab.Problem{Path: "postgres.host", Text: c.Host, Message: message,
			Hint: fmt.Sprintf(hint, there.Addr())})
	}
	if port := cmp.Or(c.Port, 5432); port != int(there.Port()) {
		ps = append(ps, lab.Problem{Path: "postgres.port", Text: strconv.Itoa(port), Message: message,
			Hint: fmt.Sprintf(hint, strconv.Itoa(int(there.Port())))})
	}
	return ps
}

// secretField is a reference to a secret, and the field that holds it.
type secretField struct {
	path string
	ref  lab.SecretRef
}

// passwords returns the references to passwords by the fields that hold them.
func (c *PostgresConfig) passwords() []secretField {
	return []secretField{{"postgres.password", c.Password}, {"postgres.editorPassword", c.EditorPassword},
		{"postgres.poolerPassword", c.PoolerPassword}}
}

// database returns the server of the config. It is nil when there is none.
func (l *Lab) database(stacks *stackSource) (*database, error) {
	c := l.Postgres
	if c == nil {
		return nil, nil
	}
	d := &database{server: c.server(), spec: l.databaseSpec(), close: func() error { return nil }}
	d.server.Boundary = l.boundary()
	d.secrets = func(ctx context.Context, k *lab.Keyring) error {
		var errs []error
		secret := func(r lab.SecretRef, otherwise func() (lab.Secret, error)) lab.Secret {
			v, err := r.Resolve(os.LookupEnv, l.dir.ReadFile)
			if r.IsZero() {
				v, err = otherwise()
			}
			errs = append(errs, err)
			return v
		}
		// the server is made with it: a new one would not let us in
		d.server.Password = secret(c.Password,
			func() (lab.Secret, error) { return stacks.sink.Get(ctx, superuserSecret) })
		var err error
		d.spec.Editor.Password, err = c.editorPassword(ctx, k, l.dir.ReadFile)
		errs = append(errs, err)
		d.spec.Pooler.Password, err = c.poolerPassword(ctx, k, l.dir.ReadFile)
		errs = append(errs, err)
		return errors.Join(errs...)
	}
	return d, nil
}

// editorPassword returns the password of credentials_editor.
func (c *PostgresConfig) editorPassword(
	ctx context.Context, k *lab.Keyring, file func(string) ([]byte, error),
) (lab.Secret, error) {
	if c.EditorPassword.IsZero() {
		return k.Secret(ctx, "credentials-editor", nil)
	}
	return c.EditorPassword.Resolve(os.LookupEnv, file)
}

// poolerPassword returns the password of pgbouncer_auth.
func (c *PostgresConfig) poolerPassword(
	ctx context.Context, k *lab.Keyring, file func(string) ([]byte, error),
) (lab.Secret, error) {
	if c.PoolerPassword.IsZero() {
		return k.Secret(ctx, "pgbouncer-auth", nil)
	}
	return c.PoolerPassword.Resolve(os.LookupEnv, file)
}

// databases returns what every instance's database must be.
func (l *Lab) databases() (out []pgprov.Instance) {
	for _, i := range l.Instances {
		out = append(out, pgprov.Instance{Instance: i})
	}
	return out
}

// plan plans the databases that are selected. The server is not reached when none is.
func (d *database) plan(ctx context.Context, only *pipeline.Selection, k *lab.Keyring) (*lab.Plan, error) {
	if !only.Reaches(d.ids()...) {
		return nil, pipeline.LeftOut("nothing of it is selected")
	}
	if d.secrets != nil {
		if err := d.secrets(ctx, k); err != nil {
			return nil, err
		}
	}
	plan, failed := d.server.Plan(ctx, d.spec) // of the other databases, beside the errors of some
	if plan == nil {
		return nil, failed
	}
	plan, err := plan.Only(only.Globs()...)
	return plan, errors.Join(failed, err)
}

// ids returns the IDs of all changes that may ever be made, by themselves and as plans have them.
func (d *database) ids() (ids []string) {
	editor, pooler := pgprov.DefaultEditor, pgprov.DefaultPooler
	add := func(step string, names ...string) {
		for _, name := range names {
			ids = append(ids, name, step+"/"+name)
		}
	}
	add("pg", "role:"+editor, "role:"+pooler)
	for _, i := range d.spec.Instances {
		owner := i.OwnerRole()
		add("pg/"+i.Database(), "role:"+owner, "database:"+i.Database(), "grant:"+owner+":"+editor,
			"grants:"+i.Database(), "schema:pgbouncer", "function:pgbouncer.user_lookup(text)")
	}
	return ids
}

// sandboxDatabase starts a PostgreSQL server for this run: a real one where one is installed,
// otherwise that of package pgtest.
func (l *Lab) sandboxDatabase(ctx context.Context) (*database, error) {
	random := func() lab.Secret { return lab.NewSecret(rand.Text()) }
	d := &database{spec: pgprov.Spec{
		Editor: pgprov.Login{Password: random()}, Pooler: pgprov.Login{Password: random()}, Instances: l.databases(),
	}}
	pg, err := startPostgres(ctx)
	if err == nil {
		d.server, d.about, d.close = pg.server(), fmt.Sprintf("PostgreSQL %d, started for this run", pg.major), pg.close
		d.spec.AllowPG15 = pg.major == 15 // there is nothing in it that it could put at risk
		return d, nil
	}
	if ctx.Err() != nil {
		return nil, &lab.Error{Op: "start PostgreSQL", Err: context.Cause(ctx)}
	}
	d.about = "a PostgreSQL server of this process, since none is installed"
	if !errors.Is(err, lab.ErrNotFound) {
		d.about = fmt.Sprintf("a PostgreSQL server of this process, since the installed one did not start: %v", err)
	}
	s, err := pgtest.Start(pgtest.Config{})
	if err != nil {
		return nil, err
	}
	d.server, d.close = s.Access(), s.Close
	return d, nil
}
