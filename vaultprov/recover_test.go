package vaultprov_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/vaulttest"
)

// TestSweep: leases that ended while the database was away are revoked when it is back, and not forgotten before.
func TestSweep(t *testing.T) {
	f := vaulttest.New(t, vaulttest.Config{})
	v := serving{f.Access(), f.Root()}
	v.asRoot(t, "POST", "sys/mounts/postgres", map[string]any{"type": "database"})
	v.asRoot(t, "POST", "postgres/config/erp", map[string]any{"plugin_name": "postgresql-database-plugin",
		"connection_url": "x", "allowed_roles": "erp,cms"})
	for _, role := range []string{"erp", "cms"} {
		v.asRoot(t, "POST", "postgres/roles/"+role, map[string]any{"db_name": "erp", "creation_statements": "x",
			"default_ttl": "1h"})
		v.asRoot(t, "GET", "postgres/creds/"+role, nil)
	}
	if p, err := v.Sweep(t.Context(), ""); err != nil || !p.Empty() {
		t.Fatalf("nothing has ended: %v, %v", p, err)
	}
	f.FailRevocations(true)
	f.Advance(2 * time.Hour)
	p, err := v.Sweep(t.Context(), "postgres/creds/erp")
	if err != nil || len(p.Changes()) != 1 || !strings.Contains(p.String(), "unable to drop the user") {
		t.Fatalf("%v, %v", p, err)
	}
	if r, err := p.Apply(t.Context(), nil); err == nil || r.Complete() {
		t.Error("the database is still away")
	}
	f.FailRevocations(false)
	for n, want := range []int{2, 0} {
		p, err := v.Sweep(t.Context(), "")
		if err != nil || len(p.Changes()) != want {
			t.Errorf("sweep %d: %v, %v", n, p, err)
		}
		if _, err := p.Apply(t.Context(), nil); err != nil {
			t.Errorf("sweep %d: %v", n, err)
		}
	}
}

// TestSweepReads: a plan of a real Vault, which has nothing to sweep.
func TestSweepReads(t *testing.T) {
	onBothServing(t, func(t *testing.T, v serving) {
		if p, err := v.Sweep(t.Context(), ""); err != nil || !p.Empty() {
			t.Errorf("%v, %v", p, err)
		}
		other := *v.Server
		other.Cluster = "another"
		if _, err := other.Sweep(t.Context(), ""); !errors.Is(err, lab.ErrRefused) {
			t.Errorf("another cluster: %v", err)
		}
	})
}

func TestCheckSynced(t *testing.T) {
	unsealed := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	earlier, later := unsealed.Add(-time.Hour), unsealed.Add(time.Minute)
	before := []vaultprov.Synced{{Name: "erp/db", Ready: true, Lease: "a", Renewed: earlier},
		{Name: "gone/db", Ready: true, Lease: "x", Renewed: earlier}}
	for _, test := range []struct {
		now     vaultprov.Synced
		verdict lab.Verdict
		says    string
	}{
		{vaultprov.Synced{Name: "erp/db", Ready: true, Lease: "b", Renewed: later}, lab.VerdictOK,
			"synced at 2026-01-02T03:05:05Z"},
		{vaultprov.Synced{Name: "erp/db", Ready: true, Lease: "a", Renewed: later}, lab.VerdictWarning,
			"lease of before"},
		{vaultprov.Synced{Name: "erp/db", Ready: true, Lease: "a", Renewed: earlier}, lab.VerdictBad,
			"Vault was unsealed at"},
		{vaultprov.Synced{Name: "erp/db", Said: "Vault is\n sealed"}, lab.VerdictBad, "not synced: Vault is sealed"},
		{vaultprov.Synced{Name: "new/config", Ready: true, Renewed: later}, lab.VerdictOK, "synced"},
	} {
		found := vaultprov.CheckSynced(unsealed, before[:1], []vaultprov.Synced{test.now})
		if found[0].Verdict != test.verdict || !strings.Contains(found[0].Text, test.says) ||
			(found[0].Hint == "") != (test.verdict == lab.VerdictOK) {
			t.Errorf("%+v, want %s with %q", found[0], test.verdict, test.says)
		}
	}
	found := vaultprov.CheckSynced(unsealed, before, []vaultprov.Synced{{Name: "erp/db", Ready: true, Lease: "b",
		Renewed: later}})
	if len(found) != 2 || found[1].Target != "gone/db" || found[1].Verdict != lab.VerdictBad {
		t.Errorf("%+v", found)
	}
}
