package forge

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// JobIdentity is an account by which jobs of Actions prove to others, such as Vault, who sends them. No Gitea up to 1.27
// gives a job an id_token of its own. Here is what comes next to it: a restricted user that may do nothing, an OAuth2
// application of its own, and a refresh token, which a job exchanges for an id_token, by the secret of the application:
//
//	curl -sf "$GITEA/login/oauth/access_token" -d grant_type=refresh_token \
//	  -d "client_id=$CLIENT_ID" \
//	  --data-urlencode "client_secret=$CLIENT_SECRET" \
//	  --data-urlencode "refresh_token=$REFRESH_TOKEN"
//
// The id_token proves the user, and not the repository, the branch or the workflow: every job that has both secrets is this
// user. Give them to the repositories that may be it alone, and to each that shall be told apart an identity of its own;
// a branch is protected where the secrets are used, not here.
//
// The client secret and the refresh token are kept in [Spec].Sink, under [SecretName] (of [JobApplication]) and [RefreshTokenName],
// from where [Deliver] takes them to the secrets of Actions. A refresh token is valid for 730 hours, or as the server's
// REFRESH_TOKEN_EXPIRATION_TIME says. It is renewed when half of that is over: plan once a week at least.
type JobIdentity struct {
	Name  string `yaml:"name,required"`  // of the user
	Email string `yaml:"email,required"` // of the user

	// Password is the user's, by which it allows the application to stand for it. It is required.
	Password lab.Secret    `yaml:"-"`
	From     lab.SecretRef `yaml:"password"` // where the Password is, see [Spec.Resolve]
}

// JobApplication is the name of the OAuth2 application of a [JobIdentity].
const JobApplication = "jobs"

// RefreshTokenName returns the name of the refresh token of a [JobIdentity] in the sink.
func RefreshTokenName(identity string) string { return "refresh-token-" + identity }

const (
	// jobRedirect is where the authorization code would be sent; nobody follows it.
	jobRedirect = "http://127.0.0.1/"

	// jobScope has a scope of the API that allows nothing: without any, an access token of OAuth2 may do all that the user
	// may (services/oauth2_provider/access_token.go of Gitea, GrantAdditionalScopes).
	jobScope = "openid profile read:misc"
)

// JobClaims are what a server must require of the id_tokens of a [JobIdentity]. For Vault: oidc_discovery_url and bound_issuer are
// the Issuer, bound_audiences has the ClientID, bound_subject is the Subject, and user_claim is preferred_username.
type JobClaims struct {
	Issuer   string // without a slash at its end
	ClientID string
	Subject  string // the number of the user
	Username string // preferred_username
}

// user returns the user of an identity, as it is wanted, with its application.
func (i JobIdentity) user() User {
	restricted, login, admin := true, true, false
	return User{Name: i.Name, Email: i.Email, Restricted: &restricted, Login: &login, Admin: &admin, Visibility: "private",
		Password: i.Password, Applications: []Application{{Name: JobApplication, RedirectURIs: []string{jobRedirect}}}}
}

// expanded returns the spec with the users of its identities.
func (s Spec) expanded() Spec {
	s.Users = slices.Clone(s.Users)
	for _, i := range s.JobIdentities {
		s.Users = append(s.Users, i.user())
	}
	return s
}

// JobClaims returns what the id_tokens of an identity say, once it is there. The error wraps [lab.ErrNotFound] when it is not.
func (s *Server) JobClaims(ctx context.Context, identity string) (JobClaims, error) {
	if err := s.Validate().Err(); err != nil {
		return JobClaims{}, err
	}
	c := s.client()
	defer c.close()
	app, err := c.jobApplication(ctx, identity)
	if err != nil {
		return JobClaims{}, err
	}
	var u struct {
		ID    int64  `json:"id"`
		Login string `json:"login"`
	}
	if err := c.get(ctx, path("users", identity), &u); err != nil {
		return JobClaims{}, err
	}
	issuer, err := c.issuer(ctx)
	return JobClaims{Issuer: issuer, ClientID: app.ClientID, Subject: fmt.Sprint(u.ID), Username: u.Login}, err
}

// jobApplication returns the application of an identity.
func (c *client) jobApplication(ctx context.Context, identity string) (application, error) {
	all, err := list[application](ctx, c.as(identity), "/user/applications/oauth2")
	for _, a := range all {
		if a.Name == JobApplication {
			return a, nil
		}
	}
	if err == nil {
		err = c.fail("read application", identity+"/"+JobApplication, "apply the identity first", lab.ErrNotFound, "there is none")
	}
	return application{}, err
}

// issuer returns the issuer of id_tokens.
func (c *client) issuer(ctx context.Context) (string, error) {
	var discovery struct {
		Issuer string `json:"issuer"`
	}
	_, answer, err := c.do(ctx, shortly, http.MethodGet, "/.well-known/openid-configuration", "", nil)
	if err == nil && (json.Unmarshal(answer, &discovery) != nil || discovery.Issuer == "") {
		err = c.fail("read issuer", "/.well-known/openid-configuration", "", lab.ErrConflict, "it says no issuer")
	}
	return discovery.Issuer, err
}

// jobState is what is found of an identity.
type jobState struct {
	cause string // why another refresh token is needed; empty: none is
	kept  bool   // there is one in the sink
}

func (r *run) jobIdentities() reconcile.Kind {
	want := map[string]JobIdentity{}
	for _, i := range r.spec.JobIdentities {
		want[i.Name] = i
	}
	return reconcile.Collection[JobIdentity, jobState]{
		Name: "job-identity", Want: want,
		List: func(ctx context.Context) (map[string]jobState, error) {
			names := slices.Collect(func(yield func(string) bool) {
				for _, i := range r.spec.JobIdentities {
					if !yield(i.Name) {
						return
					}
				}
			})
			states, err := reconcile.Each(ctx, r.server.parallel(), names, r.jobState)
			has := map[string]jobState{}
			for n, name := range names {
				if err == nil {
					has[name] = states[n]
				}
			}
			return has, err
		},
		Diff: func(_ string, _ JobIdentity, h *jobState) reconcile.Delta {
			switch {
			case h.cause == "":
				return reconcile.Delta{}
			case !h.kept:
				return reconcile.Delta{Action: lab.Create, Cause: h.cause}
			}
			return reconcile.Delta{Action: lab.Update, Cause: h.cause}
		},
		Put: func(ctx context.Context, _ string, w JobIdentity, _ *jobState) error { return r.authorizeJobs(ctx, w) },
		After: func(key string, _ JobIdentity) []string {
			return []string{"user:" + key, "application:" + key + "/" + JobApplication}
		},
	}
}

// jobState looks at the refresh token in the sink, which the server is asked about by the application.
func (r *run) jobState(ctx context.Context, name string) (jobState, error) {
	sink := r.spec.Sink
	refresh, err := sink.Get(ctx, RefreshTokenName(name))
	if errors.Is(err, lab.ErrNotFound) {
		return jobState{cause: "there is no refresh token in " + sink.String()}, nil
	}
	if err != nil {
		return jobState{}, err
	}
	state := jobState{kept: true}
	clientSecret, err := sink.Get(ctx, SecretName(name, JobApplication))
	if errors.Is(err, lab.ErrNotFound) {
		state.cause = "the client secret is not in " + sink.String() + ", and the refresh token cannot be proved"
		return state, nil
	}
	if err != nil {
		return jobState{}, err
	}
	app, err := r.jobApplication(ctx, name)
	if absent(err) || errors.Is(err, lab.ErrNotFound) {
		state.cause = "its application is not there any more"
		return state, nil
	}
	if err != nil {
		return jobState{}, err
	}
	state.cause, err = r.introspect(ctx, app.ClientID, clientSecret, refresh, name)
	if half, ok := halfLife(refresh); err == nil && state.cause == "" && ok && time.Now().After(half) {
		state.cause = "half of the life of its refresh token is over"
	}
	return state, err
}

// introspect asks the server about a refresh token, and says why it is of no use; nothing if it is. The question is in JSON: a
// token in a form is taken for one that the caller comes with.
func (r *run) introspect(ctx context.Context, id string, clientSecret, token lab.Secret, name string) (cause string, err error) {
	body, err := json.Marshal(map[string]string{"token": token.Reveal()})
	if err != nil {
		return "", err
	}
	_, answer, err := r.loggedIn(id, clientSecret).do(ctx, shortly, http.MethodPost, "/login/oauth/introspect", "application/json", body)
	if errors.Is(err, lab.ErrUnauthorized) {
		return "the client secret in " + r.spec.Sink.String() + " is not that of its application", nil
	}
	if err != nil {
		return "", err
	}
	var said struct {
		Active   bool   `json:"active"`
		Scope    string `json:"scope"`
		Username string `json:"username"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return "", r.fail("introspect", name, "", lab.ErrConflict, "the answer is not what the API says")
	}
	switch {
	case !said.Active:
		return "the refresh token in " + r.spec.Sink.String() + " is of no use any more", nil
	case !strings.EqualFold(said.Username, name) || said.Scope != jobScope:
		return "the refresh token in " + r.spec.Sink.String() + " is that of another user or scope", nil
	}
	return "", nil
}

// halfLife returns when half of the life of a JSON Web Token is over. It is not proved here: it only says when to ask for
// another.
func halfLife(token lab.Secret) (half time.Time, ok bool) {
	var claims struct {
		Issued  int64 `json:"iat"`
		Expires int64 `json:"exp"`
	}
	err := tokenClaims(token.Reveal(), &claims)
	return time.Unix(claims.Issued+(claims.Expires-claims.Issued)/2, 0), err == nil && claims.Issued > 0 && claims.Expires > claims.Issued
}

// tokenClaims reads the claims of a JSON Web Token, and proves nothing.
func tokenClaims(token string, into any) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return lab.ErrInvalid
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(payload, into)
	}
	if err != nil {
		return lab.ErrInvalid
	}
	return nil
}

// authorizeJobs lets the user of an identity allow its application to stand for it, and keeps the refresh token. All of
// it may be done again: a grant that is there already is used.
func (r *run) authorizeJobs(ctx context.Context, w JobIdentity) error {
	sink := r.spec.Sink
	if err := sink.Prove(ctx); err != nil {
		return err
	}
	old, err := sink.Get(ctx, RefreshTokenName(w.Name))
	if err != nil && !errors.Is(err, lab.ErrNotFound) {
		return err
	}
	replacer, replaces := sink.(lab.Replacer)
	if !old.IsZero() && !replaces {
		return &lab.Error{Op: "renew refresh token", Target: r.server.target(), Path: w.Name,
			Hint: "remove " + RefreshTokenName(w.Name) + " from " + sink.String(),
			Err:  fmt.Errorf("%w: another is kept, and nothing can be replaced there", lab.ErrConflict)}
	}
	clientSecret, err := sink.Get(ctx, SecretName(w.Name, JobApplication))
	if err != nil {
		return err
	}
	app, err := r.jobApplication(ctx, w.Name)
	if err != nil {
		return err
	}
	tokens, err := r.obtain(ctx, w, app.ClientID, clientSecret)
	if err != nil {
		return err
	}
	refresh := lab.NewSecret(tokens.Refresh)
	if old.IsZero() {
		err = sink.Put(ctx, RefreshTokenName(w.Name), refresh)
	} else {
		err = replacer.Replace(ctx, RefreshTokenName(w.Name), old, refresh)
	}
	if err != nil {
		return err
	}
	cause, err := r.introspect(ctx, app.ClientID, clientSecret, refresh, w.Name)
	if err == nil && cause != "" {
		err = r.fail("renew refresh token", w.Name, "plan again", lab.ErrDrift, cause)
	}
	return err
}

// oauthTokens are what the server gives for an authorization code.
type oauthTokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

// String shows none of them.
func (t oauthTokens) String() string { return "tokens" }

// GoString does the same as String.
func (t oauthTokens) GoString() string { return "tokens" }

// obtain logs in as the user, allows the application to stand for it, and exchanges the authorization code.
func (r *run) obtain(ctx context.Context, w JobIdentity, id string, clientSecret lab.Secret) (oauthTokens, error) {
	code, err := r.authorizationCode(ctx, w, id)
	if err != nil {
		return oauthTokens{}, err
	}
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {id}, "client_secret": {clientSecret.Reveal()},
		"code": {code.Reveal()}, "redirect_uri": {jobRedirect}}
	anonymous := *r.client
	anonymous.nobody = true
	anonymous.mask = lab.NewMasker(code, clientSecret)
	_, answer, err := anonymous.do(ctx, shortly, http.MethodPost, "/login/oauth/access_token", "application/x-www-form-urlencoded",
		[]byte(form.Encode()))
	if err != nil {
		return oauthTokens{}, err
	}
	var tokens oauthTokens
	if err := json.Unmarshal(answer, &tokens); err != nil || tokens.Refresh == "" || tokens.ID == "" {
		return oauthTokens{}, r.fail("exchange authorization code", w.Name, "", lab.ErrConflict, "the server gives no refresh token and id_token")
	}
	var claims struct {
		Audience []string `json:"aud"`
		Username string   `json:"preferred_username"`
	}
	if err := tokenClaims(tokens.ID, &claims); err != nil || !slices.Contains(claims.Audience, id) ||
		!strings.EqualFold(claims.Username, w.Name) {
		return oauthTokens{}, r.fail("exchange authorization code", w.Name, "", lab.ErrConflict, "the id_token is that of another")
	}
	// The counter of a grant is only moved where a refresh token works once, so that of two jobs one would fail.
	var counted struct {
		Counter int `json:"cnt"`
	}
	if err := tokenClaims(tokens.Refresh, &counted); err != nil || counted.Counter > 0 {
		return oauthTokens{}, r.fail("exchange authorization code", w.Name,
			"set INVALIDATE_REFRESH_TOKENS = false in the section oauth2 of the server", lab.ErrBlocked,
			"a refresh token of this server works only once, and jobs run again")
	}
	// What a job can have beside the id_token must be of no use.
	err = r.withToken(lab.NewSecret(tokens.Access)).get(ctx, "/user", nil)
	if status(err) != http.StatusForbidden {
		if err == nil {
			err = r.fail("exchange authorization code", w.Name, "remove the authorization of "+JobApplication+
				" in the settings of the user, and plan again", lab.ErrRefused, "its access token may do all that the user may")
		}
		return oauthTokens{}, err
	}
	return tokens, nil
}

func (v *validation) jobIdentity(at string, i JobIdentity) {
	v.owner(at+".name", i.Name)
	v.unique(at+".name", "owner "+i.Name, i.Name)
	if strings.Count(i.Email, "@") != 1 {
		v.bad(at+".email", i.Email, "is not an address", "")
	}
	if len(i.Password.Reveal()) < 8 {
		v.bad(at+".password", "", "shorter than 8 characters, which the server does not take", "make a random one once, and keep it")
	}
	v.sunk = true
}
