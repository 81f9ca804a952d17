package pgtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// drift changes one attribute at a time: it is found, shown and repaired, and nothing else is planned.
func (x *suite) drift(t *testing.T) {
	s := x.spec("webapp", "erp")
	s.Instances[0].Extensions = []string{x.Extension}
	s.Instances[0].Connect = []string{fmt.Sprintf("backup%d", x.n)}
	app, other := s.Instances[0], s.Instances[1]
	editor, pooler, owner, backup, stranger := s.Editor.Name, s.Pooler.Name, app.OwnerRole(), app.Connect[0], fmt.Sprintf("stranger%d", x.n)
	user := s.DynamicPrefix + "passes-on"
	x.root(t, "", "CREATE ROLE "+q(backup), "CREATE ROLE "+q(stranger))
	x.provision(t, s)
	step := "pg/" + app.Database() + "/"
	role, database, grants, membership := step+"role:"+owner, step+"database:"+app.Database(), step+"grants:"+app.Database(), step+"grant:"+owner+":"+editor
	schema, function := step+"schema:pgbouncer", step+"function:pgbouncer.user_lookup(text)"
	const fn = "pgbouncer.user_lookup(text)"
	body := `CREATE OR REPLACE FUNCTION pgbouncer.user_lookup(IN i_username text, OUT uname text, OUT phash text) RETURNS record LANGUAGE %s STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS '%s'`
	const good = "SELECT rolname::text, CASE WHEN rolvaliduntil < pg_catalog.now() THEN NULL ELSE rolpassword END FROM pg_catalog.pg_authid WHERE rolname = i_username AND rolcanlogin AND NOT rolsuper AND NOT rolreplication"
	for _, d := range []struct {
		name   string
		sql    string // separated by semicolons; "$" is quoted names
		where  string // the database; empty is the app's
		change string
		shows  string // part of the diff
		from   int    // the first version that has it
	}{
		{"owner role logs in", "ALTER ROLE %owner LOGIN", "", role, "-LOGIN", 0},
		{"owner role is superuser", "ALTER ROLE %owner SUPERUSER", "", role, "-SUPERUSER", 0},
		{"owner role makes roles", "ALTER ROLE %owner CREATEROLE", "", role, "-CREATEROLE", 0},
		{"owner role makes databases", "ALTER ROLE %owner CREATEDB", "", role, "-CREATEDB", 0},
		{"owner role replicates", "ALTER ROLE %owner REPLICATION", "", role, "-REPLICATION", 0},
		{"owner role bypasses", "ALTER ROLE %owner BYPASSRLS", "", role, "-BYPASSRLS", 0},
		{"owner role does not inherit", "ALTER ROLE %owner NOINHERIT", "", role, "-NOINHERIT", 0},
		{"owner role is limited", "ALTER ROLE %owner CONNECTION LIMIT 3", "", role, "-CONNECTION LIMIT 3", 0},
		{"owner role expires", "ALTER ROLE %owner VALID UNTIL '2001-02-03 00:00:00Z'", "", role, "-VALID UNTIL 2001-02-03", 0},
		{"owner role has a password", "ALTER ROLE %owner PASSWORD 'x'", "", role, "-PASSWORD", 0},
		{"editor cannot make roles", "ALTER ROLE %editor NOCREATEROLE", "", "pg/role:" + editor, "+CREATEROLE", 0},
		{"editor inherits", "ALTER ROLE %editor INHERIT", "", "pg/role:" + editor, "-INHERIT", 0},
		{"editor cannot log in", "ALTER ROLE %editor NOLOGIN", "", "pg/role:" + editor, "+LOGIN", 0},
		{"editor has another password", "ALTER ROLE %editor PASSWORD 'x'", "", "pg/role:" + editor, "PASSWORD (another)", 0},
		{"editor has no password", "ALTER ROLE %editor PASSWORD NULL", "", "pg/role:" + editor, "+PASSWORD", 0},
		{"editor expires", "ALTER ROLE %editor VALID UNTIL '2001-02-03 00:00:00Z'", "", "pg/role:" + editor, "-VALID UNTIL", 0},
		{"editor runs programs", "GRANT pg_execute_server_program TO %editor", "", "pg/grant:pg_execute_server_program:" + editor, "-ADMIN FALSE", 0},
		{"pooler makes databases", "ALTER ROLE %pooler CREATEDB", "", "pg/role:" + pooler, "-CREATEDB", 0},
		{"pooler is a member", "GRANT %stranger TO %pooler", "", "pg/grant:" + stranger + ":" + pooler, "-ADMIN FALSE", 0},
		{"pooler is gone from the grants", "REVOKE CONNECT ON DATABASE %db FROM %pooler", "", grants, "+GRANT CONNECT TO " + q(pooler), 0},
		{"editor is gone from the grants", "REVOKE CONNECT ON DATABASE %db FROM %editor", "", grants, "+GRANT CONNECT TO " + q(editor), 0},
		{"backup is gone from the grants", "REVOKE CONNECT ON DATABASE %db FROM %backup", "", grants, "+GRANT CONNECT TO " + q(backup), 0},
		{"everybody connects", "GRANT CONNECT ON DATABASE %db TO PUBLIC", "", grants, "-GRANT CONNECT TO PUBLIC", 0},
		{"a stranger connects", "GRANT CONNECT ON DATABASE %db TO %stranger", "", grants, "-GRANT CONNECT TO " + q(stranger), 0},
		{"the pooler creates", "GRANT CREATE ON DATABASE %db TO %pooler", "", grants, "-GRANT CREATE", 0},
		{"the pooler passes it on", "GRANT CONNECT ON DATABASE %db TO %pooler WITH GRANT OPTION", "", grants, "-GRANT CONNECT TO " + q(pooler) + " WITH GRANT OPTION", 0},
		{"the pooler passed it on", "GRANT CONNECT ON DATABASE %db TO %pooler WITH GRANT OPTION; SET ROLE %pooler; GRANT CONNECT ON DATABASE %db TO %stranger", "", grants, "GRANTED BY", 0},
		{"a user passed it on", "CREATE ROLE %user; GRANT CONNECT ON DATABASE %db TO %user WITH GRANT OPTION; SET ROLE %user; GRANT CONNECT ON DATABASE %db TO %stranger", "", grants, "GRANTED BY " + q(user), 0},
		{"the owner gave itself up", "REVOKE CONNECT ON DATABASE %db FROM %owner", "", grants, "-REVOKE CONNECT FROM", 0},
		{"database has another owner", "ALTER DATABASE %db OWNER TO %stranger", "", database, "-OWNER " + q(stranger), 0},
		{"editor is no member", "REVOKE %owner FROM %editor", "", membership, "+ADMIN TRUE", 0},
		{"editor lost ADMIN", "REVOKE ADMIN OPTION FOR %owner FROM %editor", "", membership, "-ADMIN FALSE", 0},
		{"editor inherits the app", "GRANT %owner TO %editor WITH INHERIT TRUE", "", membership, "INHERIT TRUE", 16},
		{"editor sets the app", "GRANT %owner TO %editor WITH SET TRUE", "", membership, "SET TRUE", 16},
		{"editor granted itself", "SET ROLE %editor; GRANT %owner TO %editor WITH SET TRUE GRANTED BY %editor", "", membership, "GRANTED BY", 16},
		{"app is a member of another", "GRANT %other TO %owner", "", step + "grant:" + other.OwnerRole() + ":" + owner, "-ADMIN FALSE", 0},
		{"app reads everything", "GRANT pg_read_all_data TO %owner", "", step + "grant:pg_read_all_data:" + owner, "-ADMIN FALSE", 0},
		{"schema has another owner", "ALTER SCHEMA pgbouncer OWNER TO %owner", "db", schema, "-OWNER " + q(owner), 0},
		{"everybody uses the schema", "GRANT USAGE ON SCHEMA pgbouncer TO PUBLIC", "db", schema, "-GRANT USAGE TO PUBLIC", 0},
		{"pooler does not use the schema", "REVOKE USAGE ON SCHEMA pgbouncer FROM %pooler", "db", schema, "+GRANT USAGE", 0},
		{"app creates in the schema", "GRANT CREATE ON SCHEMA pgbouncer TO %owner", "db", schema, "-GRANT CREATE", 0},
		{"function has another owner", "ALTER FUNCTION " + fn + " OWNER TO %owner", "db", function, "-OWNER " + q(owner), 0},
		{"everybody calls the function", "GRANT EXECUTE ON FUNCTION " + fn + " TO PUBLIC", "db", function, "-GRANT EXECUTE TO PUBLIC", 0},
		{"pooler does not call the function", "REVOKE EXECUTE ON FUNCTION " + fn + " FROM %pooler", "db", function, "+GRANT EXECUTE", 0},
		{"a stranger calls the function", "GRANT EXECUTE ON FUNCTION " + fn + " TO %stranger", "db", function, "-GRANT EXECUTE TO " + q(stranger), 0},
		{"function is volatile", "ALTER FUNCTION " + fn + " VOLATILE", "db", function, "-VOLATILE", 0},
		{"function takes null", "ALTER FUNCTION " + fn + " CALLED ON NULL INPUT", "db", function, "-CALLED ON NULL INPUT", 0},
		{"function runs as the caller", "ALTER FUNCTION " + fn + " SECURITY INVOKER", "db", function, "-SECURITY INVOKER", 0},
		{"function is parallel", "ALTER FUNCTION " + fn + " PARALLEL SAFE", "db", function, "-PARALLEL SAFE", 0},
		{"function is leakproof", "ALTER FUNCTION " + fn + " LEAKPROOF", "db", function, "-LEAKPROOF", 0},
		{"function has another path", "ALTER FUNCTION " + fn + " SET search_path = public", "db", function, "search_path=public", 0},
		{"function has no path", "ALTER FUNCTION " + fn + " RESET ALL", "db", function, "-SET nothing", 0},
		{"function has another body", fmt.Sprintf(body, "sql", strings.ReplaceAll(good, "NOT rolsuper AND ", "")), "db", function, "+  WHERE rolname = i_username AND rolcanlogin AND NOT rolsuper", 0},
		{"function is in another language", fmt.Sprintf(body, "plpgsql", "BEGIN RETURN;END"), "db", function, "+LANGUAGE sql", 0},
		{"function has another signature", "DROP FUNCTION " + fn + "; CREATE FUNCTION pgbouncer.user_lookup(IN who text, OUT a text, OUT b text) LANGUAGE sql AS 'SELECT who, who'", "db", function, "{who,a,b}", 0},
		{"function has a default", "DROP FUNCTION " + fn + "; CREATE FUNCTION pgbouncer.user_lookup(IN i_username text DEFAULT 'x', OUT uname text, OUT phash text) LANGUAGE sql AS 'SELECT i_username, i_username'", "db", function, "-DEFAULT of 1", 0},
		{"function is gone", "DROP FUNCTION " + fn, "db", function, "+FUNCTION", 0},
		{"function has a rival", "CREATE FUNCTION pgbouncer.user_lookup(name) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'", "db", step + "function:pgbouncer.user_lookup(name)", "-FUNCTION", 0},
	} {
		if d.from > x.Major {
			continue
		}
		t.Run(strings.ReplaceAll(d.name, " ", "_"), func(t *testing.T) {
			where := ""
			if d.where == "db" {
				where = app.Database()
			}
			sql := strings.NewReplacer("%owner", q(owner), "%other", q(other.OwnerRole()), "%editor", q(editor), "%pooler", q(pooler), "%stranger", q(stranger), "%backup", q(backup), "%user", q(user), "%db", q(app.Database())).Replace(d.sql)
			x.root(t, where, strings.Split(sql, "; ")...)
			p := x.plan(t, s)
			cs := p.Changes()
			if len(cs) != 1 || cs[0].ID != d.change || !strings.Contains(cs[0].Diff, d.shows) {
				t.Errorf("planned\n%v\nwant only %s, with %q in the diff", p, d.change, d.shows)
			}
			if r, err := p.Apply(t.Context(), nil); err != nil {
				t.Fatalf("%v\n%v", err, r)
			}
			x.converged(t, s)
		})
	}
	// white space is no drift
	x.root(t, app.Database(), fmt.Sprintf(body, "sql", strings.ReplaceAll(good, " ", "\n\t")))
	x.converged(t, s)
}

func (x *suite) grants(t *testing.T) { x.transcript(t) }

func (x *suite) transcript(t *testing.T) (transcript []string) {
	s := x.spec("webapp")
	x.provision(t, s)
	app := s.Instances[0]
	stranger := fmt.Sprintf("stranger%d", x.n)
	x.root(t, "", "CREATE ROLE "+q(stranger))
	who := []string{q(s.Editor.Name), q(s.Pooler.Name), q(stranger), q(app.OwnerRole()), "PUBLIC"}
	objects := []struct {
		name       string
		privileges []string
	}{{"DATABASE " + q(app.Database()), []string{"ALL", "CONNECT", "CREATE", "TEMPORARY"}}, {"SCHEMA pgbouncer", []string{"ALL", "USAGE", "CREATE"}}, {"FUNCTION pgbouncer.user_lookup(text)", []string{"ALL", "EXECUTE"}}}
	const seed = 20260102
	random := rand.New(rand.NewPCG(seed, 1))
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	for round := range 15 {
		c := x.as(t, "", "", app.Database())
		var done []string
		for range 1 + random.IntN(12) {
			o := objects[random.IntN(len(objects))]
			grantee, as := pick(who), pick(append([]string{"NONE", "NONE"}, who[:4]...))
			sql := fmt.Sprintf("GRANT %s ON %s TO %s", pick(o.privileges), o.name, grantee)
			switch random.IntN(4) {
			case 0:
				if grantee != "PUBLIC" {
					sql += " WITH GRANT OPTION"
				}
			case 1:
				sql = fmt.Sprintf("REVOKE %s ON %s FROM %s", pick(o.privileges), o.name, grantee)
			}
			if as != "NONE" {
				want(t, c, "", "SET ROLE "+as)
			}
			done = append(done, as+": "+sql+": "+run(t.Context(), c, sql)) // many are denied
			want(t, c, "", "SET ROLE NONE")
		}
		c.Close(t.Context())
		p := x.plan(t, s)
		transcript = append(transcript, append(done, p.String())...)
		if r, err := p.Apply(t.Context(), nil); err != nil {
			t.Fatalf("round %d: %v\n%v\n%s", round, err, r, strings.Join(done, "\n"))
		}
		if p := x.plan(t, s); !p.Empty() {
			t.Fatalf("round %d: still to do:\n%v\nafter\n%s", round, p, strings.Join(done, "\n"))
		}
	}
	return transcript
}

// hostile is an app that prepared for us what it could.
func (x *suite) hostile(t *testing.T) {
	s := x.spec("webapp")
	app := s.Instances[0]
	owner, db := q(app.OwnerRole()), app.Database()
	x.root(t, "", "CREATE ROLE "+owner, "CREATE DATABASE "+q(db)+" OWNER "+owner,
		"ALTER DATABASE "+q(db)+" SET role = "+owner, "ALTER DATABASE "+q(db)+" SET search_path = public", "ALTER DATABASE "+q(db)+" SET standard_conforming_strings = off",
		"ALTER DATABASE "+q(db)+" SET quote_all_identifiers = on")
	x.root(t, db, "SET ROLE "+owner, "CREATE SCHEMA pgbouncer",
		"CREATE FUNCTION pgbouncer.user_lookup(IN i_username text, OUT uname text, OUT phash text) LANGUAGE sql SECURITY DEFINER AS 'SELECT i_username, i_username'",
		"CREATE FUNCTION pgbouncer.user_lookup(name) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'")
	x.provision(t, s)
	for _, sql := range []string{"DROP FUNCTION pgbouncer.user_lookup(text)", "ALTER FUNCTION pgbouncer.user_lookup(text) SECURITY INVOKER", "ALTER SCHEMA pgbouncer OWNER TO " + owner, "DROP SCHEMA pgbouncer CASCADE",
		"CREATE FUNCTION pgbouncer.user_lookup(name) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
		"CREATE OR REPLACE FUNCTION pgbouncer.user_lookup(IN i_username text, OUT uname text, OUT phash text) LANGUAGE sql AS 'SELECT i_username, i_username'"} {
		c := x.as(t, "", "", db)
		want(t, c, "", "SET ROLE "+owner)
		want(t, c, "42501", sql)
	}
	x.root(t, "", "ALTER DATABASE "+q(db)+" SET idle_session_timeout = 1") // a millisecond
	x.converged(t, s)
	x.root(t, "", "ALTER DATABASE "+q(db)+" SET idle_session_timeout = 0")
}
