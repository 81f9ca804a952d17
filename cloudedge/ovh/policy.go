package ovh

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

const policiesPath = "/v2/iam/policy"

type named struct {
	Action string `json:"action"`
}

type resourceURN struct {
	URN string `json:"urn"`
}

// permissions are those of a policy.
type permissions struct {
	Allow  []named `json:"allow"`
	Except []named `json:"except"`
	Deny   []named `json:"deny"`
}

// iamPolicy is a policy as the API has it. What the spec says nothing of is sent back as it came: a PUT is of the
// whole.
type iamPolicy struct {
	ID                string          `json:"id,omitempty"`
	Name              string          `json:"name"`
	Description       string          `json:"description"`
	ReadOnly          bool            `json:"readOnly,omitempty"`
	Identities        []string        `json:"identities"`
	Resources         []resourceURN   `json:"resources"`
	Permissions       permissions     `json:"permissions"`
	PermissionsGroups []resourceURN   `json:"permissionsGroups,omitempty"`
	Conditions        json.RawMessage `json:"conditions,omitempty"`
	ExpiredAt         *string         `json:"expiredAt,omitempty"`
}

func (p *iamPolicy) allowed() (all []string) {
	for _, a := range p.Permissions.Allow {
		all = append(all, a.Action)
	}
	return all
}

func (p *iamPolicy) urns() (all []string) {
	for _, res := range p.Resources {
		all = append(all, res.URN)
	}
	return all
}

// actions are all that the policy allows.
func (p *Policy) actions() []string {
	all := append(Actions(p.Purposes...), p.Allow...)
	slices.Sort(all)
	return slices.Compact(all)
}

func (r *run) policies() reconcile.Kind {
	want := map[string]Policy{}
	for _, p := range r.spec.Policies {
		want[p.Name] = p
	}
	return reconcile.Collection[Policy, iamPolicy]{
		Name: "policy", Want: want,
		List: func(ctx context.Context) (map[string]iamPolicy, error) { return r.listPolicies(ctx, want) },
		Diff: r.diffPolicy,
		Put:  r.putPolicy,
		After: func(_ string, w Policy) (after []string) {
			for _, c := range w.Clients {
				after = append(after, "client:"+c)
			}
			return after
		},
		Owned: func(_ string, h iamPolicy) bool { _, ours := r.ours(h.Description, "policy"); return ours },
		Delete: func(ctx context.Context, _ string, h iamPolicy) error {
			if err := r.send(ctx, http.MethodDelete, policiesPath+path(h.ID), nil, nil); !absent(err) {
				return err
			}
			return nil
		},
		Loss: lab.RiskDisrupt,
	}
}

// listPolicies reads all policies, but those that OVH manages. Where one differs, it reads which actions there are too.
func (r *run) listPolicies(ctx context.Context, want map[string]Policy) (map[string]iamPolicy, error) {
	all, err := list[iamPolicy](ctx, r.client, policiesPath)
	if err != nil {
		return nil, err
	}
	has := map[string]iamPolicy{}
	for _, p := range all {
		if !p.ReadOnly {
			has[p.Name] = p
		}
	}
	r.current = map[string]string{}
	if len(r.spec.Clients) > 0 {
		clients, err := r.listClients(ctx)
		if err != nil {
			return nil, err
		}
		for name, i := range clients {
			if c, ok := i.current(); ok {
				r.current[name] = c.Identity
			}
		}
	}
	r.unknown = nil
	for name, w := range want {
		h, exists := has[name]
		if exists && delta(name, true, r.policyFields(w, &h)...).Action == "" {
			continue
		}
		if r.unknown, err = r.unknownActions(ctx, want); err != nil {
			return nil, err
		}
		break
	}
	return has, nil
}

// unknownActions returns the actions of each policy that the API does not know.
func (r *run) unknownActions(ctx context.Context, want map[string]Policy) (map[string][]string, error) {
	types := map[string]bool{}
	for _, w := range want {
		for _, a := range w.actions() {
			t, _, _ := strings.Cut(a, ":")
			types[t] = true
		}
	}
	known := map[string]bool{}
	for t := range types {
		actions, err := list[named](ctx, r.client, "/v2/iam/reference/action?resourceType="+t)
		if err != nil {
			return nil, err
		}
		for _, a := range actions {
			known[a.Action] = true
		}
	}
	unknown := map[string][]string{}
	for name, w := range want {
		for _, a := range w.actions() {
			if !known[a] {
				unknown[name] = append(unknown[name], a)
			}
		}
	}
	return unknown, nil
}

// notMade is the identity of a client that is made by the same plan.
const notMade = "(of the client "

// identities are those that a policy shall have, as far as they are known.
func (r *run) identities(w Policy) []string {
	all := slices.Clone(w.Identities)
	for _, c := range w.Clients {
		urn := r.current[c]
		if urn == "" {
			urn = notMade + c + ")"
		}
		all = append(all, urn)
	}
	return all
}

func (r *run) policyFields(w Policy, h *iamPolicy) []field {
	return []field{
		{"description", r.described(w.Description, "policy", w.Name), h.Description},
		{"identities", set(r.identities(w)), set(h.Identities)},
		{"resources", set(w.Resources), set(h.urns())},
		{"actions", set(w.actions()), set(h.allowed())},
	}
}

func (r *run) diffPolicy(key string, w Policy, h *iamPolicy) reconcile.Delta {
	d := reconcile.Delta{}
	if h == nil {
		d = delta(key, false, r.policyFields(w, &iamPolicy{})...)
	} else {
		fields := r.policyFields(w, h)
		d = delta(key, true, fields...)
		if _, ours := r.ours(h.Description, "policy"); !ours {
			equal := delta(key, true, fields[1:]...).Action == ""
			switch {
			case equal && r.conflictingStack(h.Description) == "":
				d = reconcile.Delta{}
			case !r.spec.Adopt || r.conflictingStack(h.Description) != "":
				return reconcile.Delta{Err: r.conflict("policy", key, h.Description)}
			}
		}
	}
	if unknown := r.unknown[key]; d.Action != "" && len(unknown) > 0 {
		return reconcile.Delta{Err: r.fail("plan policy", key, "see /v2/iam/reference/action", lab.ErrInvalid,
			"OVH knows no action "+lab.Printable(strings.Join(unknown, ", ")))}
	}
	return d
}

// putPolicy writes the whole policy, with what the spec says nothing of as it was.
func (r *run) putPolicy(ctx context.Context, key string, w Policy, h *iamPolicy) error {
	p := iamPolicy{}
	if h != nil {
		p = *h
	}
	p.Name, p.Description = key, r.described(w.Description, "policy", key)
	p.Identities = slices.Clone(w.Identities)
	for _, c := range w.Clients {
		urn, err := r.identity(ctx, c)
		if err != nil {
			return err
		}
		p.Identities = append(p.Identities, urn)
	}
	p.Resources, p.Permissions.Allow = nil, nil
	for _, urn := range w.Resources {
		p.Resources = append(p.Resources, resourceURN{urn})
	}
	for _, a := range w.actions() {
		p.Permissions.Allow = append(p.Permissions.Allow, named{a})
	}
	id := p.ID
	p.ID, p.ReadOnly = "", false
	if id == "" {
		return r.createPolicy(ctx, p)
	}
	return r.send(ctx, http.MethodPut, policiesPath+path(id), p, nil)
}

// createPolicy creates a policy, and waits until the list shows it, as the next plan looks there. One of the name that
// is ours, which was not listed yet, becomes this one.
func (r *run) createPolicy(ctx context.Context, p iamPolicy) error {
	made := r.send(ctx, http.MethodPost, policiesPath, p, nil)
	if made != nil && status(made) != http.StatusConflict {
		return made
	}
	var listed iamPolicy
	err := r.until(ctx, "the policy "+p.Name, func(ctx context.Context) (bool, error) {
		all, err := list[iamPolicy](ctx, r.client, policiesPath)
		n := slices.IndexFunc(all, func(o iamPolicy) bool { return o.Name == p.Name })
		if n >= 0 {
			listed = all[n]
		}
		return n >= 0, err
	})
	if err != nil || made == nil {
		return err
	}
	if _, ours := r.ours(listed.Description, "policy"); !ours {
		return made
	}
	return r.send(ctx, http.MethodPut, policiesPath+path(listed.ID), p, nil)
}
