package cloudflare

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/credential"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// tunnel is a tunnel as the API has it, with what is asked for each wanted one.
type tunnel struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Remote *bool  `json:"remote_config"` // false: cloudflared has its configuration in a file

	config map[string]json.RawMessage
	token  lab.Secret
	kept   map[string]string // what differs in the sink
}

// rule is a rule of ingress as the API has it.
type rule struct {
	Hostname string         `json:"hostname"`
	Path     string         `json:"path,omitempty"`
	Service  string         `json:"service"`
	Origin   map[string]any `json:"originRequest,omitempty"`
}

// lastRule is for all names that no other rule has: cloudflared does not start without one.
var lastRule = rule{Service: "http_status:404"}

func (t Tunnel) entry() string { return cmp.Or(t.Secret, "cloudflare-tunnel-"+t.Name) }

// SecretName returns the name in the sink of the tunnel's token.
func (t Tunnel) SecretName() string { return credential.Field(t.entry(), "token") }

func (r *run) tunnelPrefix() string { return "lab/" + r.spec.stack() + "/" }

func (r *run) tunnelKind() reconcile.Kind {
	want := map[string]Tunnel{}
	for _, t := range r.spec.Tunnels {
		want[t.Name] = t
	}
	return reconcile.Collection[Tunnel, tunnel]{
		Name: "tunnel", Want: want,
		List: func(ctx context.Context) (map[string]tunnel, error) { return r.listTunnels(ctx, want) },
		Diff: r.diffTunnel,
		Put:  r.putTunnel,
		// All that the list has has the prefix of our stack in its name.
		Owned: func(string, tunnel) bool { return true },
		Delete: func(ctx context.Context, key string, h tunnel) error {
			err := r.send(ctx, request{method: http.MethodDelete, path: r.inAccount("cfd_tunnel", h.ID), in: struct{}{}}, nil)
			if s := status(err); s == http.StatusBadRequest || s == http.StatusConflict {
				err = fmt.Errorf("%w: %w", lab.ErrBlocked, &lab.Error{Op: "delete tunnel", Target: r.account.target(), Path: key,
					Hint: "stop its cloudflared first", Err: err})
			}
			if absent(err) {
				return nil
			}
			return err
		},
		Loss: lab.RiskDisrupt,
	}
}

// existingTunnels returns our tunnels, by their names in the spec, and remembers their IDs.
func (r *run) existingTunnels(ctx context.Context) (map[string]tunnel, error) {
	return reconcile.Once(r.reads, "tunnels", func() (map[string]tunnel, error) {
		all, err := list[tunnel](ctx, r.client, request{path: r.inAccount("cfd_tunnel"),
			query: url.Values{"is_deleted": {"false"}, "include_prefix": {r.tunnelPrefix()}}}, 100)
		if err != nil {
			return nil, err
		}
		has := map[string]tunnel{}
		for _, t := range all {
			if name, ours := strings.CutPrefix(t.Name, r.tunnelPrefix()); ours {
				has[name] = t
				r.leads(name, t.ID)
			}
		}
		return has, nil
	})
}

// leads remembers the ID of a tunnel, which records are made of.
func (r *run) leads(name, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tunnels == nil {
		r.tunnels = map[string]string{}
	}
	r.tunnels[name] = id
}

func (r *run) listTunnels(ctx context.Context, want map[string]Tunnel) (map[string]tunnel, error) {
	all, err := r.existingTunnels(ctx)
	if err != nil {
		return nil, err
	}
	has := map[string]tunnel{}
	var names []string
	for name, t := range all {
		has[name] = t
		if _, wanted := want[name]; wanted {
			names = append(names, name)
		}
	}
	found, err := reconcile.Each(ctx, r.account.parallel(), names, func(ctx context.Context, name string) (tunnel, error) {
		return r.describeTunnel(ctx, want[name], all[name])
	})
	for n, name := range names {
		if err == nil {
			has[name] = found[n]
		}
	}
	return has, err
}

// describeTunnel reads how a tunnel is configured, and whether its token is kept.
func (r *run) describeTunnel(ctx context.Context, w Tunnel, t tunnel) (tunnel, error) {
	var c struct {
		Config map[string]json.RawMessage `json:"config"`
	}
	if w.Ingress != nil {
		if err := r.get(ctx, r.inAccount("cfd_tunnel", t.ID, "configurations"), &c); err != nil && !absent(err) {
			return t, err
		}
	}
	t.config = c.Config
	var token string
	if err := r.get(ctx, r.inAccount("cfd_tunnel", t.ID, "token"), &token); err != nil {
		return t, err
	}
	t.token = lab.NewSecret(token)
	var err error
	t.kept, err = r.differIn(ctx, w.entry(), map[string]lab.Secret{"token": t.token})
	return t, err
}

func (t tunnel) ingress() (all []rule) {
	_ = json.Unmarshal(t.config["ingress"], &all) // what cannot be read differs
	return all
}

// rules are the rules that are wanted, with what those of the tunnel say of their service beside.
func (w Tunnel) rules(has []rule) (all []rule) {
	for _, i := range w.Ingress {
		x := rule{Hostname: strings.ToLower(i.Hostname), Path: i.Path, Service: i.Service, Origin: map[string]any{}}
		for _, h := range has {
			if h.Hostname == x.Hostname && h.Path == x.Path {
				for name, value := range h.Origin {
					x.Origin[name] = value
				}
			}
		}
		delete(x.Origin, "noTLSVerify")
		delete(x.Origin, "originServerName")
		if i.ServerName != "" {
			x.Origin["originServerName"] = i.ServerName
		}
		if i.NoVerify {
			x.Origin["noTLSVerify"] = true
		}
		all = append(all, x)
	}
	return append(all, lastRule)
}

func ruleTexts(rules []rule) string {
	var texts []string
	for _, x := range rules {
		text := cmp.Or(x.Hostname, "*") + x.Path + " -> " + x.Service
		if name, _ := x.Origin["originServerName"].(string); name != "" {
			text += " as " + name
		}
		if off, _ := x.Origin["noTLSVerify"].(bool); off {
			text += " unverified"
		}
		texts = append(texts, lab.Printable(text))
	}
	return strings.Join(texts, ", ")
}

func tunnelFields(w Tunnel, h tunnel) (f reconcile.Fields) {
	if w.Ingress != nil {
		f.Exact("ingress", ruleTexts(w.rules(nil)), ruleTexts(h.ingress()))
	}
	return f
}

func (r *run) diffTunnel(key string, w Tunnel, h *tunnel) reconcile.Delta {
	if h == nil {
		return tunnelFields(w, tunnel{}).Created(key)
	}
	if h.Remote != nil && !*h.Remote && w.Ingress != nil {
		return reconcile.Delta{Err: r.fail("plan tunnel", key, "leave out its ingress, or delete it", lab.ErrConflict,
			"it is configured by a file of cloudflared")}
	}
	d := tunnelFields(w, *h).Changed(key)
	if d.Action != "" {
		d.Risk = lab.RiskDisrupt
	}
	if why := h.kept["token"]; why != "" {
		d.Action, d.Cause = lab.Update, joined(d.Cause, "its token "+why+" in "+r.spec.Sink.String())
	}
	return d
}

func (r *run) putTunnel(ctx context.Context, key string, w Tunnel, h *tunnel) error {
	if h == nil {
		t, err := r.createTunnel(ctx, key)
		if err != nil {
			return err
		}
		if t, err = r.describeTunnel(ctx, w, t); err != nil {
			return err
		}
		h = &t
	}
	r.leads(key, h.ID)
	if len(tunnelFields(w, *h).Differ()) > 0 {
		config := map[string]any{}
		for name, value := range h.config { // such as what holds for all rules
			config[name] = value
		}
		config["ingress"] = w.rules(h.ingress())
		if err := r.send(ctx, request{method: http.MethodPut, path: r.inAccount("cfd_tunnel", h.ID, "configurations"),
			in: map[string]any{"config": config}}, nil); err != nil {
			return err
		}
	}
	return r.keepAll(ctx, w.entry(), map[string]lab.Secret{"token": h.token})
}

// createTunnel makes a tunnel. Names are unique: one that is there already was made by a run that lost the answer, or is not
// listed yet.
func (r *run) createTunnel(ctx context.Context, key string) (t tunnel, err error) {
	name := r.tunnelPrefix() + key
	err = r.send(ctx, request{method: http.MethodPost, path: r.inAccount("cfd_tunnel"),
		in: map[string]any{"name": name, "config_src": "cloudflare"}}, &t)
	if s := status(err); s != http.StatusConflict && s != http.StatusBadRequest {
		return t, err
	}
	return t, patiently(ctx, func() (bool, error) {
		all, failed := list[tunnel](ctx, r.client, request{path: r.inAccount("cfd_tunnel"),
			query: url.Values{"is_deleted": {"false"}, "name": {name}}}, 100)
		n := slices.IndexFunc(all, func(o tunnel) bool { return o.Name == name })
		if failed != nil || n < 0 {
			return failed != nil || status(err) != http.StatusConflict, cmp.Or(failed, err)
		}
		t = all[n]
		return true, nil
	})
}
