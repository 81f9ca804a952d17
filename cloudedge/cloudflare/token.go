package cloudflare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/credential"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// apiToken is a token as the API has it. Its value is in no list.
type apiToken struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Status    string     `json:"status"`
	Policies  []policy   `json:"policies"`
	Condition *condition `json:"condition"`
	Issued    time.Time  `json:"issued_on"`
	LastUsed  *time.Time `json:"last_used_on"`
	Expires   *time.Time `json:"expires_on"`
	NotBefore *time.Time `json:"not_before"`
}

// condition says from where a token may be used.
type condition struct {
	IP *requestIP `json:"request_ip,omitempty"`
}

type requestIP struct {
	In    []string `json:"in,omitempty"`
	NotIn []string `json:"not_in,omitempty"`
}

func (t apiToken) networks() requestIP {
	if t.Condition == nil || t.Condition.IP == nil {
		return requestIP{}
	}
	return *t.Condition.IP
}

// issued is what the account has of a token that is wanted, or was: those of our name, of which one is current.
type issued struct {
	finding credential.Finding
	ours    []apiToken
	rights  map[right]bool    // that are wanted
	said    [2][]string       // what is wanted and what it has, for people
	kept    map[string]string // what differs in the sink beside the value: why, by the name of the field
	err     error             // why it cannot be planned
}

// current returns the token whose value is kept.
func (i *issued) current() (apiToken, bool) {
	for _, t := range i.ours {
		if i.finding.ID != "" && t.ID == i.finding.ID {
			return t, true
		}
	}
	return apiToken{}, false
}

func (t Token) entry() string { return cmp.Or(t.Secret, "cloudflare-"+t.Name) }

// SecretName returns the name in the sink of the token's value.
func (t Token) SecretName() string { return credential.Field(t.entry(), "token") }

// ownName is how a token of ours is called: names are not unique, and a token and its successor are there together for a
// while.
func (r *run) ownName(name string, generation int) string {
	return "lab/" + r.spec.stack() + "/" + name + "#" + strconv.Itoa(generation)
}

// tokenName returns which token of ours it is that is called so, and its generation.
func (r *run) tokenName(name string) (own string, generation int, ours bool) {
	rest, ours := strings.CutPrefix(name, "lab/"+r.spec.stack()+"/")
	own, number, found := strings.Cut(rest, "#")
	generation, err := strconv.Atoi(number)
	return own, generation, ours && found && err == nil && own != ""
}

func (r *run) generation(t apiToken) int {
	_, g, _ := r.tokenName(t.Name)
	return g
}

func (r *run) tokens() reconcile.Kind {
	want := map[string]Token{}
	for _, t := range r.spec.Tokens {
		want[t.Name] = t
	}
	return reconcile.Collection[Token, issued]{
		Name: "token", Want: want,
		List: func(ctx context.Context) (map[string]issued, error) { return r.listTokens(ctx, want) },
		Diff: r.diffToken,
		Put:  r.putToken,
		After: func(_ string, w Token) (after []string) {
			for _, g := range w.Grants {
				for _, z := range g.Zones {
					after = append(after, "zone:"+host(z))
				}
				for _, b := range g.Buckets {
					after = append(after, "bucket:"+b)
				}
			}
			return after
		},
		Owned:  func(_ string, h issued) bool { return len(h.ours) > 0 },
		Delete: func(ctx context.Context, _ string, h issued) error { return r.retire(ctx, ids(h.ours)) },
		Loss:   lab.RiskDisrupt,
	}
}

// listTokens reads all tokens, and proves the values that are kept.
func (r *run) listTokens(ctx context.Context, want map[string]Token) (map[string]issued, error) {
	all, err := list[apiToken](ctx, r.client, request{path: r.inAccount("tokens")}, 50)
	if err != nil {
		return nil, err
	}
	has := map[string]issued{}
	for _, t := range all {
		if name, _, ours := r.tokenName(t.Name); ours {
			i := has[name]
			i.ours = append(i.ours, t)
			has[name] = i
		}
	}
	keys := slices.Sorted(maps.Keys(want))
	looks, err := reconcile.Each(ctx, r.account.parallel(), keys, func(ctx context.Context, key string) (issued, error) {
		return r.lookToken(ctx, want[key], has[key])
	})
	if err != nil {
		return nil, err
	}
	for n, key := range keys {
		has[key] = looks[n]
	}
	return has, nil
}

// lookToken finds out what is kept of a wanted token, and what its rights are.
func (r *run) lookToken(ctx context.Context, w Token, i issued) (issued, error) {
	var proved string
	var theirs error
	issuer := r.issuer(w, nil, &i)
	prove := issuer.Prove
	issuer.Prove = func(ctx context.Context, value lab.Secret) (string, error) {
		id, err := prove(ctx, value)
		if errors.Is(err, lab.ErrUnauthorized) && !r.spec.Adopt {
			theirs = r.ofUser(ctx, w.Name, value)
		}
		if err == nil && !slices.Contains(ids(i.ours), id) { // one that is not listed yet, or not under our name
			var t apiToken
			switch err = r.get(ctx, r.inAccount("tokens", id), &t); {
			case err == nil:
				i.ours, proved = append(i.ours, t), id
			case absent(err):
				err = nil
			}
		}
		return id, err
	}
	found, err := issuer.Look(ctx, ids(i.ours))
	if err != nil {
		return i, err
	}
	if proved != "" {
		found.ID, found.Cause = proved, ""
	}
	i.finding = found
	if i.err = theirs; i.err != nil {
		return i, nil
	}
	if i.rights, i.err = r.wanted(ctx, w); i.err != nil {
		return i, nil
	}
	i.said[0] = r.said(ctx, i.rights)
	if t, ok := i.current(); ok {
		i.said[1] = r.said(ctx, rights(t.Policies))
	}
	if found.ID != "" {
		i.kept, err = r.differKept(ctx, w, found.ID)
	}
	return i, err
}

// ofUser returns an error if a value, which the account does not know, is that of a token of a user that works: somebody needs
// it, and it is not replaced.
func (r *run) ofUser(ctx context.Context, name string, value lab.Secret) error {
	if err := r.as(value).get(ctx, "/user/tokens/verify", nil); err != nil {
		return nil // whatever it is, it is not known to work
	}
	e := r.fail("plan token", name, "replace it by one of the account, or keep that elsewhere", lab.ErrConflict,
		"the value that is kept is that of a user's token, which works").(*lab.Error)
	e.Set = lab.Setting{Name: SettingAdopt, Value: "true"}
	return e
}

func ids(tokens []apiToken) (all []string) {
	for _, t := range tokens {
		all = append(all, t.ID)
	}
	return all
}

// issuer says how a token is made, proved and retired.
func (r *run) issuer(w Token, rights map[right]bool, i *issued) credential.Issuer {
	fresh := false
	return credential.Issuer{Sink: r.spec.Sink, Name: w.SecretName(),
		Prove: func(ctx context.Context, value lab.Secret) (id string, err error) {
			err = patiently(ctx, func() (bool, error) {
				id, err = r.verify(ctx, value)
				return !fresh || !errors.Is(err, lab.ErrUnauthorized), err
			})
			return id, err
		},
		Create: func(ctx context.Context) (id string, value lab.Secret, err error) {
			fresh = true
			if r.rolls(w, i) {
				return r.roll(ctx, r.newest(i.ours).ID)
			}
			return r.createToken(ctx, w, rights, i)
		},
		Retire: func(ctx context.Context, id string) error { return r.retire(ctx, []string{id}) }}
}

// rolls reports whether a lost value is replaced: that of a token which works otherwise. What is too old is always succeeded by
// another.
func (r *run) rolls(w Token, i *issued) bool {
	return w.HardRoll && i.finding.ID == "" && r.newest(i.ours).Status == "active"
}

// newest returns the token of the last generation.
func (r *run) newest(all []apiToken) (newest apiToken) {
	for _, t := range all {
		if newest.ID == "" || r.generation(t) > r.generation(newest) {
			newest = t
		}
	}
	return newest
}

// verify asks as the token who it is. One that is disabled or has expired is no error: the list says so.
func (r *run) verify(ctx context.Context, value lab.Secret) (id string, err error) {
	var is struct {
		ID string `json:"id"`
	}
	c := r.as(value)
	err = c.get(ctx, r.inAccount("tokens", "verify"), &is)
	if s := status(err); s == http.StatusBadRequest || s == http.StatusForbidden || says(err, codeInvalidToken) {
		err = c.fail("prove token", "", "", lab.ErrUnauthorized, "Cloudflare does not know its value")
	}
	if err == nil && is.ID == "" {
		err = c.fail("prove token", "", "", lab.ErrConflict, "the answer has no ID")
	}
	return is.ID, err
}

func (r *run) createToken(ctx context.Context, w Token, rights map[right]bool, i *issued) (string, lab.Secret, error) {
	in := r.tokenBody(w, rights, apiToken{Name: r.ownName(w.Name, r.generation(r.newest(i.ours))+1)})
	delete(in, "status")
	var made struct {
		ID    string `json:"id"`
		Value string `json:"value"`
	}
	if err := r.send(ctx, request{method: http.MethodPost, path: r.inAccount("tokens"), in: in}, &made); err != nil {
		return "", lab.Secret{}, err
	}
	if made.ID == "" || made.Value == "" {
		return made.ID, lab.Secret{}, errors.Join(r.retireIf(ctx, made.ID),
			r.fail("create token", w.Name, "plan again", lab.ErrConflict, "the answer has no value"))
	}
	return made.ID, lab.NewSecret(made.Value), nil
}

func (r *run) retireIf(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	return r.retire(ctx, []string{id})
}

// roll gives a token another value: the one that it had is useless at once.
func (r *run) roll(ctx context.Context, id string) (string, lab.Secret, error) {
	var value string
	err := r.send(ctx, request{method: http.MethodPut, path: r.inAccount("tokens", id, "value"), in: struct{}{}}, &value)
	return id, lab.NewSecret(value), err
}

// retire deletes tokens. One that is gone already is no error.
func (r *run) retire(ctx context.Context, ids []string) error {
	for _, id := range ids {
		err := r.send(ctx, request{method: http.MethodDelete, path: r.inAccount("tokens", id), in: struct{}{}}, nil)
		if err != nil && !absent(err) {
			return err
		}
	}
	return nil
}

// tokenBody is what is sent to make a token as it is wanted: a whole object, in which what is not wanted stays as it is.
func (r *run) tokenBody(w Token, rights map[right]bool, h apiToken) map[string]any {
	in := map[string]any{"name": h.Name, "policies": r.policies(rights), "status": cmp.Or(h.Status, "active")}
	ip := h.networks()
	if w.AllowIPs != nil {
		ip.In = w.AllowIPs
	}
	if w.DenyIPs != nil {
		ip.NotIn = w.DenyIPs
	}
	if len(ip.In)+len(ip.NotIn) > 0 {
		in["condition"] = condition{&ip}
	}
	switch {
	case w.Expires != "":
		in["expires_on"] = w.Expires
	case h.Expires != nil:
		in["expires_on"] = h.Expires.Format(time.RFC3339)
	}
	if h.NotBefore != nil {
		in["not_before"] = h.NotBefore.Format(time.RFC3339)
	}
	return in
}

func (r *run) tokenFields(w Token, i *issued) (f reconcile.Fields) {
	t, kept := i.current()
	if own, _, ours := r.tokenName(t.Name); kept && (!ours || own != w.Name) { // one that is taken over
		f.Exact("name", r.ownName(w.Name, r.generation(r.newest(i.ours))+1), t.Name)
	}
	f.Lines("grants", i.said[0], i.said[1])
	f.Set("allowIPs", w.AllowIPs, t.networks().In)
	f.Set("denyIPs", w.DenyIPs, t.networks().NotIn)
	expires := ""
	if t.Expires != nil {
		expires = t.Expires.UTC().Format(time.RFC3339)
	}
	f.Text("expires", expiry(w.Expires), expires)
	return f
}

func expiry(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return at.UTC().Format(time.RFC3339)
}

// stale says why a token must be made; "" if the current one can stay.
func (i *issued) stale(w Token) string {
	t, kept := i.current()
	age, err := time.ParseDuration(w.MaxAge)
	switch {
	case !kept:
		return cmp.Or(i.finding.Cause, "not found")
	case t.Status == "expired":
		return "it has expired"
	case err == nil && w.MaxAge != "" && time.Since(t.Issued) > age:
		return "older than " + w.MaxAge
	}
	return ""
}

// spent returns the IDs of our tokens of this name that nobody needs any more. One of an earlier generation that was in use
// has a grace from when its successor was issued; one of the same or of a later generation was never kept, and one
// that was never used has no user.
func (r *run) spent(w Token, i *issued) (all []string) {
	current, kept := i.current()
	if !kept {
		return nil
	}
	grace, err := time.ParseDuration(w.Grace)
	if err != nil {
		grace = 24 * time.Hour
	}
	for _, t := range i.ours {
		earlier := r.generation(t) < r.generation(current)
		if t.ID != current.ID && !(earlier && t.LastUsed != nil && time.Since(r.succeeded(t, i.ours)) < grace) {
			all = append(all, t.ID)
		}
	}
	return all
}

// succeeded returns when the next generation after a token was issued.
func (r *run) succeeded(t apiToken, all []apiToken) time.Time {
	var next apiToken
	for _, o := range all {
		if r.generation(o) > r.generation(t) && (next.ID == "" || r.generation(o) < r.generation(next)) {
			next = o
		}
	}
	return next.Issued
}

func (r *run) diffToken(key string, w Token, i *issued) reconcile.Delta {
	if i.err != nil {
		return reconcile.Delta{Err: i.err}
	}
	if at, err := time.Parse(time.RFC3339, w.Expires); err == nil && time.Now().After(at) {
		return reconcile.Delta{Err: r.fail("plan token", key, "write a later time", lab.ErrInvalid, "it would have expired already")}
	}
	if r.newest(i.ours).Status == "disabled" {
		return reconcile.Delta{Err: r.fail("plan token", key, "enable it in the dashboard, or delete it there to get another", lab.ErrBlocked,
			"somebody has disabled it")}
	}
	if t, ok := i.current(); ok {
		if own, _, ours := r.tokenName(t.Name); !ours || own != key {
			if rest, theirs := strings.CutPrefix(t.Name, "lab/"); theirs && !ours {
				owner, _, _ := strings.Cut(rest, "/")
				return reconcile.Delta{Err: r.foreign("token", key, owner)}
			}
			if !r.spec.Adopt {
				e := r.fail("plan token", key, "take it over, or remove the value from "+r.spec.Sink.String()+" to get another token",
					lab.ErrConflict, "the value that is kept is that of a token called "+lab.Printable(t.Name)).(*lab.Error)
				e.Set = lab.Setting{Name: SettingAdopt, Value: "true"}
				return reconcile.Delta{Err: e}
			}
		}
	}
	f, spent := r.tokenFields(w, i), r.spent(w, i)
	if cause := i.stale(w); cause != "" {
		d := f.Created(key)
		if len(i.ours) > 0 {
			d.Action, d.Cause = lab.Update, cause+"; a successor is made"
			if r.rolls(w, i) {
				d.Cause, d.Risk = cause+"; its value is replaced, and whoever uses the old one is shut out", lab.RiskDisrupt
			}
		}
		d.Cause = cmp.Or(d.Cause, cause)
		return d
	}
	d := f.Changed(key)
	for _, name := range slices.Sorted(maps.Keys(i.kept)) {
		d.Action = lab.Update
		d.Cause = joined(d.Cause, name+" "+i.kept[name]+" in "+r.spec.Sink.String())
	}
	if len(spent) > 0 {
		d.Action = lab.Update
		d.Cause = joined(d.Cause, fmt.Sprintf("%d more of its name are retired", len(spent)))
	}
	return d
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// putToken makes a token, unless the one whose value is kept can stay, and retires others of its name.
func (r *run) putToken(ctx context.Context, key string, w Token, i *issued) error {
	rights, err := r.wanted(ctx, w) // again: a zone may have been created meanwhile
	if err != nil {
		return err
	}
	if i.stale(w) != "" {
		if i, err = r.issue(ctx, w, rights, i); err != nil {
			return err
		}
	}
	t, kept := i.current()
	if !kept {
		return r.fail("update token", key, "plan again", lab.ErrDrift, "the account has no token of the value that is kept")
	}
	if differ := r.tokenFields(w, i).Differ(); len(differ) > 0 {
		if slices.Contains(differ, "name") {
			t.Name = r.ownName(w.Name, r.generation(r.newest(i.ours))+1)
		}
		if err := r.send(ctx, request{method: http.MethodPut, path: r.inAccount("tokens", t.ID), in: r.tokenBody(w, rights, t)},
			nil); err != nil {
			return err
		}
	}
	if err := r.keep(ctx, w, t.ID); err != nil {
		return err
	}
	return r.retire(ctx, r.spent(w, i))
}

// issue makes a token, and returns what the account has then.
func (r *run) issue(ctx context.Context, w Token, wanted map[right]bool, i *issued) (*issued, error) {
	id, err := r.issuer(w, wanted, i).Issue(ctx, i.finding)
	if err != nil {
		return nil, err
	}
	var t apiToken
	if err := r.get(ctx, r.inAccount("tokens", id), &t); err != nil {
		return nil, err
	}
	next := &issued{finding: credential.Finding{ID: id}, said: [2][]string{i.said[0], r.said(ctx, rights(t.Policies))}}
	next.ours = append(slices.DeleteFunc(slices.Clone(i.ours), func(o apiToken) bool { return o.ID == id }), t)
	return next, nil
}
