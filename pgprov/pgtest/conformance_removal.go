package pgtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
)

func (x *suite) sweep(t *testing.T) {
	s := x.spec("webapp", "erp")
	x.provision(t, s)
	app := s.Instances[0]
	alive, orphan, owning := x.user(t, s, app, "alive", soon()), x.user(t, s, app, "orphan", past),
		x.user(t, s, app, "owning", past)
	recent := x.user(t, s, app, "recent", time.Now().Add(-time.Minute).UTC().Format("2006-01-02 15:04:05")+"+00")
	// one that was let grant a role on, and did: what it granted goes with it
	granting, onwards := x.user(t, s, app, "passed", past), fmt.Sprintf("onwards%d", x.n)
	x.root(t, "", "CREATE ROLE "+q(onwards), "GRANT "+q(app.OwnerRole())+" TO "+q(granting)+" WITH ADMIN OPTION")
	g := x.as(t, "", "", "")
	want(t, g, "", "SET ROLE "+q(granting))
	want(t, g, "", "GRANT "+q(app.OwnerRole())+" TO "+q(onwards)+" WITH ADMIN OPTION")
	want(t, g, "", "SET ROLE "+q(onwards))
	want(t, g, "", "GRANT "+q(app.OwnerRole())+" TO "+q(alive))
	// one whose rights somebody granted who is no owner
	granted, granter := x.user(t, s, app, "rights", past), fmt.Sprintf("granter%d", x.n)
	x.root(t, app.Database(), "CREATE ROLE "+q(granter), "CREATE TABLE shared (n integer)",
		"GRANT SELECT ON TABLE shared TO "+q(granter)+" WITH GRANT OPTION",
		"GRANT CONNECT ON DATABASE "+q(s.Instances[1].Database())+" TO "+q(granter)+" WITH GRANT OPTION")
	g = x.as(t, "", "", app.Database())
	want(t, g, "", "SET ROLE "+q(granter))
	want(t, g, "", "GRANT SELECT ON TABLE shared TO "+q(granted))
	want(t, g, "", "GRANT CONNECT ON DATABASE "+q(s.Instances[1].Database())+" TO "+q(granted))
	busy := x.user(t, s, app, "busy", soon())
	x.as(t, busy, userSecret, app.Database())
	nologin := s.DynamicPrefix + "group"
	x.root(t, "", "ALTER ROLE "+q(busy)+" VALID UNTIL '"+past+"'",
		"CREATE ROLE "+q(nologin)+" VALID UNTIL '"+past+"'",
		"GRANT CONNECT ON DATABASE "+q(s.Instances[1].Database())+" TO "+q(owning))
	x.root(t, app.Database(), "CREATE TABLE theirs (n integer)", "CREATE SCHEMA theirs AUTHORIZATION "+q(owning))
	p, err := x.Server.Sweep(t.Context(), pgprov.SweepSpec{Prefix: s.DynamicPrefix})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range p.Changes() {
		ids = append(ids, strings.TrimPrefix(c.ID, "pg/sweep/role:"))
	}
	if !slices.Equal(ids, []string{orphan, owning, granting, granted}) {
		t.Errorf("would sweep %q, want %q (not %q)", ids, []string{orphan, owning, granting, granted},
			[]string{alive, recent, busy, nologin})
	}
	written := x.Writes(t)
	if r, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%v", err, r)
	}
	if x.Writes(t) == written {
		t.Error("nothing was written")
	}
	c := x.as(t, "", "", app.Database())
	for _, gone := range []string{orphan, owning, granting, granted} {
		want(t, c, "42704", "DROP ROLE "+q(gone))
	}
	want(t, c, "42P06", "CREATE SCHEMA theirs")
	want(t, c, "2BP01", "DROP ROLE "+q(app.OwnerRole())) // it owns the schema now, among others
	x.root(t, "", "REVOKE ALL ON DATABASE "+q(s.Instances[1].Database())+" FROM "+q(granter))
	if p, err := x.Server.Sweep(t.Context(), pgprov.SweepSpec{Prefix: s.DynamicPrefix}); err != nil || !p.Empty() {
		t.Errorf("swept, and yet: %v\n%v", err, p)
	}
	if _, err := x.Server.Sweep(t.Context(), pgprov.SweepSpec{Prefix: "v"}); !errors.Is(err, lab.ErrInvalid) {
		t.Errorf("a prefix of one character: %v", err)
	}
	x.converged(t, s)
}

func (x *suite) drop(t *testing.T) {
	s := x.spec("webapp", "erp")
	x.provision(t, s)
	app, other := s.Instances[0], s.Instances[1]
	user := x.user(t, s, app, "valid", soon())
	// the role has left things in another database
	x.root(t, other.Database(), "CREATE SCHEMA leftover AUTHORIZATION "+q(app.OwnerRole()),
		"GRANT USAGE ON SCHEMA pgbouncer TO "+q(app.OwnerRole()))
	x.root(t, app.Database(), "CREATE TABLE notes (n integer)",
		"ALTER DATABASE "+q(app.Database())+" SET statement_timeout = 1")
	drop := pgprov.DropSpec{Instances: []lab.Instance{app.Instance}}
	c := x.as(t, user, userSecret, app.Database())
	if _, err := x.Server.Drop(t.Context(), drop); !errors.Is(err, lab.ErrRefused) ||
		!strings.Contains(err.Error(), user) {
		t.Errorf("a session is open: %v", err)
	}
	c.Close(t.Context())
	waitFor(t, func() bool { _, err := x.Server.Drop(t.Context(), drop); return !errors.Is(err, lab.ErrRefused) })
	p, err := x.Server.Drop(t.Context(), drop)
	if err != nil {
		t.Fatal(err)
	}
	if p.Risk() != lab.RiskDataLoss {
		t.Errorf("the risk is %v", p.Risk())
	}
	for _, names := range []string{"-tables 1", "-setting statement_timeout=1", "-member " + user, "-member " + s.Editor.Name,
		"-what it owns in " + other.Database() + ", which " + other.OwnerRole() + " gets"} {
		if !strings.Contains(p.String(), names) {
			t.Errorf("the plan does not name %q:\n%v", names, p)
		}
	}
	if _, err := p.Apply(t.Context(), nil); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("unconfirmed: %v", err)
	}
	o := &lab.ApplyOptions{}
	for _, change := range p.Changes() {
		o.Confirmed = append(o.Confirmed, lab.Confirm(change.ID))
	}
	if r, err := p.Apply(t.Context(), o); err != nil {
		t.Fatalf("%v\n%v", err, r)
	}
	root := x.as(t, "", "", other.Database())
	want(t, root, "42704", "DROP ROLE "+q(app.OwnerRole()))
	want(t, root, "3D000", "ALTER DATABASE "+q(app.Database())+" IS_TEMPLATE false")
	want(t, root, "42P06", "CREATE SCHEMA leftover")
	if p, err := x.Server.Drop(t.Context(), drop); err != nil || !p.Empty() {
		t.Errorf("dropped, and yet: %v\n%v", err, p)
	}
	s.Instances = s.Instances[1:]
	x.converged(t, s)
}
