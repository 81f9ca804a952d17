package forge

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// webhook is one as the API has it.
type webhook struct {
	ID     int64  `json:"id"`
	Type   string `json:"type"`
	Branch string `json:"branch_filter"`
	Config struct {
		URL     string `json:"url"`
		Content string `json:"content_type"`
	} `json:"config"`
	Events []string `json:"events"`
	// a secret, which a change would empty if it were left out
	Authorization string `json:"authorization_header"`
	Active        bool   `json:"active"`

	record string
}

// String shows neither the address, which may contain a token, nor the header.
func (h webhook) String() string { return fmt.Sprint("webhook ", h.ID) }

// GoString does the same as String.
func (h webhook) GoString() string { return h.String() }

func (r *run) webhooks() reconcile.Kind {
	const kind = "webhook"
	want := map[string]Webhook{}
	var repositories []string
	for _, x := range r.spec.Repositories {
		for _, w := range x.Webhooks {
			want[x.key()+":"+w.Name] = w
		}
		if len(x.Webhooks) > 0 || r.spec.Prune {
			repositories = append(repositories, x.key())
		}
	}
	remove := func(ctx context.Context, key string, h webhook) error {
		of, _, _ := strings.Cut(key, ":")
		err := r.send(ctx, http.MethodDelete, fmt.Sprintf("/repos/%s/hooks/%d", of, h.ID), nil, nil)
		if absent(err) {
			return nil
		}
		return err
	}
	return reconcile.Collection[Webhook, webhook]{
		Name: kind, Want: want,
		List: func(ctx context.Context) (map[string]webhook, error) { return r.listWebhooks(ctx, repositories, want) },
		Diff: func(key string, w Webhook, h *webhook) reconcile.Delta {
			if h == nil {
				return webhookFields(w, webhook{}).Created(key)
			}
			cause, err := r.compare(kind, key, w.Secret, h.fingerprint())
			if err != nil {
				return reconcile.Delta{Err: err}
			}
			d := webhookFields(w, *h).Changed(key)
			if cause != "" && recreates(w, *h) {
				d.Action, d.Cause = lab.Replace, "the secret: "+cause
				if h.record == "" { // somebody else's, whose secret is lost
					d.Risk = lab.RiskDisrupt
				}
			} else if cause != "" && d.Action == "" {
				d.Action, d.Cause = lab.Update, "it is not marked as ours"
			}
			if w.kind() != h.Type {
				d.Action = lab.Replace
			}
			return d
		},
		Put: func(ctx context.Context, key string, w Webhook, h *webhook) error {
			of, _, _ := strings.Cut(key, ":")
			if h != nil {
				cause, err := r.compare(kind, key, w.Secret, h.fingerprint())
				if err != nil {
					return err
				}
				if w.kind() != h.Type || cause != "" && recreates(w, *h) {
					if err := remove(ctx, key, *h); err != nil {
						return err
					}
					h = nil
				}
			}
			id, err := r.sendWebhook(ctx, of, w, h)
			if err != nil {
				return err
			}
			return r.putRecord(ctx, of, kind, key, r.record(kind, key, w.Secret)+hookID(id))
		},
		After: func(key string, _ Webhook) []string {
			of, _, _ := strings.Cut(key, ":")
			return r.after("repository:" + of)
		},
		Owned: func(key string, h webhook) bool {
			ours, err := r.marked(h.record, kind, key)
			return ours && err == nil
		},
		Delete: func(ctx context.Context, key string, h webhook) error {
			if err := remove(ctx, key, h); err != nil {
				return err
			}
			of, _, _ := strings.Cut(key, ":")
			return r.deleteRecord(ctx, of, kind, key)
		},
	}
}

// recreates reports whether a webhook of which the secret is not known to be the wanted one must be recreated. One that is
// not ours yet, and of which no secret is wanted, is taken over as it is.
func recreates(w Webhook, h webhook) bool { return !w.Secret.IsZero() || h.record != "" }

func (w Webhook) kind() string { return cmp.Or(w.Type, "gitea") }

func (w Webhook) content() string {
	if w.Form {
		return "form"
	}
	return "json"
}

func (w Webhook) events() []string {
	if len(w.Events) == 0 {
		return []string{"push"}
	}
	return w.Events
}

// address is where the webhook is, which may be a secret.
func (w Webhook) address() string { return cmp.Or(w.URL, w.PrivateURL.Reveal()) }

// hookID is what the record of a webhook says of its ID.
func hookID(id int64) string { return fmt.Sprintf(";id=%d", id) }

// fingerprint is the record without the ID.
func (h webhook) fingerprint() string { return strings.TrimSuffix(h.record, hookID(h.ID)) }

// listWebhooks returns the webhooks that are wanted, by where they are, and those that have records, by these.
func (r *run) listWebhooks(ctx context.Context, repositories []string, want map[string]Webhook) (map[string]webhook, error) {
	lists, err := reconcile.Each(ctx, r.server.parallel(), repositories, func(ctx context.Context, of string) (map[string]webhook, error) {
		all, err := list[webhook](ctx, r.client, "/repos/"+of+"/hooks")
		if len(all) == 0 || absent(err) {
			if absent(err) {
				err = nil
			}
			return nil, err
		}
		records, err := r.recordsOf(ctx, of, "webhook")
		if err != nil {
			return nil, err
		}
		has := map[string]webhook{}
		for key, record := range records {
			if n := slices.IndexFunc(all, func(h webhook) bool { return strings.HasSuffix(record, hookID(h.ID)) }); n >= 0 {
				h := all[n]
				h.record = record
				has[key] = h
			}
		}
		for key, w := range want {
			if _, ours := has[key]; ours || !strings.HasPrefix(key, of+":") {
				continue
			}
			n := slices.IndexFunc(all, func(h webhook) bool { return h.Config.URL == w.address() })
			if n >= 0 {
				maps.DeleteFunc(has, func(_ string, other webhook) bool { return other.ID == all[n].ID }) // it was called otherwise
				has[key] = all[n]
			}
		}
		return has, nil
	})
	if err != nil {
		return nil, err
	}
	has := map[string]webhook{}
	for _, l := range lists {
		maps.Copy(has, l)
	}
	return has, nil
}

func (r *run) sendWebhook(ctx context.Context, of string, w Webhook, h *webhook) (id int64, err error) {
	config := map[string]string{"url": w.address(), "content_type": w.content()}
	body := map[string]any{"config": config, "events": w.events(), "branch_filter": w.Branch, "active": !w.Inactive}
	var is webhook
	at, method := "/repos/"+of+"/hooks", http.MethodPost
	if h != nil {
		at, method = fmt.Sprintf("%s/%d", at, h.ID), http.MethodPatch
		body["authorization_header"] = h.Authorization
	} else {
		body["type"] = w.kind()
		if !w.Secret.IsZero() {
			config["secret"] = w.Secret.Reveal()
		}
	}
	if err := r.send(ctx, method, at, body, &is); err != nil {
		return 0, err
	}
	return is.ID, r.kept("update webhook", of+":"+w.Name, webhookFields(w, is), map[string]string{
		"events": "name events that the server knows: push, pull_request, release, ..."})
}

func webhookFields(w Webhook, h webhook) (f reconcile.Fields) {
	to, is := cmp.Or(w.URL, "(as wanted)"), "(another)"
	if w.address() == h.Config.URL {
		is = to
	}
	f.Exact("url", to, is)
	f.Exact("type", w.kind(), h.Type)
	f.Exact("content", w.content(), h.Config.Content)
	f.Set("events", expanded(w.events()), h.Events)
	f.Exact("branch", w.Branch, h.Branch)
	f.Exact("active", fmt.Sprint(!w.Inactive), fmt.Sprint(h.Active))
	return f
}

// expanded returns the events as the server answers them: two names stand for several, which the server then lists
// (routers/api/v1/utils/hook.go of Gitea, updateHookEvents).
func expanded(events []string) (all []string) {
	for _, e := range events {
		switch e {
		case "issues":
			all = append(all, "issues", "issue_assign", "issue_label", "issue_milestone", "issue_comment")
		case "issues_only":
			all = append(all, "issues")
		case "pull_request":
			all = append(all, "pull_request", "pull_request_assign", "pull_request_label", "pull_request_milestone",
				"pull_request_comment", "pull_request_review", "pull_request_review_request", "pull_request_sync")
		case "pull_request_only":
			all = append(all, "pull_request")
		default:
			all = append(all, e)
		}
	}
	return all
}
