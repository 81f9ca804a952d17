package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/credential"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// Token is an access token of a user. The server shows its value once: it is kept in [Spec].Sink, under [TokenName]. A
// token whose value is lost, or whose scopes are not those that are wanted, is succeeded by another, and
// removed when the value of that one is kept.
type Token struct {
	Name string `yaml:"name,required"` // letters, digits, hyphens, dots and underscores

	// Scopes are what it may do, exactly: "all", or "read:" or "write:" with activitypub, admin, issue, misc, notification,
	// organization, package, repository or user; and "public-only".
	Scopes []string `yaml:"scopes,required"`

	// MaxAge is after how long it is succeeded by another, "2160h"; empty means never.
	MaxAge string `yaml:"maxAge"`
}

// TokenName returns the name of the value of a user's token in the sink.
func TokenName(user, token string) string { return "token-" + user + "-" + token }

// accessToken is a token as the API has it.
type accessToken struct {
	ID      int64     `json:"id"`
	Name    string    `json:"name"`
	Scopes  []string  `json:"scopes"`
	Last    string    `json:"token_last_eight"`
	Value   string    `json:"sha1"` // only in the answer to its creation
	Created time.Time `json:"created_at"`
}

// String shows nothing of the value.
func (t accessToken) String() string { return t.Name }

// GoString does the same as String.
func (t accessToken) GoString() string { return t.Name }

// issued is what the server has of a token that is wanted: the one whose value is kept, and others of ours.
type issued struct {
	finding credential.Finding
	ours    []accessToken
}

// current returns the token whose value is kept.
func (i issued) current() (accessToken, bool) {
	for _, t := range i.ours {
		if i.finding.ID == strconv.FormatInt(t.ID, 10) {
			return t, true
		}
	}
	return accessToken{}, false
}

func (r *run) tokens() reconcile.Kind {
	want := map[string]Token{}
	for _, u := range r.spec.Users {
		for _, t := range u.Tokens {
			want[u.Name+"/"+t.Name] = t
		}
	}
	return reconcile.Collection[Token, issued]{
		Name: "token", Want: want,
		List: func(ctx context.Context) (map[string]issued, error) { return r.listTokens(ctx, want) },
		Diff: r.diffToken,
		Put: func(ctx context.Context, key string, w Token, h *issued) error {
			return r.putToken(ctx, key, w, h)
		},
		After: func(key string, _ Token) []string { of, _ := split(key); return r.after("user:" + of) },
		Owned: func(_ string, h issued) bool { return len(h.ours) > 0 },
		Delete: func(ctx context.Context, key string, h issued) error {
			of, _ := split(key)
			return r.retireTokens(ctx, of, ids(h.ours))
		},
		Loss: lab.RiskDisrupt,
	}
}

func (r *run) diffToken(key string, w Token, h *issued) reconcile.Delta {
	f, cause := h.stale(w)
	switch {
	case cause != "" && (h == nil || len(h.ours) == 0):
		d := f.Created(key)
		d.Cause = cause
		return d
	case cause != "":
		return reconcile.Delta{Action: lab.Update, Cause: cause + "; it is succeeded by another", Diff: f.Changed(key).Diff,
			Risk: lab.RiskDisrupt}
	case len(h.finding.Others) > 0:
		return reconcile.Delta{Action: lab.Update, Cause: fmt.Sprintf("%d of its predecessors are left, whose values nobody keeps",
			len(h.finding.Others))}
	}
	return reconcile.Delta{}
}

// stale says why another token must be made; nothing if the one whose value is kept is as it is wanted.
func (h *issued) stale(w Token) (f reconcile.Fields, cause string) {
	if h == nil {
		h = &issued{finding: credential.Finding{Cause: "not found"}}
	}
	t, kept := h.current()
	f.Set("scopes", fullScopes(w.Scopes), fullScopes(t.Scopes))
	age, err := time.ParseDuration(w.MaxAge)
	switch {
	case !kept:
		return f, h.finding.Cause
	case len(f.Differ()) > 0:
		return f, "scopes differ"
	case err == nil && time.Since(t.Created) > age:
		return f, "older than " + w.MaxAge
	}
	return f, ""
}

// passwords returns a client that comes with a password, as the tokens of a user are asked for. Up to 1.26 at least, a token in
// the place of a password will do.
func (r *run) passwords() *client {
	if r.server.User != "" {
		return r.client
	}
	return r.loggedIn(r.me, r.server.Token)
}

// needsPassword adds what to do where a token in the place of a password was refused.
func needsPassword(err error) error {
	var e *lab.Error
	if status(err) == http.StatusUnauthorized && errors.As(err, &e) {
		e.Hint = "give the user and the password of a site administrator instead of a token"
	}
	return err
}

func tokensPath(user string) string { return path("users", user, "tokens") }

// listTokens reads the tokens of all users that shall have some, and proves the values that are kept.
func (r *run) listTokens(ctx context.Context, want map[string]Token) (map[string]issued, error) {
	var owners []string
	for _, u := range r.spec.Users {
		if len(u.Tokens) > 0 || r.spec.Prune && r.spec.Sink != nil {
			owners = append(owners, u.Name)
		}
	}
	if len(owners) == 0 {
		return nil, nil
	}
	lists, err := reconcile.Each(ctx, r.server.parallel(), owners, func(ctx context.Context, owner string) ([]accessToken, error) {
		all, err := list[accessToken](ctx, r.passwords(), tokensPath(owner))
		if absent(err) {
			return nil, nil
		}
		return all, needsPassword(err)
	})
	if err != nil {
		return nil, err
	}
	has := map[string]issued{}
	for n, owner := range owners {
		for _, t := range lists[n] {
			if name, ok := r.tokenName(t.Name); ok {
				i := has[owner+"/"+name]
				i.ours = append(i.ours, t)
				has[owner+"/"+name] = i
			}
		}
	}
	keys := make([]string, 0, len(want))
	for key := range want {
		keys = append(keys, key)
	}
	findings, err := reconcile.Each(ctx, r.server.parallel(), keys, func(ctx context.Context, key string) (credential.Finding, error) {
		return r.tokenIssuer(key, nil, has[key].ours).Look(ctx, ids(has[key].ours))
	})
	if err != nil {
		return nil, err
	}
	for n, key := range keys {
		i := has[key]
		i.finding = findings[n]
		has[key] = i
	}
	return has, nil
}

// ownName is how a token of ours is called on the server: names are unique there, and a token and its successor are
// there together for a moment.
func (r *run) ownName(name string, generation int) string {
	return "lab/" + r.spec.stack() + "/" + name + "#" + strconv.Itoa(generation)
}

// tokenName returns which token of ours it is that is called so on the server.
func (r *run) tokenName(onServer string) (name string, ours bool) {
	rest, ours := strings.CutPrefix(onServer, "lab/"+r.spec.stack()+"/")
	name, generation, found := strings.Cut(rest, "#")
	_, err := strconv.Atoi(generation)
	return name, ours && found && err == nil && name != ""
}

func ids(tokens []accessToken) (all []string) {
	for _, t := range tokens {
		all = append(all, strconv.FormatInt(t.ID, 10))
	}
	return all
}

// tokenIssuer says how a token is made, proved and retired. ours are those that the server has.
func (r *run) tokenIssuer(key string, scopes []string, ours []accessToken) credential.Issuer {
	of, name := split(key)
	return credential.Issuer{Sink: r.spec.Sink, Name: TokenName(of, name),
		Prove: func(ctx context.Context, value lab.Secret) (string, error) {
			v := value.Reveal()
			n := slices.IndexFunc(ours, func(t accessToken) bool { return len(v) > 8 && v[len(v)-8:] == t.Last })
			if n < 0 {
				return "", r.fail("prove token", key, "", lab.ErrNotFound, "the server has no token of this value")
			}
			// Where its scopes do not let it read the user, the server says so, with 403: it knows the value.
			err := r.withToken(value).get(ctx, "/user", nil)
			if status(err) == http.StatusForbidden {
				err = nil
			}
			return strconv.FormatInt(ours[n].ID, 10), err
		},
		Create: func(ctx context.Context) (string, lab.Secret, error) {
			generation := 0
			for _, t := range ours {
				_, g, _ := strings.Cut(t.Name, "#")
				if n, err := strconv.Atoi(g); err == nil {
					generation = max(generation, n)
				}
			}
			var t accessToken
			if err := r.passwords().send(ctx, http.MethodPost, tokensPath(of),
				map[string]any{"name": r.ownName(name, generation+1), "scopes": scopes}, &t); err != nil {
				return "", lab.Secret{}, needsPassword(err)
			}
			ours = append(slices.Clone(ours), t)
			return strconv.FormatInt(t.ID, 10), lab.NewSecret(t.Value), nil
		},
		Retire: func(ctx context.Context, id string) error { return r.retireTokens(ctx, of, []string{id}) }}
}

// putToken makes a token, unless the one whose value is kept is as it is wanted, and removes all others of ours.
func (r *run) putToken(ctx context.Context, key string, w Token, h *issued) error {
	_, cause := h.stale(w)
	if h == nil {
		h = &issued{}
	}
	of, _ := split(key)
	if cause == "" {
		return r.retireTokens(ctx, of, h.finding.Others)
	}
	if _, err := r.tokenIssuer(key, fullScopes(w.Scopes), h.ours).Issue(ctx, h.finding); err != nil {
		return err
	}
	return r.retireTokens(ctx, of, ids(h.ours))
}

// retireTokens removes tokens. One that is gone already is no error.
func (r *run) retireTokens(ctx context.Context, user string, ids []string) error {
	for _, id := range ids {
		if err := r.passwords().send(ctx, http.MethodDelete, tokensPath(user)+path(id), nil, nil); err != nil && !absent(err) {
			return needsPassword(err)
		}
	}
	return nil
}

// withToken returns a client that comes with another token.
func (c *client) withToken(token lab.Secret) *client {
	other, server := *c, *c.server
	server.Token, server.User, server.Password = token, "", lab.Secret{}
	other.server, other.sudo, other.login = &server, "", nil
	other.mask = lab.NewMasker(token)
	return &other
}

// scopeCategories are what the scopes of tokens are about (models/auth/access_token_scope.go of Gitea).
var scopeCategories = []string{"activitypub", "admin", "issue", "misc", "notification", "organization", "package",
	"repository", "user"}

// fullScopes returns scopes as the server keeps them: write covers read, and write of everything is "all".
func fullScopes(scopes []string) (full []string) {
	writes := 0
	for _, c := range scopeCategories {
		switch {
		case slices.Contains(scopes, "write:"+c), slices.Contains(scopes, "all"):
			full = append(full, "write:"+c)
			writes++
		case slices.Contains(scopes, "read:"+c):
			full = append(full, "read:"+c)
		}
	}
	if writes == len(scopeCategories) {
		full = []string{"all"}
	}
	if slices.Contains(scopes, "public-only") {
		full = append(full, "public-only")
	}
	return full
}

func (v *validation) tokens(at, of string, tokens []Token) {
	for n, t := range tokens {
		under := fmt.Sprintf("%s.tokens[%d]", at, n)
		if !word.MatchString(t.Name) {
			v.bad(under+".name", t.Name, "is not a name", "write letters, digits, hyphens, dots and underscores")
		}
		v.unique(under+".name", "token "+of+"/"+t.Name, t.Name)
		if len(fullScopes(t.Scopes)) == 0 || slices.Equal(fullScopes(t.Scopes), []string{"public-only"}) {
			v.bad(under+".scopes", "", "allows nothing", `write "read:repository", or another`)
		}
		for m, s := range t.Scopes {
			level, category, _ := strings.Cut(s, ":")
			if s != "all" && s != "public-only" && (level != "read" && level != "write" || !slices.Contains(scopeCategories, category)) {
				v.bad(fmt.Sprintf("%s.scopes[%d]", under, m), s, "is not a scope", `write "read:" or "write:" and one of `+
					strings.Join(scopeCategories, ", "))
			}
		}
		if d, err := time.ParseDuration(t.MaxAge); t.MaxAge != "" && (err != nil || d < time.Hour) {
			v.bad(under+".maxAge", t.MaxAge, "is not a duration of an hour or more", `write "2160h"`)
		}
		v.sunk = true
	}
}
