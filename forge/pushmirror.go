package forge

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// pushMirror is one as the API has it.
type pushMirror struct {
	Name     string `json:"remote_name"` // random
	Address  string `json:"remote_address"`
	Interval string `json:"interval"`
	OnCommit bool   `json:"sync_on_commit"`

	record string
}

// defaultInterval is how often a push mirror is pushed.
const defaultInterval = "8h"

func (r *run) pushMirrors() reconcile.Kind {
	const kind = "push-mirror"
	want := map[string]PushMirror{}
	var repositories []string
	for _, x := range r.spec.Repositories {
		for _, w := range x.PushMirrors {
			want[x.key()+":"+w.Address] = w
		}
		if len(x.PushMirrors) > 0 || r.spec.Prune {
			repositories = append(repositories, x.key())
		}
	}
	remove := func(ctx context.Context, key string, h pushMirror) error {
		of, _, _ := strings.Cut(key, ":")
		err := r.send(ctx, http.MethodDelete, "/repos/"+of+"/push_mirrors"+path(h.Name), nil, nil)
		if absent(err) {
			return nil
		}
		return err
	}
	return reconcile.Collection[PushMirror, pushMirror]{
		Name: kind, Want: want,
		List: func(ctx context.Context) (map[string]pushMirror, error) {
			lists, err := reconcile.Each(ctx, r.server.parallel(), repositories, r.listPushMirrors)
			has := map[string]pushMirror{}
			for n, of := range repositories {
				for _, h := range lists[n] {
					has[of+":"+h.Address] = h
				}
			}
			return has, err
		},
		Diff: r.diffPushMirror,
		Put: func(ctx context.Context, key string, w PushMirror, h *pushMirror) error {
			of, _, _ := strings.Cut(key, ":")
			if h != nil {
				if err := remove(ctx, key, *h); err != nil {
					return err
				}
			}
			var is pushMirror
			err := r.send(ctx, http.MethodPost, "/repos/"+of+"/push_mirrors", map[string]any{"remote_address": w.Address,
				"remote_username": w.User, "remote_password": w.Password.Reveal(), "interval": cmp.Or(w.Interval, defaultInterval),
				"sync_on_commit": w.OnCommit}, &is)
			if err != nil {
				return err
			}
			return r.putRecord(ctx, of, kind, key, r.record(kind, key, w.login()))
		},
		After: func(key string, _ PushMirror) []string {
			of, _, _ := strings.Cut(key, ":")
			return r.after("repository:" + of)
		},
		Owned: func(key string, h pushMirror) bool {
			ours, err := r.marked(h.record, kind, key)
			return ours && err == nil
		},
		Delete: func(ctx context.Context, key string, h pushMirror) error {
			if err := remove(ctx, key, h); err != nil {
				return err
			}
			of, _, _ := strings.Cut(key, ":")
			return r.deleteRecord(ctx, of, kind, key)
		},
	}
}

// diffPushMirror compares a push mirror, which the API cannot update.
func (r *run) diffPushMirror(key string, w PushMirror, h *pushMirror) reconcile.Delta {
	if h == nil {
		d := pushMirrorFields(w, pushMirror{}).Created(key)
		d.Cause += "; what is at " + w.Address + " is overwritten, with force"
		d.Risk = lab.RiskDataLoss
		return d
	}
	cause, err := r.compare("push-mirror", key, w.login(), h.record)
	if err != nil {
		return reconcile.Delta{Err: err}
	}
	d := pushMirrorFields(w, *h).Changed(key)
	if cause != "" {
		d.Cause = "the login: " + cause
	}
	if d.Cause != "" {
		d.Action = lab.Replace
	}
	return d
}

// listPushMirrors reads the push mirrors of a repository, with their records.
func (r *run) listPushMirrors(ctx context.Context, of string) ([]pushMirror, error) {
	all, err := list[pushMirror](ctx, r.client, "/repos/"+of+"/push_mirrors")
	if absent(err) || status(err) == http.StatusBadRequest { // mirrors are disabled: then there are none
		return nil, nil
	}
	if err != nil || len(all) == 0 {
		return nil, err
	}
	records, err := r.recordsOf(ctx, of, "push-mirror")
	for n := range all {
		all[n].record = records[of+":"+all[n].Address]
	}
	return all, err
}

// login is what a push mirror logs in with.
func (w PushMirror) login() lab.Secret { return lab.NewSecret(w.User + "\n" + w.Password.Reveal()) }

func pushMirrorFields(w PushMirror, h pushMirror) (f reconcile.Fields) {
	f.Exact("interval", duration(cmp.Or(w.Interval, defaultInterval)), duration(h.Interval))
	f.Exact("onCommit", fmt.Sprint(w.OnCommit), fmt.Sprint(h.OnCommit))
	return f
}
