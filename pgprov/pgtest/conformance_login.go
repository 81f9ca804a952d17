package pgtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// editor lives through the life of a short-lived user as Vault leads it.
func (x *suite) editor(t *testing.T) {
	s := x.spec("webapp")
	s.EditorEndsSessions = x.Major >= 16
	x.provision(t, s)
	app := s.Instances[0]
	user := x.user(t, s, app, "webapp-1", soon())
	c := x.as(t, user, userSecret, app.Database())
	r := c.ExecParams(t.Context(), "SELECT session_user, current_user", nil, nil, nil, nil).Read()
	if r.Err != nil || len(r.Rows) != 1 || string(r.Rows[0][0]) != user || string(r.Rows[0][1]) != app.OwnerRole() {
		t.Errorf("who am I: %q, %v", r.Rows, r.Err)
	}
	want(t, c, "", "CREATE TABLE notes (n integer)")
	e := x.as(t, s.Editor.Name, editorSecret, app.Database())
	want(t, e, "", fmt.Sprintf("ALTER ROLE %s VALID UNTIL '%s'", q(user), soon()))
	const endSessions = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = '"
	if s.EditorEndsSessions {
		want(t, e, "", endSessions+user+"'")
	} else {
		want(t, e, "42501", endSessions+user+"'")
	}
	want(t, e, "", "DROP ROLE IF EXISTS "+q(user)) // the table is the app's
	x.converged(t, s)
}

// matrix is what the editor can do, by version and by how it was granted the app's role:
// components.md 8.6.
func (x *suite) matrix(t *testing.T) {
	s := x.spec("webapp", "erp")
	x.provision(t, s)
	app, other := q(s.Instances[0].OwnerRole()), q(s.Instances[1].OwnerRole())
	stranger, editor := q(s.DynamicPrefix+"stranger"), q(s.Editor.Name)
	x.root(t, "", "CREATE ROLE "+stranger+" LOGIN PASSWORD 'x'")
	modern := x.Major >= 16
	on := func(pg15, pg16 string) string {
		if modern {
			return pg16
		}
		return pg15
	}
	const ok, no = "", "42501"
	// ADMIN on webapp, nothing on erp: the state that Plan makes, but for erp
	x.root(t, "", "REVOKE "+other+" FROM "+editor)
	v := func(n int) string { return q(fmt.Sprintf("%s%d", s.DynamicPrefix, n)) }
	c := x.as(t, s.Editor.Name, editorSecret, "")
	want(t, c, ok, "CREATE ROLE "+v(1)+" LOGIN IN ROLE "+app)
	want(t, c, on(ok, no), "CREATE ROLE "+v(2)+" LOGIN IN ROLE "+other)
	want(t, c, on(ok, no), "GRANT "+other+" TO "+v(1))
	want(t, c, ok, "ALTER ROLE "+v(1)+" SET role TO "+app)
	want(t, c, no, "REASSIGN OWNED BY "+v(1)+" TO "+app)
	want(t, c, no, "DROP OWNED BY "+v(1))
	want(t, c, on(ok, no), "GRANT pg_read_all_data TO "+editor)
	want(t, c, on(ok, no), "GRANT pg_execute_server_program TO "+editor)
	want(t, c, on(ok, no), "ALTER ROLE "+stranger+" PASSWORD 'y'")
	want(t, c, no, "ALTER ROLE "+q(x.Server.User)+" PASSWORD 'y'")
	want(t, c, no, "CREATE ROLE "+v(3)+" SUPERUSER")
	want(t, c, no, "GRANT "+q(x.Server.User)+" TO "+editor)
	want(t, c, on(ok, no), "DROP ROLE "+stranger)
	want(t, c, ok, "DROP ROLE "+v(1))
	if modern { // what the editor may grant itself, it may: ADMIN is a wall between apps, not around one
		want(t, c, ok, "CREATE ROLE "+v(4)+" LOGIN IN ROLE "+app)
		want(t, c, ok, "GRANT "+v(4)+" TO "+editor+" WITH INHERIT TRUE")
		want(t, c, ok, "DROP OWNED BY "+v(4))
		// a plain grant, as an upgrade from 15 leaves it, lets it make no users
		x.root(t, "", "REVOKE "+app+" FROM "+editor+" CASCADE", "GRANT "+app+" TO "+editor)
		want(t, c, no, "CREATE ROLE "+v(5)+" LOGIN IN ROLE "+app)
		want(t, c, no, "GRANT "+other+" TO "+v(4))
		want(t, c, no, "ALTER ROLE "+stranger+" PASSWORD 'y'")
	}
	p := x.plan(t, s)
	if len(p.Changes()) == 0 {
		t.Error("nothing to repair")
	}
	if _, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	x.converged(t, s)
}

// logins is who gets in.
func (x *suite) logins(t *testing.T) {
	s := x.spec("webapp")
	x.provision(t, s)
	app := s.Instances[0]
	valid, expired := x.user(t, s, app, "valid", soon()), x.user(t, s, app, "expired", past)
	for _, l := range []struct{ user, password, database, code string }{
		{valid, userSecret, app.Database(), ""},
		{valid, "wrong", app.Database(), "28P01"},
		{expired, userSecret, app.Database(), "28P01"},
		{"nobody", userSecret, app.Database(), "28P01"},
		{app.OwnerRole(), userSecret, app.Database(), "28P01"},
		{s.Editor.Name, editorSecret, app.Database(), ""},
		{s.Pooler.Name, poolerSecret, app.Database(), ""},
		{valid, userSecret, "no-such-database", "3D000"},
	} {
		c, err := x.login(t.Context(), l.user, l.password, l.database)
		if err == nil {
			c.Close(t.Context())
		}
		if got := sqlstate(err); l.code == "" && err != nil || l.code != "" && !strings.HasPrefix(got, l.code+" ") {
			t.Errorf("%s at %s: %q, want %q", l.user, l.database, got, l.code)
		}
	}
}

// passwords are set when a role is made and when they differ, and otherwise not.
func (x *suite) passwords(t *testing.T) {
	s := x.spec()
	s.Pooler.Password = lab.Secret{}
	x.provision(t, s)
	if _, err := x.login(t.Context(), s.Pooler.Name, poolerSecret, ""); err == nil {
		t.Error("a role without a password logs in")
	}
	s.Pooler.Password = lab.NewSecret(poolerSecret)
	if p := x.plan(t, s); len(p.Changes()) != 1 || p.Changes()[0].ID != "pg/role:"+s.Pooler.Name {
		t.Errorf("want the password to be set:\n%v", p)
	}
	x.provision(t, s)
	x.as(t, s.Pooler.Name, poolerSecret, "")
	s.Editor.Password = lab.NewSecret("rotated")
	if p := x.plan(t, s); len(p.Changes()) != 1 || p.Changes()[0].ID != "pg/role:"+s.Editor.Name {
		t.Errorf("want one password to change:\n%v", p)
	}
	x.provision(t, s)
	x.as(t, s.Editor.Name, "rotated", "")
	s.Editor.Password = lab.Secret{} // not ours to say: left as it is
	x.converged(t, s)
	s.Editor.Password = lab.NewSecret("not ascii: \u00e9")
	if _, err := x.Server.Plan(t.Context(), s); !errors.Is(err, lab.ErrInvalid) {
		t.Errorf("a password that clients disagree about: %v", err)
	}
}
