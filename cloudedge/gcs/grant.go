package gcs

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// policy is who may do what with a bucket. What is in it is sent back as it came, but for our members.
type policy struct {
	Version  int       `json:"version,omitempty"`
	Kind     string    `json:"kind,omitempty"`
	Resource string    `json:"resourceId,omitempty"`
	Etag     string    `json:"etag,omitempty"`
	Bindings []binding `json:"bindings"`
}

type binding struct {
	Role      string         `json:"role"`
	Members   []string       `json:"members,omitempty"`
	Condition map[string]any `json:"condition,omitempty"`
}

// granted is what an account has been granted on a bucket.
type granted struct {
	roles []string // without a condition
	gone  []string // roles of an account of this name that was removed: another identity
	ours  bool     // the account has our mark
}

const memberPrefix = "serviceAccount:"

// deletedMember begins what an account that was removed is called: deleted:serviceAccount:EMAIL?uid=123.
func deletedMember(email string) string { return "deleted:" + memberPrefix + email + "?uid=" }

// rolesOf returns what a policy grants to an account. What is bound to a condition is somebody else's business.
func (p *policy) rolesOf(email string) (g granted) {
	for _, b := range p.Bindings {
		for _, m := range b.Members {
			switch {
			case b.Condition != nil:
			case m == memberPrefix+email:
				g.roles = append(g.roles, b.Role)
			case strings.HasPrefix(m, deletedMember(email)):
				g.gone = append(g.gone, b.Role)
			}
		}
	}
	return g
}

// grant makes the roles exactly those that an account has without a condition.
func (p *policy) grant(email string, roles []string) {
	ours := func(m string) bool { return m == memberPrefix+email || strings.HasPrefix(m, deletedMember(email)) }
	left := slices.Clone(roles)
	for n := range p.Bindings {
		b := &p.Bindings[n]
		if b.Condition != nil {
			continue
		}
		b.Members = slices.DeleteFunc(slices.Clone(b.Members), ours)
		if slices.Contains(left, b.Role) {
			b.Members = append(b.Members, memberPrefix+email)
			left = slices.DeleteFunc(left, func(role string) bool { return role == b.Role })
		}
	}
	for _, role := range left {
		p.Bindings = append(p.Bindings, binding{Role: role, Members: []string{memberPrefix + email}})
	}
	p.Bindings = slices.DeleteFunc(p.Bindings, func(b binding) bool { return len(b.Members) == 0 })
}

func (r *run) grants() reconcile.Kind {
	want := map[string]Grant{}
	for _, b := range r.spec.Buckets {
		for _, g := range b.Grants {
			want[b.Name+"/"+g.Account] = g
		}
	}
	return reconcile.Collection[Grant, granted]{
		Name: "grant", Want: want,
		List: r.listGrants,
		Diff: func(key string, w Grant, h *granted) reconcile.Delta {
			has := granted{}
			if h != nil {
				has = *h
			}
			d := delta(key, len(has.roles) > 0, []field{{"roles", set(w.Roles), set(has.roles)}})
			if d.Action == "" && len(has.gone) > 0 {
				d = reconcile.Delta{Action: lab.Update, Cause: "an account of this name that was removed still has " + set(has.gone)}
			}
			return d
		},
		Put: func(ctx context.Context, key string, w Grant, _ *granted) error { return r.putGrant(ctx, key, w.Roles) },
		After: func(key string, w Grant) []string {
			bucket, _, _ := strings.Cut(key, "/")
			return []string{"bucket:" + bucket, "account:" + w.Account}
		},
		Owned:  func(_ string, h granted) bool { return h.ours },
		Delete: func(ctx context.Context, key string, _ granted) error { return r.putGrant(ctx, key, nil) },
		Loss:   lab.RiskDisrupt,
	}
}

// listGrants reads the policy of each wanted bucket that is there, and what it says of the accounts.
func (r *run) listGrants(ctx context.Context) (map[string]granted, error) {
	buckets, err := r.listBuckets(ctx)
	if err != nil {
		return nil, err
	}
	accounts := map[string]serviceAccount{}
	if len(r.spec.Accounts) > 0 || r.spec.Prune {
		if accounts, err = r.listAccounts(ctx); err != nil {
			return nil, err
		}
	}
	has := map[string]granted{}
	for _, w := range r.spec.Buckets {
		b, exists := buckets[w.Name]
		if !exists || b.refused != nil || !r.spec.Prune && len(w.Grants) == 0 {
			continue
		}
		p, err := r.readPolicy(ctx, w.Name)
		if err != nil {
			return nil, err
		}
		for name, a := range accounts {
			g := p.rolesOf(r.email(name))
			g.ours = r.marked(name, a)
			wanted := slices.ContainsFunc(w.Grants, func(g Grant) bool { return g.Account == name })
			if (g.ours || wanted) && len(g.roles)+len(g.gone) > 0 {
				has[w.Name+"/"+name] = g
			}
		}
	}
	return has, nil
}

// readPolicy reads who may do what with a bucket, with conditions: an older version would leave them out, and lose them when it
// is written.
func (r *run) readPolicy(ctx context.Context, bucket string) (p policy, err error) {
	err = r.get(ctx, bucketPath(bucket, "iam")+"?optionsRequestedPolicyVersion=3", &p)
	return p, err
}

// putGrant makes the roles exactly those that an account has on a bucket. A new account may not be known for about a minute.
func (r *run) putGrant(ctx context.Context, key string, roles []string) error {
	bucket, account, _ := strings.Cut(key, "/")
	email := r.email(account)
	return r.until(ctx, "the account "+account+" to be known", func(ctx context.Context) (bool, error) {
		err := r.conditional(ctx, func() error {
			p, err := r.readPolicy(ctx, bucket)
			if err != nil {
				return err
			}
			if g := p.rolesOf(email); set(g.roles) == set(roles) && len(g.gone) == 0 {
				return nil // a run whose answer was lost has done it
			}
			p.grant(email, roles)
			p.Version = 3
			return r.send(ctx, http.MethodPut, bucketPath(bucket, "iam"), p, nil)
		})
		if status(err) == http.StatusBadRequest && strings.Contains(err.Error(), "does not exist") {
			return false, nil
		}
		return true, err
	})
}
