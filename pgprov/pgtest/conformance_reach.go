package pgtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// reach is a way by which somebody gets beyond an app. In its texts, %names stand for quoted names and
// $names for names.
type reach struct {
	name    string
	sql     string // opens it; statements are separated by "; "
	revoked string // IDs of the changes that close it, separated by spaces; empty: none
	refused string // whose membership is not ours to revoke; empty: nobody's
	close   string // closes it where it is refused
	as, set string // who logs in, and which role it can take afterwards no more; empty: not tried
}

var reaches = []reach{
	{name: "group", sql: "GRANT %other TO %devs; GRANT %devs TO %owner", revoked: "$step/grant:$devs:$owner",
		as: "user", set: "other"},
	{name: "three groups", sql: "GRANT %other TO %devs; GRANT %devs TO %ops; GRANT %ops TO %all; GRANT %all TO %owner",
		revoked: "$step/grant:$all:$owner", as: "user", set: "other"},
	{name: "two ways", sql: "GRANT %other TO %devs; GRANT %devs TO %owner; GRANT %devs TO %ops; GRANT %ops TO %owner",
		revoked: "$step/grant:$devs:$owner $step/grant:$ops:$owner", as: "user", set: "other"},
	{name: "superuser", sql: "GRANT %root TO %devs; GRANT %devs TO %ops; GRANT %ops TO %owner",
		revoked: "$step/grant:$ops:$owner", as: "user", set: "root"},
	{name: "predefined", sql: "GRANT pg_read_all_data TO %devs; GRANT %devs TO %owner",
		revoked: "$step/grant:$devs:$owner"},
	{name: "administers", sql: "GRANT %other TO %devs WITH ADMIN OPTION; GRANT %devs TO %owner",
		revoked: "$step/grant:$devs:$owner", as: "user", set: "other"},
	{name: "verifiers", sql: "GRANT %pooler TO %devs; GRANT %devs TO %owner",
		revoked: "pg/grant:$pooler:$devs $step/grant:$devs:$owner", as: "user", set: "pooler"},
	{name: "editor by an app", sql: "DROP ROLE %user; REVOKE %owner FROM %editor; GRANT %editor TO %owner",
		revoked: "$step/grant:$editor:$owner $step/grant:$owner:$editor"},
	{name: "another database", sql: "CREATE DATABASE %foreign OWNER %ops; GRANT %ops TO %owner",
		revoked: "$step/grant:$ops:$owner", as: "user", set: "ops"},
	{name: "makes roles", sql: "ALTER ROLE %ops CREATEROLE; GRANT %ops TO %devs; GRANT %devs TO %owner",
		revoked: "$step/grant:$devs:$owner", as: "user", set: "ops"},
	{name: "editor to a superuser", sql: "GRANT %root TO %devs; GRANT %devs TO %ops; GRANT %ops TO %editor",
		revoked: "pg/grant:$ops:$editor"},
	{name: "editor to an app", sql: "GRANT %owner TO %devs; GRANT %devs TO %editor", revoked: "pg/grant:$devs:$editor"},
	{name: "pooler", sql: "GRANT %owner TO %devs; GRANT %devs TO %pooler", revoked: "pg/grant:$devs:$pooler"},
	{name: "a stranger makes users", sql: "GRANT %editor TO %devs", revoked: "pg/grant:$editor:$devs"},
	{name: "a user takes the pooler", sql: "GRANT %pooler TO %user", revoked: "pg/grant:$pooler:$user",
		as: "user", set: "pooler"},
	{name: "user", sql: "GRANT %other TO %user", refused: "user", close: "REVOKE %other FROM %user"},
	{name: "user by a group", sql: "GRANT %other TO %devs; GRANT %devs TO %user", refused: "user",
		close: "REVOKE %devs FROM %user"},
	{name: "group of users", sql: "GRANT %other TO %devs; GRANT %owner TO %devs; GRANT %devs TO %ops", refused: "devs",
		close: "REVOKE %other FROM %devs"},
	{name: "user to a superuser", sql: "GRANT %root TO %devs; GRANT %devs TO %user", refused: "user",
		close: "REVOKE %devs FROM %user"},
	{name: "user reads all", sql: "GRANT pg_read_all_data TO %user", refused: "user",
		close: "REVOKE pg_read_all_data FROM %user"},
	{name: "harmless", sql: "GRANT %devs TO %owner; GRANT %ops TO %user; GRANT %all TO %editor"},
	{name: "person", sql: "GRANT %owner TO %person; GRANT %other TO %person; GRANT pg_read_all_data TO %person"},
}

// reach opens one way at a time: it is closed, or refused by the name of who has it.
func (x *suite) reach(t *testing.T) {
	for n, r := range reaches {
		t.Run(strings.ReplaceAll(r.name, " ", "_"), func(t *testing.T) {
			s := x.spec("webapp", "erp")
			app, other := &s.Instances[0], &s.Instances[1]
			names := map[string]string{"owner": app.OwnerRole(), "other": other.OwnerRole(), "editor": s.Editor.Name,
				"pooler": s.Pooler.Name, "user": s.DynamicPrefix + "user", "step": "pg/" + app.Database()}
			for _, role := range []string{"devs", "ops", "all", "person", "root", "foreign"} {
				names[role] = fmt.Sprintf("%s%d-%d", role, x.n, n)
			}
			var pairs []string
			for name, value := range names {
				pairs = append(pairs, "%"+name, q(value), "$"+name, value)
			}
			fill := strings.NewReplacer(pairs...).Replace
			app.Connect, other.Connect = []string{names["person"]}, []string{names["person"]}
			x.root(t, "", fill("CREATE ROLE %devs"), fill("CREATE ROLE %ops"), fill("CREATE ROLE %all"),
				fill("CREATE ROLE %person LOGIN"), fill("CREATE ROLE %root SUPERUSER"))
			x.provision(t, s)
			x.user(t, s, *app, "user", soon())
			x.converged(t, s)
			x.root(t, "", strings.Split(fill(r.sql), "; ")...)
			plan, err := x.Server.Plan(t.Context(), s)
			var ids []string
			for _, c := range plan.Changes() {
				ids = append(ids, c.ID)
				if c.Action == lab.Delete && c.Risk != lab.RiskDisrupt {
					t.Errorf("%s has risk %s", c.ID, c.Risk)
				}
			}
			slices.Sort(ids)
			if got := strings.Join(ids, " "); got != fill(r.revoked) {
				t.Errorf("planned\n%v\nwant %s", plan, fill(r.revoked))
			}
			if r.refused != "" {
				if !errors.Is(err, lab.ErrRefused) || !strings.Contains(err.Error(), "plan "+names[r.refused]+":") {
					t.Errorf("%v, want %s to be refused", err, names[r.refused])
				}
				x.root(t, "", fill(r.close))
			} else if err != nil {
				t.Fatal(err)
			}
			if report, err := plan.Apply(t.Context(), nil); err != nil {
				t.Fatalf("%v\n%v", err, report)
			}
			x.converged(t, s)
			if r.as != "" {
				want(t, x.as(t, names[r.as], userSecret, app.Database()), "42501", "SET ROLE "+q(names[r.set]))
			}
		})
	}
}
