package cloudflare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// The scopes of permission groups, and how the resources begin that they are granted on.
const (
	scopeAccount = "com.cloudflare.api.account"
	scopeZone    = "com.cloudflare.api.account.zone"
	scopeBucket  = "com.cloudflare.edge.r2.bucket"
)

// group is a permission group as the API has it.
type group struct {
	ID     string   `json:"id"`
	Name   string   `json:"name,omitempty"`
	Scopes []string `json:"scopes,omitempty"`
}

// policy is a policy of a token as the API has it. A resource has "*", or resources below it.
type policy struct {
	Effect    string                     `json:"effect"`
	Groups    []group                    `json:"permission_groups"`
	Resources map[string]json.RawMessage `json:"resources"`
}

// right is one permission group on one resource: what is compared. The API returns policies, groups and resources in an
// order of its own, and zones below their account.
type right struct{ effect, group, resource string }

// rights takes policies apart. A resource whose value is not "*" is kept with it: it is none of what a Grant can say.
func rights(policies []policy) map[right]bool {
	all := map[right]bool{}
	for _, p := range policies {
		for _, resource := range flat(p.Resources) {
			for _, g := range p.Groups {
				all[right{p.Effect, g.ID, resource}] = true
			}
		}
	}
	return all
}

// flat returns the resources of a policy without those that others are below of.
func flat(resources map[string]json.RawMessage) (all []string) {
	for name, raw := range resources {
		var value string
		var below map[string]json.RawMessage
		switch {
		case json.Unmarshal(raw, &value) == nil:
			if value != "*" {
				name += "=" + value
			}
			all = append(all, name)
		case json.Unmarshal(raw, &below) == nil:
			all = append(all, flat(below)...)
		default:
			all = append(all, name+"="+string(raw))
		}
	}
	return all
}

// policies puts rights together again: one policy for each set of groups, and never two scopes in one. All zones stand below
// the account: for a token of an account, the API takes them in no other way.
func (r *run) policies(all map[right]bool) []policy {
	groups := map[[2]string][]string{} // of an effect and a resource
	for x := range all {
		groups[[2]string{x.effect, x.resource}] = append(groups[[2]string{x.effect, x.resource}], x.group)
	}
	byGroups := map[string]*policy{}
	var keys []string
	for on, ids := range groups {
		slices.Sort(ids)
		key := scopeOf(on[1]) + " " + on[0] + " " + strings.Join(ids, " ")
		p := byGroups[key]
		if p == nil {
			p = &policy{Effect: on[0], Resources: map[string]json.RawMessage{}}
			for _, id := range ids {
				p.Groups = append(p.Groups, group{ID: id})
			}
			byGroups[key] = p
			keys = append(keys, key)
		}
		if on[1] == scopeZone+".*" {
			p.Resources[scopeAccount+"."+r.account.ID] = json.RawMessage(`{"` + on[1] + `":"*"}`)
			continue
		}
		p.Resources[on[1]] = json.RawMessage(`"*"`)
	}
	slices.Sort(keys)
	var policies []policy
	for _, key := range keys {
		policies = append(policies, *byGroups[key])
	}
	return policies
}

// scopeOf returns the scope of a resource. All zones do not mix with single ones, as they stand below the account.
func scopeOf(resource string) string {
	switch {
	case strings.HasPrefix(resource, scopeZone+"."):
		return scopeZone
	case strings.HasPrefix(resource, scopeBucket+"."):
		return scopeBucket
	}
	return scopeAccount
}

// groups returns all permission groups, which the API gives at once.
func (r *run) groups(ctx context.Context) ([]group, error) {
	return reconcile.Once(r.reads, "groups", func() ([]group, error) {
		var all []group
		err := r.send(ctx, request{method: http.MethodGet, path: r.inAccount("tokens", "permission_groups")}, &all)
		return all, err
	})
}

// group returns the ID of the group of this name and scope.
func (r *run) group(ctx context.Context, key, name, scope string) (string, error) {
	all, err := r.groups(ctx)
	if err != nil {
		return "", err
	}
	var found []string
	var near, elsewhere []string // names in the scope, and scopes of the name
	for _, g := range all {
		switch in := slices.Contains(g.Scopes, scope); {
		case in && g.Name == name:
			found = append(found, g.ID)
		case in:
			near = append(near, g.Name)
		case g.Name == name:
			elsewhere = append(elsewhere, g.Scopes...)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", r.fail("plan token", key, "rename none of them here: it is for Cloudflare to tell them apart", lab.ErrConflict,
			fmt.Sprintf("%d permission groups are called %q", len(found), name))
	case len(elsewhere) > 0:
		return "", r.fail("plan token", key, "grant it on "+strings.Join(named(elsewhere), ", or on "), lab.ErrInvalid,
			fmt.Sprintf("the permission group %q cannot be granted on %s", name, named([]string{scope})[0]))
	}
	return "", r.fail("plan token", key, nearby(name, near), lab.ErrNotFound,
		fmt.Sprintf("there is no permission group %q for %s", name, named([]string{scope})[0]))
}

// named says scopes in words.
func named(scopes []string) (all []string) {
	for _, s := range scopes {
		switch s {
		case scopeAccount:
			s = "the account"
		case scopeZone:
			s = "zones"
		case scopeBucket:
			s = "buckets"
		}
		all = append(all, s)
	}
	return all
}

// nearby is a hint with the names that look like one that there is not.
func nearby(name string, names []string) string {
	near := []string{}
	if n := lab.Nearest(name, names); n != "" {
		near = append(near, n)
	}
	first, _, _ := strings.Cut(strings.ToLower(name), " ")
	for _, n := range names {
		if strings.Contains(strings.ToLower(n), first) && !slices.Contains(near, n) && len(near) < 6 {
			near = append(near, n)
		}
	}
	if len(near) == 0 {
		return "see the names of permission groups in the documentation of Cloudflare's API tokens"
	}
	return "there are: " + strings.Join(near, ", ")
}

// unmade is a zone that the same plan creates: its ID is known when it is applied.
const unmade = scopeZone + ".zone to be created: "

// wanted returns the rights that the grants of a token say.
func (r *run) wanted(ctx context.Context, w Token) (map[right]bool, error) {
	all := map[right]bool{}
	var errs []error
	for _, g := range w.Grants {
		resources, err := r.resources(ctx, w.Name, g)
		errs = append(errs, err)
		for _, resource := range resources {
			for _, name := range g.Permissions {
				id, err := r.group(ctx, w.Name, name, scopeOf(resource))
				errs = append(errs, err)
				all[right{"allow", id, resource}] = true
			}
		}
	}
	return all, errors.Join(errs...)
}

// resources returns what a grant is about.
func (r *run) resources(ctx context.Context, token string, g Grant) (all []string, err error) {
	if g.Account {
		all = append(all, scopeAccount+"."+r.account.ID)
	}
	for _, key := range g.Buckets {
		jurisdiction, name := splitBucket(key)
		all = append(all, scopeBucket+"."+r.account.ID+"_"+jurisdiction+"_"+name)
	}
	for _, name := range g.Zones {
		if name == "*" {
			all = append(all, scopeZone+".*")
			continue
		}
		name = host(name)
		zones, err := r.zones(ctx)
		if err != nil {
			return nil, err
		}
		z, ok := zones[name]
		switch {
		case ok:
			all = append(all, scopeZone+"."+z.ID)
		case slices.ContainsFunc(r.spec.Zones, func(z Zone) bool { return z.Create && host(z.Name) == name }):
			all = append(all, unmade+name)
		default:
			_, err := r.zoneOf(ctx, name)
			if err == nil {
				err = r.fail("plan token", token, "write the name of a zone, not one in it", lab.ErrInvalid, lab.Printable(name)+" is no zone")
			}
			return nil, err
		}
	}
	return all, nil
}

// said returns rights for people: "DNS Write on zone arcodange.fr".
func (r *run) said(ctx context.Context, all map[right]bool) (texts []string) {
	groups, _ := r.groups(ctx)
	zones, _ := r.zones(ctx)
	for x := range all {
		name, on := x.group, x.resource
		for _, g := range groups {
			if g.ID == x.group {
				name = g.Name
			}
		}
		switch {
		case on == scopeAccount+"."+r.account.ID:
			on = "the account"
		case on == scopeZone+".*":
			on = "all zones"
		case strings.HasPrefix(on, scopeBucket+"."):
			on = "bucket " + strings.Replace(strings.TrimPrefix(on, scopeBucket+"."+r.account.ID+"_"), "_", "/", 1)
		case strings.HasPrefix(on, unmade):
			on = "zone " + strings.TrimPrefix(on, unmade)
		}
		for _, z := range zones {
			if on == scopeZone+"."+z.ID {
				on = "zone " + z.Name
			}
		}
		text := name + " on " + on
		if x.effect != "allow" {
			text = x.effect + " " + text
		}
		texts = append(texts, text)
	}
	slices.Sort(texts)
	return texts
}
