package ovh

import (
	"context"
	"fmt"
	"net/http"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// dsRecords are the DS records that are to be removed from the registry.
func (r *run) dsRecords() reconcile.Kind {
	want := map[string]Delegation{}
	for _, d := range r.spec.Delegations {
		if d.RemoveDS {
			want[d.Domain] = d
		}
	}
	return reconcile.Collection[Delegation, *domainState]{
		Name: "ds", Want: want,
		List: r.listDomains,
		Diff: func(_ string, w Delegation, h **domainState) reconcile.Delta {
			// That there is no such domain, the delegation says. A key of name servers that are as they are wanted is
			// theirs.
			if h == nil || !(*h).guarded() || (*h).settled(w.hosts()) {
				return reconcile.Delta{}
			}
			return reconcile.Delta{Action: lab.Update, Risk: lab.RiskDisrupt,
				Cause: fmt.Sprintf("DNSSEC is %s, and the registry has %d keys; they are removed", (*h).dnssec, (*h).keys)}
		},
		Put: func(ctx context.Context, key string, _ Delegation, h **domainState) error {
			return r.removeDS(ctx, key, *h)
		},
	}
}

// removeDS ends DNSSEC: of a zone that OVH signs, by ending that, which removes the DS record; of another, by an empty
// list of keys.
func (r *run) removeDS(ctx context.Context, domain string, h *domainState) error {
	if h.signed {
		err := r.send(ctx, http.MethodDelete, zonePath(domain, "dnssec"), nil, nil)
		if err != nil && !absent(err) {
			return err
		}
	}
	if h.keys > 0 {
		var t task
		if err := r.send(ctx, http.MethodPost, domainPath(domain, "dsRecord"), map[string]any{"keys": []any{}}, &t); err != nil {
			return err
		}
		if err := r.follow(ctx, domain, t); err != nil {
			return err
		}
	}
	return r.until(ctx, "the end of DNSSEC of "+domain, func(ctx context.Context) (bool, error) {
		var d struct {
			DNSSEC string `json:"dnssecState"`
		}
		if err := r.get(ctx, domainPath(domain), &d); err != nil || d.DNSSEC == "enabled" {
			return false, err
		}
		var keys []int64
		if err := r.get(ctx, domainPath(domain, "dsRecord"), &keys); err != nil {
			return false, err
		}
		var z struct {
			Signed bool `json:"dnssecActivated"`
		}
		err := r.get(ctx, zonePath(domain), &z)
		if absent(err) {
			err = nil
		}
		return err == nil && len(keys) == 0 && !z.Signed, err
	})
}
