package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/pgtest"
)

// PostgresConfig is the database server of the apps. Every instance of every app gets its database there.
type PostgresConfig struct {
	Host           string        `yaml:"host,required"`  // a name or an address
	Port           int           `yaml:"port"`           // 0 means 5432
	User           string        `yaml:"user"`           // a superuser; empty means postgres
	Password       lab.SecretRef `yaml:"password"`       // a reference to its password; empty means that which the stack of 02_setup was made with
	EditorPassword lab.SecretRef `yaml:"editorPassword"` // a reference to the password of credentials_editor, whom Vault logs in as; empty means one that is made once, beside those of the stacks
	PoolerPassword lab.SecretRef `yaml:"poolerPassword"` // a reference to the password of pgbouncer_auth; empty means the same
	Identity       string        `yaml:"identity"`       // the system identifier that the server must prove; empty means any
	AllowPG15      bool          `yaml:"allowPG15"`      // accept PostgreSQL 15, where the editor can take over the server
}

// database is a PostgreSQL server and what it must hold.
type database struct {
	server pgprov.Server
	spec   pgprov.Spec
	// secrets reads the passwords, and returns the keyring that those are of that no reference names; nil when there is none.
	secrets func(context.Context) (*lab.Keyring, error)
	about   string // what the sandbox runs, for people; empty for a real one
	close   func() error
}

// database returns the server of the config.
func (l *Lab) database(s *stackSource) (*database, error) {
	c := l.Postgres
	if c == nil {
		return nil, nil
	}
	b, err := l.boundary()
	if err != nil {
		return nil, err
	}
	d := &database{
		server: pgprov.Server{Host: c.Host, Port: c.Port, User: c.User, Identity: c.Identity, Boundary: b},
		spec:   pgprov.Spec{Instances: l.databases(), AllowPG15: c.AllowPG15},
		close:  func() error { return nil },
	}
	d.secrets = func(ctx context.Context) (*lab.Keyring, error) {
		var k *lab.Keyring
		if s != nil {
			k = &lab.Keyring{Sink: s.sink}
		}
		var errs []error
		secret := func(r lab.SecretRef, otherwise func() (lab.Secret, error)) lab.Secret {
			v, err := r.Resolve(os.LookupEnv, l.dir.ReadFile)
			if r.IsZero() {
				v, err = otherwise()
			}
			errs = append(errs, err)
			return v
		}
		made := func(name string) func() (lab.Secret, error) {
			return func() (lab.Secret, error) { return k.Secret(ctx, name, nil) }
		}
		// the server is made with it: a new one would not let us in
		d.server.Password = secret(c.Password, func() (lab.Secret, error) { return s.sink.Get(ctx, superuserSecret) })
		d.spec.Editor.Password = secret(c.EditorPassword, made("credentials-editor"))
		d.spec.Pooler.Password = secret(c.PoolerPassword, made("pgbouncer-auth"))
		return k, errors.Join(errs...)
	}
	return d, nil
}

// databases returns what every instance's database must be.
func (l *Lab) databases() (out []pgprov.Instance) {
	for _, i := range l.Instances {
		out = append(out, pgprov.Instance{Instance: i})
	}
	return out
}

// sandboxDatabase starts a PostgreSQL server for this run: the real one where it is installed, else the one of package pgtest.
func (l *Lab) sandboxDatabase(ctx context.Context) (*database, error) {
	random := func() lab.Secret { return lab.NewSecret(rand.Text()) }
	d := &database{secrets: func(context.Context) (*lab.Keyring, error) { return nil, nil }, spec: pgprov.Spec{Editor: pgprov.Login{Password: random()}, Pooler: pgprov.Login{Password: random()}, Instances: l.databases()}}
	pg, err := real.StartPostgres(ctx, real.PGOptions{})
	if err == nil {
		d.server, err = pgprov.ParseDSN(pg.DSN("postgres"))
		d.about, d.close = fmt.Sprintf("PostgreSQL %d, started for this run", pg.Major), pg.Close
		d.spec.AllowPG15 = pg.Major == 15 // there is nothing in it that it could put at risk
		return d, err
	}
	if ctx.Err() != nil {
		return nil, &lab.Error{Op: "start PostgreSQL", Err: context.Cause(ctx)}
	}
	d.about = "a PostgreSQL server of this process, since none is installed"
	if !errors.Is(err, real.ErrNoPostgres) {
		d.about = fmt.Sprintf("a PostgreSQL server of this process, since the installed one did not start: %v", err)
	}
	s, err := pgtest.Start(pgtest.Config{})
	if err != nil {
		return nil, err
	}
	d.server, d.close = s.Access(), s.Close
	return d, nil
}

// databaseStage is the stage of the apps' databases.
const databaseStage = "postgres"

// stage provisions the apps' databases.
func (d *database) stage(after ...string) Stage {
	return Stage{Name: databaseStage, After: after, Plan: func(ctx context.Context) (*lab.Plan, error) {
		k, err := d.secrets(ctx)
		if err != nil {
			return nil, err
		}
		plan, err := d.server.Plan(ctx, d.spec)
		if err != nil || k == nil {
			return plan, err
		}
		return k.Plan(plan)
	}}
}
