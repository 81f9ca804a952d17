package gcs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/credential"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// hmacKey is an HMAC key as the API has it. It has no name, no label and no secret: it is ours if its account is.
type hmacKey struct {
	ID      string    `json:"accessId"`
	Account string    `json:"serviceAccountEmail"`
	State   string    `json:"state"`
	Created time.Time `json:"timeCreated"`
	Updated time.Time `json:"updated"`
	Etag    string    `json:"etag"`
}

// The states of keys.
const (
	active   = "ACTIVE"
	inactive = "INACTIVE"
	removed  = "DELETED"
)

// defaultGrace is how long predecessors stay where the spec says nothing.
const defaultGrace = 24 * time.Hour

// settling is how long a new key may not be accepted everywhere: a few minutes, as the documentation says of changes of its state.
const settling = 10 * time.Minute

// issued is what the project has of the keys of an account.
type issued struct {
	ours    []hmacKey // all of them
	finding credential.Finding
	marked  bool   // the account has our mark
	kept    string // the ID in the sink; empty: none
	lost    bool   // nothing is kept
}

// current returns the key whose secret is kept.
func (i *issued) current() (hmacKey, bool) {
	if i != nil {
		for _, k := range i.ours {
			if k.ID == i.finding.ID && k.State == active {
				return k, true
			}
		}
	}
	return hmacKey{}, false
}

func (k Key) grace() time.Duration {
	if k.Grace == "" {
		return defaultGrace
	}
	d, _ := time.ParseDuration(k.Grace) // [Spec.Validate] has seen it
	return d
}

func (r *run) wantedKeys() map[string]Key {
	want := map[string]Key{}
	for _, a := range r.spec.Accounts {
		if a.Key != nil {
			want[a.Name] = *a.Key
		}
	}
	return want
}

func (r *run) keys() reconcile.Kind {
	return reconcile.Collection[Key, issued]{
		Name: "key", Want: r.wantedKeys(),
		List: r.listKeys,
		Diff: r.diffKey,
		Put:  r.putKey,
		After: func(key string, _ Key) []string {
			after := []string{"account:" + key}
			for _, b := range r.spec.Buckets {
				for _, g := range b.Grants {
					if g.Account == key {
						after = append(after, "grant:"+b.Name+"/"+key)
					}
				}
			}
			return after
		},
		Owned: func(key string, h issued) bool {
			_, wanted := r.wantedAccounts()[key]
			return h.marked && !wanted && len(due(h.ours, defaultGrace, func(hmacKey) bool { return true })) > 0
		},
		Delete: func(ctx context.Context, _ string, h issued) error {
			return r.retire(ctx, h.ours, defaultGrace, func(hmacKey) bool { return true })
		},
		Loss: lab.RiskDisrupt,
	}
}

// predecessors are deactivated, and removed, when those who use them have had time to follow.
func (r *run) predecessors() reconcile.Kind {
	return reconcile.Collection[Key, issued]{
		Name: "predecessors", Want: r.wantedKeys(),
		List: r.listKeys,
		Diff: func(_ string, w Key, h *issued) reconcile.Delta {
			if h == nil || !h.marked {
				return reconcile.Delta{}
			}
			n := len(due(h.others(), w.grace(), h.over(w)))
			if n == 0 {
				return reconcile.Delta{}
			}
			return reconcile.Delta{Action: lab.Update, Risk: lab.RiskDisrupt,
				Cause: fmt.Sprintf("%d whose secret is not the one that is kept: deactivated, and removed after their grace", n)}
		},
		Put: func(ctx context.Context, _ string, w Key, h *issued) error {
			return r.retire(ctx, h.others(), w.grace(), h.over(w))
		},
		After: func(key string, _ Key) []string { return []string{"key:" + key} },
	}
}

// others are the keys but the one whose secret is kept.
func (i *issued) others() []hmacKey {
	return slices.DeleteFunc(slices.Clone(i.ours), func(k hmacKey) bool { return k.ID == i.finding.ID && k.State == active })
}

// over returns whether the time of an active predecessor is over: its grace begins with its successor. One that was made after that
// was never kept, by a run that was cut off, and neither, where nothing is kept, was one that is younger than the grace. One that is
// older may be in use: the sink may have lost it.
func (i *issued) over(w Key) func(hmacKey) bool {
	current, ok := i.current()
	return func(k hmacKey) bool {
		if !ok {
			return i.lost && time.Since(k.Created) < w.grace()
		}
		return k.Created.After(current.Created) || time.Since(current.Created) >= w.grace()
	}
}

// due are the keys with which something is to be done now: active ones whose time is over, and those that have been inactive for
// their grace.
func due(keys []hmacKey, grace time.Duration, over func(hmacKey) bool) (all []hmacKey) {
	for _, k := range keys {
		if k.State == active && over(k) || k.State == inactive && time.Since(k.Updated) >= grace {
			all = append(all, k)
		}
	}
	return all
}

// retire deactivates the keys whose time is over, and removes those that have been inactive for their grace.
func (r *run) retire(ctx context.Context, keys []hmacKey, grace time.Duration, over func(hmacKey) bool) error {
	for _, k := range due(keys, grace, over) {
		if k.State == active {
			if err := r.deactivate(ctx, k.ID); err != nil {
				return err
			}
		}
		if k.State == inactive || grace == 0 {
			if err := r.removeKey(ctx, k.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// deactivate makes a key useless, unless it is gone.
func (r *run) deactivate(ctx context.Context, id string) error {
	return r.conditional(ctx, func() error {
		k, err := r.readKey(ctx, id)
		if absent(err) || err == nil && k.State != active {
			return nil
		}
		if err != nil {
			return err
		}
		return r.send(ctx, http.MethodPut, r.keyPath(id), map[string]string{"state": inactive, "etag": k.Etag}, nil)
	})
}

// removeKey removes a key that is inactive. One that is gone already is no error.
func (r *run) removeKey(ctx context.Context, id string) error {
	err := r.send(ctx, http.MethodDelete, r.keyPath(id), nil, nil)
	if status(err) == http.StatusBadRequest { // one that was removed can be read for a while, and not be removed again
		if k, again := r.readKey(ctx, id); again == nil && k.State == removed {
			return nil
		}
	}
	if absent(err) {
		return nil
	}
	return err
}

func (r *run) readKey(ctx context.Context, id string) (k hmacKey, err error) {
	err = r.get(ctx, r.keyPath(id), &k)
	return k, err
}

// listAllKeys reads the keys of all accounts, by the names of these. It is done once in a comparison.
func (r *run) listAllKeys(ctx context.Context) (map[string][]hmacKey, error) {
	return reconcile.Once(r.reads, "all keys", func() (map[string][]hmacKey, error) {
		all := map[string][]hmacKey{}
		err := r.list(ctx, r.keyPath(), "maxResults", func(ctx context.Context, address string) (string, error) {
			var page struct {
				Items         []hmacKey `json:"items"`
				NextPageToken string    `json:"nextPageToken"`
			}
			err := r.get(ctx, address, &page)
			for _, k := range page.Items {
				name, _, _ := strings.Cut(k.Account, "@")
				if k.Account == r.email(name) && (k.State == active || k.State == inactive) {
					all[name] = append(all[name], k)
				}
			}
			return page.NextPageToken, err
		})
		if err != nil {
			return nil, err
		}
		for name, w := range r.wantedKeys() { // one that was made a moment ago may not be listed yet
			id, err := r.keptID(ctx, w)
			switch {
			case err != nil:
				return nil, err
			case id == "" || slices.ContainsFunc(all[name], func(k hmacKey) bool { return k.ID == id }):
				continue
			}
			k, err := r.readKey(ctx, id)
			switch {
			case absent(err):
			case err != nil:
				return nil, err
			case k.Account == r.email(name) && (k.State == active || k.State == inactive):
				all[name] = append(all[name], k)
			}
		}
		return all, nil
	})
}

// keysOf returns the keys of an account as they were listed.
func (r *run) keysOf(account string) []hmacKey {
	all, err := r.listAllKeys(context.Background()) // it was called before
	if err != nil {
		return []hmacKey{{}}
	}
	return all[account]
}

// keptID returns the ID of the key that is kept; empty: none is.
func (r *run) keptID(ctx context.Context, w Key) (string, error) {
	id, err := r.spec.Sink.Get(ctx, w.accessID())
	if absent(err) {
		return "", nil
	}
	return id.Reveal(), err
}

// listKeys reads the keys, and proves those that are kept. It is done once in a comparison.
func (r *run) listKeys(ctx context.Context) (map[string]issued, error) {
	return reconcile.Once(r.reads, "keys", func() (map[string]issued, error) {
		accounts, err := r.listAccounts(ctx)
		if err != nil {
			return nil, err
		}
		all, err := r.listAllKeys(ctx)
		if err != nil {
			return nil, err
		}
		has := map[string]issued{}
		for name, a := range accounts {
			w, wanted := r.wantedKeys()[name]
			i := issued{ours: all[name], marked: r.marked(name, a)}
			if wanted {
				if i.kept, err = r.keptID(ctx, w); err != nil {
					return nil, err
				}
				var ids []string
				for _, k := range i.ours {
					if k.State == active {
						ids = append(ids, k.ID)
					}
				}
				if i.finding, err = r.issuer(name, w, i.ours, i.kept).Look(ctx, ids); err != nil {
					return nil, err
				}
				_, secret := r.spec.Sink.Get(ctx, w.secret())
				i.lost = i.kept == "" && absent(secret)
			}
			if wanted || len(i.ours) > 0 {
				has[name] = i
			}
		}
		return has, nil
	})
}

func (r *run) diffKey(key string, w Key, h *issued) reconcile.Delta {
	if h == nil || len(h.ours) == 0 {
		d := reconcile.Delta{Action: lab.Create, Cause: "not found"}
		if h != nil && h.finding.Cause != "" {
			d.Cause = h.finding.Cause
		}
		return d
	}
	k, ok := h.current()
	age, err := time.ParseDuration(w.MaxAge)
	switch {
	case !h.marked && !ok:
		return reconcile.Delta{Err: r.fail("plan key", key, "give its secret to the sink, or use an account without keys", lab.ErrConflict,
			"the account is not known to be ours, and has keys that others may use")}
	case !ok:
		return reconcile.Delta{Action: lab.Update, Cause: h.finding.Cause + "; it is succeeded by another", Risk: lab.RiskDisrupt}
	case err == nil && w.MaxAge != "" && time.Since(k.Created) > age:
		return reconcile.Delta{Action: lab.Update, Cause: "older than " + w.MaxAge + "; it is succeeded by another"}
	case h.kept != k.ID:
		return reconcile.Delta{Action: lab.Update, Cause: "its ID is not in " + r.spec.Sink.String()}
	}
	return reconcile.Delta{}
}

// accessID and secret are the names of what is kept in the sink.
func (k Key) accessID() string { return k.entry("access_id") }

func (k Key) secret() string { return k.entry("secret") }

func (k Key) entry(field string) string { return credential.Field(k.Secret, field) }

// issuer says how a key is made, proved and removed. ours are those that the account has, and kept is the ID that is kept.
func (r *run) issuer(account string, w Key, ours []hmacKey, kept string) credential.Issuer {
	ours = slices.Clone(ours)
	slices.SortFunc(ours, func(a, b hmacKey) int { // the one that is kept is probably it
		switch {
		case a.ID == kept:
			return -1
		case b.ID == kept:
			return 1
		}
		return b.Created.Compare(a.Created)
	})
	return credential.Issuer{Sink: r.spec.Sink, Name: w.secret(),
		Prove: func(ctx context.Context, value lab.Secret) (string, error) {
			return r.proveOneOf(ctx, account, ours, kept, value)
		},
		Create: func(ctx context.Context) (string, lab.Secret, error) {
			var made struct {
				Metadata hmacKey `json:"metadata"`
				Secret   string  `json:"secret"`
			}
			err := r.api(ctx, r.once, http.MethodPost, r.keyPath()+"?serviceAccountEmail="+url.QueryEscape(r.email(account)), nil, &made)
			if err == nil && (made.Metadata.ID == "" || made.Secret == "") {
				err = r.fail("create", r.keyPath(), "", lab.ErrConflict, "the answer has no access ID or no secret")
			}
			ours = []hmacKey{made.Metadata}
			return made.Metadata.ID, lab.NewSecret(made.Secret), err
		},
		Retire: func(ctx context.Context, id string) error {
			if err := r.deactivate(ctx, id); err != nil {
				return err
			}
			return r.removeKey(ctx, id)
		}}
}

// proveOneOf finds the active key whose secret a value is. One that is new may be refused for some minutes: then it is waited for,
// and where that takes too long the state is not known, which is not that the secret is lost.
func (r *run) proveOneOf(ctx context.Context, account string, keys []hmacKey, kept string, value lab.Secret) (string, error) {
	bucket := r.provedOn(account)
	for _, k := range keys {
		if k.State != active {
			continue
		}
		err := r.until(ctx, "the key "+k.ID+" to be accepted", func(ctx context.Context) (bool, error) {
			err := r.prove(ctx, bucket, k.ID, value)
			isNew := time.Since(k.Created) < settling && (absent(err) || k.ID == kept || len(keys) == 1)
			if isNew && (absent(err) || errors.Is(err, lab.ErrUnauthorized)) {
				return false, nil
			}
			return err == nil, err
		})
		if err == nil {
			return k.ID, nil
		}
		if !absent(err) && !errors.Is(err, lab.ErrUnauthorized) {
			return "", err
		}
	}
	return "", r.fail("prove key", account, "", lab.ErrNotFound, "no active key has this secret")
}

// provedOn returns a bucket on which the account is granted something.
func (r *run) provedOn(account string) string {
	for _, b := range r.spec.Buckets {
		for _, g := range b.Grants {
			if g.Account == account {
				return b.Name
			}
		}
	}
	return ""
}

func (r *run) putKey(ctx context.Context, key string, w Key, h *issued) error {
	if h == nil { // the account was made by this plan
		h = &issued{}
		var err error
		if h.finding, err = r.issuer(key, w, nil, "").Look(ctx, nil); err != nil { // what is stored is replaced
			return err
		}
	}
	k, ok := h.current()
	id := k.ID
	if d := r.diffKey(key, w, h); d.Err != nil {
		return d.Err
	} else if !ok || strings.HasPrefix(d.Cause, "older than") {
		issued, err := r.issuer(key, w, h.ours, h.kept).Issue(ctx, h.finding)
		if issued == "" {
			return err
		}
		// Its secret is stored, be it proved or not.
		return errors.Join(err, credential.Keep(context.WithoutCancel(ctx), r.spec.Sink, w.accessID(), lab.NewSecret(issued)))
	}
	return credential.Keep(ctx, r.spec.Sink, w.accessID(), lab.NewSecret(id))
}
