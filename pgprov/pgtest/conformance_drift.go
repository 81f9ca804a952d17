package pgtest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"testing"
)

// drift changes one attribute at a time: it is found, shown and repaired, and nothing else is planned.
func (x *suite) drift(t *testing.T) {
	s := x.spec("webapp", "erp")
	s.Instances[0].Extensions = []string{x.Extension}
	s.Instances[0].Connect = []string{fmt.Sprintf("backup%d", x.n)}
	app := s.Instances[0]
	var names, quoted []string
	for name, value := range map[string]string{
		"owner": app.OwnerRole(), "other": s.Instances[1].OwnerRole(), "editor": s.Editor.Name, "pooler": s.Pooler.Name,
		"backup": app.Connect[0], "stranger": fmt.Sprintf("stranger%d", x.n), "user": s.DynamicPrefix + "passes-on",
		"db": app.Database(), "step": "pg/" + app.Database(),
	} {
		names, quoted = append(names, "$"+name, value), append(quoted, "%"+name, q(value))
	}
	fill := strings.NewReplacer(append(names, quoted...)...).Replace
	x.root(t, "", fill("CREATE ROLE %backup"), fill("CREATE ROLE %stranger"))
	x.provision(t, s)
	repaired := func(where string, d drifted) {
		t.Run(strings.ReplaceAll(d.name, " ", "_"), func(t *testing.T) {
			x.root(t, where, strings.Split(fill(d.sql), "; ")...)
			p := x.plan(t, s)
			cs := p.Changes()
			if len(cs) != 1 || cs[0].ID != fill(d.change) || !strings.Contains(cs[0].Diff, fill(d.shows)) {
				t.Errorf("planned\n%v\nwant only %s, with %q in the diff", p, fill(d.change), fill(d.shows))
			}
			if r, err := p.Apply(t.Context(), nil); err != nil {
				t.Fatalf("%v\n%v", err, r)
			}
			x.converged(t, s)
		})
	}
	for _, d := range driftedInServer(x.Major) {
		repaired("", d)
	}
	for _, d := range driftedInDatabase() {
		repaired(app.Database(), d)
	}
	// white space is no drift
	x.root(t, app.Database(), withBody("sql", strings.ReplaceAll(goodBody, " ", "\n\t")))
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
	}{
		{"DATABASE " + q(app.Database()), []string{"ALL", "CONNECT", "CREATE", "TEMPORARY"}},
		{"SCHEMA pgbouncer", []string{"ALL", "USAGE", "CREATE"}},
		{"FUNCTION pgbouncer.user_lookup(text)", []string{"ALL", "EXECUTE"}},
	}
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

// locked lets a user of one app take the locks that runs take for it and for its neighbour, everywhere
// it can connect to: the next run does not wait for it.
func (x *suite) locked(t *testing.T) {
	s := x.spec("webapp", "erp")
	x.provision(t, s)
	user := x.user(t, s, s.Instances[0], "locks", soon())
	for _, where := range []string{s.Instances[0].Database(), "postgres"} {
		c := x.as(t, user, userSecret, where)
		for _, lock := range []string{"postgres", s.Instances[0].Database(), s.Instances[1].Database()} {
			h := fnv.New32a()
			h.Write([]byte(lock))
			want(t, c, "", fmt.Sprintf("SELECT pg_catalog.pg_advisory_lock(%d, %d)", 0x70677072, int32(h.Sum32())))
		}
	}
	x.root(t, "", "ALTER ROLE "+q(s.Pooler.Name)+" CREATEDB")
	for _, i := range s.Instances {
		x.root(t, "", "GRANT CONNECT ON DATABASE "+q(i.Database())+" TO PUBLIC")
	}
	s.Instances = append(s.Instances, x.spec("new").Instances...)
	x.provision(t, s)
}

// readBack has default privileges in a database that give what is made in it to others: none of it is
// there when it was applied.
func (x *suite) readBack(t *testing.T) {
	s := x.spec("webapp")
	x.provision(t, s)
	app := s.Instances[0]
	stranger := fmt.Sprintf("stranger%d", x.n)
	x.root(t, "", "CREATE ROLE "+q(stranger)+" LOGIN PASSWORD 'x'")
	for _, to := range []string{"PUBLIC", q(stranger), q(s.Pooler.Name), q(app.OwnerRole())} {
		x.root(t, app.Database(), "DROP SCHEMA pgbouncer CASCADE",
			"ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO "+to,
			"ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO "+to,
			"ALTER DEFAULT PRIVILEGES GRANT CREATE ON SCHEMAS TO "+to)
		x.provision(t, s)
	}
	x.root(t, "", "GRANT CONNECT ON DATABASE "+q(app.Database())+" TO "+q(stranger))
	want(t, x.as(t, stranger, "x", app.Database()), "42501",
		"SELECT uname, phash FROM pgbouncer.user_lookup('"+s.Pooler.Name+"')")
}

// hostile is an app that prepared for us what it could.
func (x *suite) hostile(t *testing.T) {
	s := x.spec("webapp")
	app := s.Instances[0]
	owner, db := q(app.OwnerRole()), app.Database()
	x.root(t, "", "CREATE ROLE "+owner, "CREATE DATABASE "+q(db)+" OWNER "+owner,
		"ALTER DATABASE "+q(db)+" SET role = "+owner,
		"ALTER DATABASE "+q(db)+" SET search_path = public",
		"ALTER DATABASE "+q(db)+" SET standard_conforming_strings = off",
		"ALTER DATABASE "+q(db)+" SET quote_all_identifiers = on")
	x.root(t, db, "SET ROLE "+owner, "CREATE SCHEMA pgbouncer",
		"CREATE FUNCTION pgbouncer.user_lookup(IN i_username text, OUT uname text, OUT phash text) "+
			"LANGUAGE sql SECURITY DEFINER AS 'SELECT i_username, i_username'",
		"CREATE FUNCTION pgbouncer.user_lookup(name) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'")
	x.provision(t, s)
	for _, sql := range []string{
		"DROP FUNCTION pgbouncer.user_lookup(text)",
		"ALTER FUNCTION pgbouncer.user_lookup(text) SECURITY INVOKER",
		"ALTER SCHEMA pgbouncer OWNER TO " + owner,
		"DROP SCHEMA pgbouncer CASCADE",
		"CREATE FUNCTION pgbouncer.user_lookup(name) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
		"CREATE OR REPLACE FUNCTION pgbouncer.user_lookup(IN i_username text, OUT uname text, OUT phash text) " +
			"LANGUAGE sql AS 'SELECT i_username, i_username'",
	} {
		c := x.as(t, "", "", db)
		want(t, c, "", "SET ROLE "+owner)
		want(t, c, "42501", sql)
	}
	x.root(t, "", "ALTER DATABASE "+q(db)+" SET idle_session_timeout = 1") // a millisecond
	x.converged(t, s)
	x.root(t, "", "ALTER DATABASE "+q(db)+" SET idle_session_timeout = 0")
}
