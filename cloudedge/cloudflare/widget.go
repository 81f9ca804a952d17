package cloudflare

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/credential"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// widget is a Turnstile widget as the API has it. Its secret is in no list, but in the widget by itself.
type widget struct {
	Sitekey   string   `json:"sitekey"`
	Name      string   `json:"name"`
	Domains   []string `json:"domains"`
	Mode      string   `json:"mode"`
	Clearance string   `json:"clearance_level,omitempty"`
	BotFight  bool     `json:"bot_fight_mode"`
	Offlabel  bool     `json:"offlabel"`
	Ephemeral bool     `json:"ephemeral_id"`

	secret lab.Secret
	twice  bool              // there is another of this name
	kept   map[string]string // what differs in the sink
}

func (w Widget) entry() string { return cmp.Or(w.Secret, "cloudflare-widget-"+w.Name) }

// SecretName returns the name in the sink of the widget's secret; the key of the site, which is none, is beside it.
func (w Widget) SecretName() string { return credential.Field(w.entry(), "secret") }

func (w widget) secrets() map[string]lab.Secret {
	return map[string]lab.Secret{"secret": w.secret, "sitekey": lab.NewSecret(w.Sitekey)}
}

// widgets are the Turnstile widgets, which are known by their names. None is removed: pages have its key.
func (r *run) widgets() reconcile.Kind {
	want := map[string]Widget{}
	for _, w := range r.spec.Widgets {
		want[w.Name] = w
	}
	return reconcile.Collection[Widget, widget]{
		Name: "widget", Want: want,
		List: func(ctx context.Context) (map[string]widget, error) { return r.listWidgets(ctx, want) },
		Diff: r.diffWidget,
		Put:  r.putWidget,
	}
}

func (r *run) widgetsPath(sitekey ...string) string {
	return r.inAccount(append([]string{"challenges", "widgets"}, sitekey...)...)
}

func (r *run) listWidgets(ctx context.Context, want map[string]Widget) (map[string]widget, error) {
	all, err := list[widget](ctx, r.client, request{path: r.widgetsPath()}, 50)
	if err != nil {
		return nil, err
	}
	has := map[string]widget{}
	for _, h := range all {
		w, wanted := want[h.Name]
		if !wanted {
			continue
		}
		if first, twice := has[h.Name]; twice { // names are not unique: the one whose key is kept is ours
			kept, err := r.spec.Sink.Get(ctx, credential.Field(w.entry(), "sitekey"))
			if err != nil && !errors.Is(err, lab.ErrNotFound) {
				return nil, err
			}
			h.twice = kept.Reveal() != h.Sitekey
			if kept.Reveal() == first.Sitekey {
				first.twice = false
				h = first
			}
		}
		has[h.Name] = h
	}
	keys := slices.Sorted(maps.Keys(has))
	found, err := reconcile.Each(ctx, r.account.parallel(), keys, func(ctx context.Context, key string) (widget, error) {
		return r.describeWidget(ctx, want[key], has[key])
	})
	for n, key := range keys {
		if err == nil {
			has[key] = found[n]
		}
	}
	return has, err
}

// describeWidget reads the secret of a widget, and whether it is kept.
func (r *run) describeWidget(ctx context.Context, w Widget, h widget) (widget, error) {
	var shown struct {
		Secret string `json:"secret"`
	}
	if err := r.get(ctx, r.widgetsPath(h.Sitekey), &shown); err != nil {
		return h, err
	}
	if shown.Secret == "" {
		return h, r.fail("read widget", h.Name, "give a token with the permission Turnstile Sites Write", lab.ErrUnauthorized,
			"its secret is not shown")
	}
	h.secret = lab.NewSecret(shown.Secret)
	var err error
	h.kept, err = r.differIn(ctx, w.entry(), h.secrets())
	return h, err
}

func widgetFields(w Widget, h widget) (f reconcile.Fields) {
	f.Set("domains", w.Domains, h.Domains)
	f.Text("mode", w.Mode, h.Mode)
	return f
}

func (r *run) diffWidget(key string, w Widget, h *widget) reconcile.Delta {
	if h == nil {
		return widgetFields(w, widget{}).Created(key)
	}
	if h.twice {
		return reconcile.Delta{Err: r.fail("plan widget", key, "delete or rename those that no page uses", lab.ErrConflict,
			"there are several of this name")}
	}
	d := r.unmarked("widget", key, widgetFields(w, *h).Changed(key))
	if d.Err != nil {
		return d
	}
	if d.Action != "" {
		d.Risk = lab.RiskDisrupt
	}
	for _, name := range slices.Sorted(maps.Keys(h.kept)) {
		d.Action, d.Cause = lab.Update, joined(d.Cause, name+" "+h.kept[name]+" in "+r.spec.Sink.String())
	}
	return d
}

func (r *run) putWidget(ctx context.Context, _ string, w Widget, h *widget) error {
	switch {
	case h == nil:
		var made widget
		if err := r.spec.Sink.Prove(ctx); err != nil {
			return err
		}
		if err := r.send(ctx, request{method: http.MethodPost, path: r.widgetsPath(), in: map[string]any{"name": w.Name, "domains": w.Domains,
			"mode": cmp.Or(w.Mode, "managed")}}, &made); err != nil {
			return err
		}
		made, err := r.describeWidget(ctx, w, made)
		if err != nil {
			return err
		}
		h = &made
	case len(widgetFields(w, *h).Differ()) > 0:
		in := map[string]any{"name": w.Name, "domains": w.Domains, "mode": cmp.Or(w.Mode, h.Mode), "bot_fight_mode": h.BotFight,
			"offlabel": h.Offlabel}
		if h.Ephemeral {
			in["ephemeral_id"] = true
		}
		if h.Clearance != "" {
			in["clearance_level"] = h.Clearance
		}
		if err := r.send(ctx, request{method: http.MethodPut, path: r.widgetsPath(h.Sitekey), in: in}, nil); err != nil {
			return err
		}
	}
	return r.keepAll(ctx, w.entry(), h.secrets())
}
