package cloudflare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// zone is a zone as the API has it.
type zone struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Status      string   `json:"status"`
	NameServers []string `json:"name_servers"`
}

// inZone reports whether a name is that of the zone, or below it.
func inZone(name, zone string) bool { return name == zone || strings.HasSuffix(name, "."+zone) }

// zones returns the zones of the account, by their names: 50 in a request.
func (r *run) zones(ctx context.Context) (map[string]zone, error) {
	all, err := reconcile.Once(r.reads, "zones", func() (map[string]zone, error) {
		all, err := list[zone](ctx, r.client, request{path: "/zones", query: url.Values{"account.id": {r.account.ID}}}, 50)
		if err != nil {
			return nil, err
		}
		has := map[string]zone{}
		for _, z := range all {
			has[host(z.Name)] = z
		}
		return has, nil
	})
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.made) == 0 {
		return all, nil
	}
	all = maps.Clone(all)
	maps.Copy(all, r.made)
	return all, nil
}

// zoneOf returns the zone that a name is in.
func (r *run) zoneOf(ctx context.Context, name string) (zone, error) {
	all, err := r.zones(ctx)
	if err != nil {
		return zone{}, err
	}
	for rest, more := name, true; more; _, rest, more = strings.Cut(rest, ".") {
		if z, ok := all[rest]; ok {
			return z, nil
		}
	}
	return zone{}, r.fail("find zone", name, "create the zone first, or see whether the token may read it", lab.ErrNotFound,
		fmt.Sprintf("the account has no zone of it; it has %s", strings.Join(slices.Sorted(maps.Keys(all)), ", ")))
}

// NameServers returns the name servers that Cloudflare serves a zone of the account by: what its registrar must have. The error
// is a [lab.ErrNotFound] when there is no such zone.
func (a *Account) NameServers(ctx context.Context, zoneName string) ([]string, error) {
	if err := a.Validate().Err(); err != nil {
		return nil, err
	}
	r := &run{client: a.client(), reads: &reconcile.Reads{}}
	defer r.close()
	z, err := r.zoneOf(ctx, host(zoneName))
	if err == nil && host(z.Name) != host(zoneName) {
		err = r.fail("read name servers", zoneName, "", lab.ErrNotFound, "the account has no such zone")
	}
	return z.NameServers, err
}

// zoneKind are the zones: found, created if that is asked, and never deleted.
func (r *run) zoneKind() reconcile.Kind {
	want := map[string]Zone{}
	for _, z := range r.spec.Zones {
		want[host(z.Name)] = z
	}
	return reconcile.Collection[Zone, zone]{
		Name: "zone", Want: want, List: r.zones,
		Diff: func(key string, w Zone, h *zone) reconcile.Delta {
			switch {
			case h != nil:
				return reconcile.Delta{}
			case !w.Create:
				return reconcile.Delta{Err: r.fail("plan zone", key, "say that it shall be created, or see whether the token may read it",
					lab.ErrNotFound, "the account has no such zone")}
			}
			return reconcile.Delta{Action: lab.Create, Cause: "not found"}
		},
		Put: func(ctx context.Context, key string, _ Zone, _ *zone) error {
			var z zone
			err := r.send(ctx, request{method: http.MethodPost, path: "/zones", in: map[string]any{"name": key, "type": "full",
				"account": map[string]string{"id": r.account.ID}}}, &z)
			if says(err, codeZoneExists) { // in this account or in another
				err = patiently(ctx, func() (bool, error) {
					some, failed := list[zone](ctx, r.client, request{path: "/zones",
						query: url.Values{"account.id": {r.account.ID}, "name": {key}}}, 50)
					if failed != nil || len(some) == 0 {
						return failed != nil, errors.Join(err, failed)
					}
					z = some[0]
					return true, nil
				})
			}
			if err == nil {
				r.mu.Lock()
				defer r.mu.Unlock()
				if r.made == nil {
					r.made = map[string]zone{}
				}
				r.made[key] = z
			}
			return err
		},
	}
}

// setting is a setting of a zone as the API has it.
type setting struct {
	ID       string          `json:"id"`
	Value    json.RawMessage `json:"value"`
	Editable *bool           `json:"editable"`
}

// text is the value of a setting as a spec has it.
func (s setting) text() string {
	var text string
	if json.Unmarshal(s.Value, &text) == nil {
		return text
	}
	return compact(s.Value)
}

// compact writes JSON without what makes no difference.
func compact(raw []byte) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return string(raw)
	}
	return string(b)
}

// value is a wanted value as it is sent: a text where the API has a text, and JSON otherwise.
func (s setting) value(want string) (any, bool) {
	var text string
	if json.Unmarshal(s.Value, &text) == nil {
		return want, true
	}
	var v any
	err := json.Unmarshal([]byte(want), &v)
	return v, err == nil
}

func (r *run) settings() reconcile.Kind {
	want := map[string]string{}
	for _, z := range r.spec.Zones {
		for id, value := range z.Settings {
			want[host(z.Name)+"/"+id] = value
		}
	}
	return reconcile.Collection[string, setting]{
		Name: "setting", Want: want,
		List: func(ctx context.Context) (map[string]setting, error) {
			return r.listSettings(ctx, slices.Sorted(maps.Keys(want)))
		},
		Diff: r.diffSetting,
		Put: func(ctx context.Context, key string, w string, h *setting) error {
			name, id, _ := strings.Cut(key, "/")
			z, err := r.zoneOf(ctx, name)
			if err != nil {
				return err
			}
			if h == nil {
				h = &setting{}
				if err := r.get(ctx, path("zones", z.ID, "settings", id), h); err != nil {
					return err
				}
				if d := r.diffSetting(key, w, h); d.Action == "" {
					return d.Err
				}
			}
			value, _ := h.value(w)
			return r.send(ctx, request{method: http.MethodPatch, path: path("zones", z.ID, "settings", id),
				in: map[string]any{"value": value}}, nil)
		},
		After: func(key, _ string) []string {
			name, _, _ := strings.Cut(key, "/")
			return []string{"zone:" + name}
		},
	}
}

func (r *run) listSettings(ctx context.Context, keys []string) (map[string]setting, error) {
	zones, err := r.zones(ctx)
	if err != nil {
		return nil, err
	}
	has := map[string]setting{}
	found, err := reconcile.Each(ctx, r.account.parallel(), keys, func(ctx context.Context, key string) (s setting, err error) {
		name, id, _ := strings.Cut(key, "/")
		z, ok := zones[name]
		if !ok {
			return s, nil
		}
		return s, r.get(ctx, path("zones", z.ID, "settings", id), &s)
	})
	for n, key := range keys {
		if err == nil && found[n].ID != "" {
			has[key] = found[n]
		}
	}
	return has, err
}

func (r *run) diffSetting(key, w string, h *setting) reconcile.Delta {
	f := reconcile.Fields{}
	if h == nil { // of a zone that is to be created
		f.Text("value", w, "")
		d := f.Created(key)
		d.Cause = "the zone is new"
		return d
	}
	value, right := h.value(w)
	want := w
	if b, err := json.Marshal(value); right && err == nil {
		want = setting{Value: b}.text()
	}
	f.Text("value", want, h.text())
	d := f.Changed(key)
	switch {
	case d.Action == "":
		return d
	case h.Editable != nil && !*h.Editable:
		return reconcile.Delta{Err: r.fail("plan setting", key, "leave it out, or change the plan of the zone", lab.ErrBlocked,
			"the plan of the zone does not let it be changed: it is "+lab.Printable(h.text()))}
	case !right:
		return reconcile.Delta{Err: r.fail("plan setting", key, "write it in JSON, as "+lab.Printable(h.text()), lab.ErrInvalid,
			"its value is no text")}
	}
	d.Risk = lab.RiskDisrupt
	return d // a zone has all settings from its beginning: there is none of somebody else's to take over
}
