package vaultprov_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// prune removes what is ours, roles in engines included, and nothing else.
func (x *suite) prune(t *testing.T) {
	x.clear(t)
	spec, n := x.spec(t)
	x.last = n
	x.apply(t, spec)
	describe := x.foreign(t, n)
	before := describe()

	fewer := vaultprov.Spec{Stack: spec.Stack, Records: spec.Records, FingerprintKey: spec.FingerprintKey, Prune: true,
		MaxDeletes: 30, Mounts: spec.Mounts[1:], Auths: spec.Auths, Policies: spec.Policies[:1]}
	unpruned := fewer
	unpruned.Prune = false
	if p := x.plan(t, unpruned); !p.Empty() {
		t.Errorf("without prune:\n%v", p)
	}
	braked := fewer
	braked.MaxDeletes = 2
	if p, err := x.server.Plan(t.Context(), braked); lab.Kind(err) != lab.ErrRefused || !p.Empty() {
		t.Errorf("more than may be: %v\n%v", err, p)
	}
	other := fewer
	other.Stack = "another"
	if p := x.plan(t, other); !p.Empty() {
		t.Errorf("what is another stack's:\n%v", p)
	}

	// one list that fails stops all removals
	x.fail(func(req *http.Request) bool {
		return req.Method == "LIST" && strings.HasSuffix(req.URL.Path, "/policies/acl")
	},
		fake.HTTPFault{Status: http.StatusInternalServerError, Body: `{"errors":["no"]}`})
	if p, err := x.server.Plan(t.Context(), fewer); err == nil || !p.Empty() {
		t.Errorf("a list that fails: %v\n%v", err, p)
	}
	x.fail(nil, fake.HTTPFault{})

	p := x.apply(t, fewer)
	want := strings.ReplaceAll("-database-role:postgres-N/erp -connection:postgres-N/erp -approle:approle-N/admin "+
		"-jwt-role:gitea_jwt-N/gitea_cicd_erp -kubernetes-role:kubernetes-N/erp -policy:erpN-ops -mount:kvv1-N -audit:fileN", "N", n)
	if got := ids(p); got != want {
		t.Errorf("pruned %s\nwant   %s", got, want)
	}
	if after := describe(); after != before {
		t.Errorf("what is foreign was\n%s\nand is\n%s", before, after)
	}
	// no record is left of what was removed: another who uses the name is not taken for us
	x.must(t, "POST", "auth/approle-"+n+"/role/admin", "{}")
	if p := x.plan(t, fewer); !p.Empty() {
		t.Errorf("what others made later:\n%v", p)
	}
}

// adopt records as ours what another tool has made, which can be pruned then.
func (x *suite) adopt(t *testing.T) {
	x.clear(t)
	spec, n := x.spec(t)
	x.last = n
	theirs := spec
	theirs.Records, theirs.Prune = vaultprov.Records{}, false
	x.apply(t, theirs)
	if p := x.plan(t, spec); !p.Empty() {
		t.Errorf("what another tool made as it is wanted:\n%v", p)
	}
	spec.Adopt = true
	p := x.apply(t, spec)
	if got := ids(p); strings.Contains(got, "+") || !strings.Contains(got, "~policy:erp"+n+" ") || !strings.Contains(got, "~connection:") {
		t.Errorf("planned %s", got)
	}
	spec.Adopt, spec.AppRoles = false, nil
	if got := ids(x.apply(t, spec)); got != "-approle:approle-"+n+"/admin" {
		t.Errorf("planned %s", got)
	}
}

// stuckUsers keeps the connection of a role whose users could not be removed.
func (x *suite) stuckUsers(t *testing.T) {
	x.clear(t)
	spec, n := x.spec(t)
	x.last = n
	x.apply(t, spec)
	spec.Connections, spec.DatabaseRoles = nil, nil
	p := x.plan(t, spec)
	x.fail(func(req *http.Request) bool {
		return req.Method == "LIST" && strings.Contains(req.URL.Path, "/sys/leases/lookup/")
	},
		fake.HTTPFault{Status: http.StatusForbidden, Body: `{"errors":["permission denied"]}`})
	r, err := p.Apply(t.Context(), nil)
	x.fail(nil, fake.HTTPFault{})
	if lab.Kind(err) != lab.ErrUnauthorized || r.Count(lab.StatusDone) != 0 {
		t.Errorf("%v\n%v", err, r)
	}
	if got := ids(x.apply(t, spec)); got != "-database-role:postgres-"+n+"/erp -connection:postgres-"+n+"/erp" {
		t.Errorf("planned %s", got)
	}
}

// together lets two copies of the tool make the same at once.
func (x *suite) together(t *testing.T) {
	for range 5 {
		x.clear(t)
		spec, n := x.spec(t)
		x.last = n
		spec.Audits = nil // while one is enabled, others may fail
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i := range errs {
			wg.Go(func() {
				p, err := x.server.Plan(t.Context(), spec)
				if err == nil {
					_, err = p.Apply(t.Context(), nil)
				}
				errs[i] = err
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if p := x.plan(t, spec); !p.Empty() {
			t.Fatalf("still to do:\n%v", p)
		}
	}
}

// brokenRecord forgets what was removed by hand, so that nobody else's is removed later.
func (x *suite) brokenRecord(t *testing.T) {
	x.clear(t)
	spec, n := x.spec(t)
	x.last = n
	x.apply(t, spec)
	x.must(t, "DELETE", "auth/approle-"+n+"/role/admin", "")
	spec.AppRoles = nil
	if got := ids(x.apply(t, spec)); got != "-approle:approle-"+n+"/admin" {
		t.Errorf("planned %s", got)
	}
	x.must(t, "POST", "auth/approle-"+n+"/role/admin", "{}")
	if p := x.plan(t, spec); !p.Empty() {
		t.Errorf("what others made later:\n%v", p)
	}
}
