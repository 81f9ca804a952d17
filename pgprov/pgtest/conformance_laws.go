package pgtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// laws are those of every layer.
func (x *suite) laws(t *testing.T) {
	lawtest.Laws(t, func(*testing.T) lawtest.World {
		return x.world("webapp", "erp", "erp.sandbox", "dance-lessons-coach", "user")
	})
}

// world returns the apps, under names of their own, for the laws.
func (x *suite) world(apps ...string) lawtest.World {
	s := x.spec(apps...)
	app := s.Instances[0]
	s.Instances[0].Extensions = []string{x.Extension}
	s.Instances[0].Encoding, s.Instances[0].Locale = "utf-8", "C"
	s.EditorEndsSessions = x.Major >= 16
	counters := &pgprov.Counters{}
	cutter := &Cutter{Boundary: x.Server.Boundary}
	server := x.Server
	server.Counters, server.Boundary = counters, cutter
	cut := func(name string, how Failure) lawtest.Cut {
		return lawtest.Cut{Name: name, Least: 10, Arm: func(_ testing.TB, n int) func(error) bool {
			cutter.Arm(n, how)
			return func(error) bool {
				defer cutter.Reset()
				return cutter.Fired()
			}
		}}
	}
	return lawtest.World{
		Plan:       func(ctx context.Context) (*lab.Plan, error) { return server.Plan(ctx, s) },
		Writes:     x.Writes,
		RoundTrips: counters.RoundTrips.Load,
		Cost:       int64(1 + len(s.Instances)),
		Drift: func(tb testing.TB) {
			tb.Helper()
			x.root(tb, "", "ALTER ROLE "+q(app.OwnerRole())+" CREATEDB",
				"REVOKE CONNECT ON DATABASE "+q(app.Database())+" FROM "+q(s.Pooler.Name))
		},
		Foreign: func(tb testing.TB) func() string { tb.Helper(); return x.foreign(tb, s) },
		Secrets: suiteSecrets,
		Texts:   func(testing.TB) []string { return []string{x.Log()} },
		Within: func(ctx context.Context, b *lab.Boundary) error {
			outside := x.Server
			outside.Boundary = b
			_, err := outside.Plan(ctx, s)
			return err
		},
		Again: func(testing.TB) lawtest.World { return x.world("webapp") },
		Cuts:  []lawtest.Cut{cut("Request", LoseBefore), cut("Answer", LoseAfter)},
	}
}

// foreign makes things that are not ours: roles and a database, and in the database of an app what
// somebody else may have there.
func (x *suite) foreign(tb testing.TB, s pgprov.Spec) (describe func() string) {
	tb.Helper()
	app := s.Instances[len(s.Instances)-1]
	human, theirs := fmt.Sprintf("human%d", x.n), fmt.Sprintf("theirs%d", x.n)
	user := s.DynamicPrefix + "token-1"
	x.root(tb, "",
		"CREATE ROLE "+q(human)+" LOGIN CREATEDB",
		"CREATE DATABASE "+q(theirs)+" OWNER "+q(human),
		"GRANT ALL ON DATABASE "+q(theirs)+" TO PUBLIC",
		"CREATE ROLE "+q(user)+" LOGIN IN ROLE "+q(app.OwnerRole()),
		"GRANT CONNECT ON DATABASE "+q(app.Database())+" TO "+q(user),
		"GRANT "+q(app.OwnerRole())+" TO "+q(human))
	x.root(tb, app.Database(),
		"CREATE SCHEMA theirs",
		"CREATE FUNCTION theirs.user_lookup(text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
		"CREATE EXTENSION "+x.Extension,
		"CREATE FUNCTION public.user_lookup(name) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
		"ALTER FUNCTION public.user_lookup(name) OWNER TO "+q(app.OwnerRole()))
	return func() string {
		tb.Helper()
		var lines []string
		for _, line := range x.describe(tb, app.Database(), []string{human, user}, []string{theirs, app.Database()}) {
			if slices.ContainsFunc([]string{human, user, theirs, "theirs.", "(name)", x.Extension},
				func(word string) bool { return strings.Contains(line, word) }) {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "\n")
	}
}

// describe returns the answers to the queries of package pgprov about roles, their memberships,
// databases, and what is in the first database, one row a line.
func (x *suite) describe(tb testing.TB, database string, roles, databases []string) (lines []string) {
	tb.Helper()
	c := x.as(tb, "", "", database)
	defer c.Close(tb.Context())
	version := x.Major * 10000
	for _, query := range []struct {
		sql   string
		names [][]string
	}{
		{catalog.RolesQuery, [][]string{roles, nil}},
		{catalog.MembershipsQuery(version), [][]string{roles}},
		{catalog.DatabasesQuery(version), [][]string{databases}},
		{catalog.DatabaseGrantsQuery, [][]string{databases}},
		{catalog.FunctionsQuery, nil},
		{catalog.ExtensionsQuery, nil},
	} {
		var params [][]byte
		for _, names := range query.names {
			params = append(params, []byte("{"+strings.Join(names, ",")+"}"))
		}
		r := c.ExecParams(tb.Context(), query.sql, params, nil, nil, nil).Read()
		if r.Err != nil {
			tb.Fatal(r.Err)
		}
		for _, row := range r.Rows {
			var values []string
			for _, value := range row {
				values = append(values, string(value))
			}
			lines = append(lines, strings.Join(values, " | "))
		}
	}
	slices.Sort(lines)
	return lines
}

// costs are those of a plan, in connections and round trips, and an old plan is no harm.
func (x *suite) costs(t *testing.T) {
	s := x.spec("webapp", "erp")
	counters := &pgprov.Counters{}
	server := x.Server
	server.Counters = counters
	plan := func(cost int64) *lab.Plan {
		t.Helper()
		connections, trips := counters.Connections.Load(), counters.RoundTrips.Load()
		p, err := server.Plan(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if c, r := counters.Connections.Load()-connections, counters.RoundTrips.Load()-trips; c != cost || r != cost {
			t.Errorf("the plan took %d connections and %d round trips, want %d of both", c, r, cost)
		}
		return p
	}
	first, second := plan(1), plan(1) // the databases do not exist yet
	if r, err := first.Apply(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%v", err, r)
	}
	written := x.Writes(t)
	plan(int64(1 + len(s.Instances)))
	// the second plan was made before the first was applied: what it would do is done
	if r, err := second.Apply(t.Context(), nil); err != nil || !r.Complete() {
		t.Errorf("an old plan: %v\n%v", err, r)
	}
	if n := x.Writes(t) - written; n != 0 {
		t.Errorf("an old plan wrote %d times", n)
	}
}

// together lets two copies of the tool provision the same at once.
func (x *suite) together(t *testing.T) {
	for range 10 {
		s := x.spec("webapp", "erp.sandbox", "crowdsec")
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for n := range errs {
			wg.Go(func() {
				p, err := x.Server.Plan(t.Context(), s)
				if err == nil {
					_, err = p.Apply(t.Context(), nil)
				}
				errs[n] = err
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		x.converged(t, s)
	}
}

// secrets looks for the passwords in everything that the server was sent. Those that the suite
// itself set in the clear are others.
func (x *suite) secrets(t *testing.T) {
	text := x.Log()
	if !strings.Contains(text, "CREATE DATABASE") || !strings.Contains(text, "SCRAM-SHA-256$4096:") {
		t.Fatal("the log does not hold the statements")
	}
	lawtest.NoSecret(t, suiteSecrets, text)
}
