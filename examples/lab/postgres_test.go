package main

import (
	"slices"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/pgtest"
)

// TestDatabaseIDs keeps what a selection chooses from in step with what package pgprov plans.
func TestDatabaseIDs(t *testing.T) {
	server := pgtest.New(t, pgtest.Config{})
	d := &database{server: server.Access(), spec: pgprov.Spec{
		Editor: pgprov.Login{Password: lab.NewSecret("a")}, Pooler: pgprov.Login{Password: lab.NewSecret("b")},
		Instances: []pgprov.Instance{{Instance: lab.App("erp").In("sandbox")},
			{Instance: lab.App("web").In(lab.Prod)}}}}
	plan, err := d.server.Plan(t.Context(), d.spec)
	if err != nil {
		t.Fatal(err)
	}
	ids := d.ids()
	for _, c := range plan.Changes() {
		if !slices.Contains(ids, c.ID) {
			t.Errorf("a selection does not know %s", c.ID)
		}
	}
	if n := len(plan.Changes()); 2*n != len(ids) { // each by itself too
		t.Errorf("%d changes, and a selection knows %d IDs", n, len(ids))
	}
}
