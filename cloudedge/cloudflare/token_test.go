package cloudflare_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
)

// tokenSpec is a token that may change records.
func (w *world) tokenSpec(permissions ...string) cloudflare.Spec {
	if permissions == nil {
		permissions = []string{"DNS Write"}
	}
	return cloudflare.Spec{Stack: "test", Sink: w.sink, Prune: true, Tokens: []cloudflare.Token{{Name: "cms", Secret: "cms",
		Grants: []cloudflare.Grant{{Permissions: permissions, Zones: []string{"example.fr"}}}}}}
}

// live returns the names of the tokens of the account that are ours.
func (w *world) live(tb testing.TB) (names []string) {
	tb.Helper()
	for _, x := range w.tokens(tb) {
		if strings.HasPrefix(x.Name, "lab/") {
			names = append(names, x.Name)
		}
	}
	slices.Sort(names)
	return names
}

func (w *world) value(tb testing.TB, name string) string {
	tb.Helper()
	s, err := w.sink.Get(tb.Context(), name)
	if err != nil {
		tb.Fatal(err)
	}
	return s.Reveal()
}

// TestPoliciesAreASet is what the token resources of Terraform's provider v5 get wrong: the API returns policies and groups in
// another order, resources below the account, and names and IDs that were not sent. None of it is a difference
// (terraform-provider-cloudflare 5548, 5733, 6092, 7094, 7125), and the order in the spec neither.
func TestPoliciesAreASet(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	grants := []cloudflare.Grant{
		{Permissions: []string{"DNS Write", "Zone Read", "Logs Read"}, Zones: []string{"example.fr", "other.fr"}},
		{Permissions: []string{"SSL and Certificates Read"}, Zones: []string{"*"}},
		{Permissions: []string{"Pages Write", "Logs Read", "Workers Scripts Write"}, Account: true},
		{Permissions: []string{"DNS Write"}, Zones: []string{"Example.FR"}}, // once more
		{Permissions: []string{"Page Rules Write"}, Zones: []string{"other.fr"}},
	}
	s := w.tokenSpec()
	s.Tokens[0].Grants = grants
	w.converge(t, s)
	slices.Reverse(s.Tokens[0].Grants)
	for n := range grants {
		slices.Reverse(s.Tokens[0].Grants[n].Permissions)
		slices.Reverse(s.Tokens[0].Grants[n].Zones)
	}
	w.settled(t, s)
	s.Tokens[0].Grants = s.Tokens[0].Grants[1:]
	p := w.plan(t, s)
	if got := p.Changes(); len(got) != 1 || !strings.Contains(got[0].Diff, "Page Rules Write on zone other.fr") {
		t.Errorf("what is granted no more is not in the plan:\n%v", got)
	}
}

// TestValueStays: a change of the grants never rotates the secret (terraform-provider-cloudflare 5710, 7125).
func TestValueStays(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	w.converge(t, w.tokenSpec())
	value, id := w.value(t, "cms-token"), w.tokens(t)[0].ID
	w.converge(t, w.tokenSpec("DNS Read", "Zone Read"))
	if w.value(t, "cms-token") != value || w.tokens(t)[0].ID != id || len(w.tokens(t)) != 1 {
		t.Error("the token is another one")
	}
}

func TestGroupNames(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	for name, test := range map[string]struct {
		grant cloudflare.Grant
		kind  error
		says  []string
	}{
		"Misspelt": {cloudflare.Grant{Permissions: []string{"DNS Wirte"}, Zones: []string{"example.fr"}}, lab.ErrNotFound,
			[]string{"DNS Write", "DNS Wirte"}},
		"Renamed": {cloudflare.Grant{Permissions: []string{"Workers R2 Write"}, Account: true}, lab.ErrNotFound,
			[]string{"Workers R2 Storage Write"}},
		"WrongScope": {cloudflare.Grant{Permissions: []string{"DNS Write"}, Account: true}, lab.ErrInvalid, []string{"grant it on zones"}},
		"NoZone": {cloudflare.Grant{Permissions: []string{"DNS Write"}, Zones: []string{"nowhere.fr"}}, lab.ErrNotFound,
			[]string{"nowhere.fr", "example.fr"}},
		"NotTheZone": {cloudflare.Grant{Permissions: []string{"DNS Write"}, Zones: []string{"www.example.fr"}}, lab.ErrInvalid,
			[]string{"not one in it"}},
		"InBothScopes": {cloudflare.Grant{Permissions: []string{"Logs Read"}, Account: true}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := w.tokenSpec()
			s.Tokens[0].Grants = []cloudflare.Grant{test.grant}
			p, err := w.account.Plan(t.Context(), s)
			if !errors.Is(err, test.kind) || test.kind != nil && !p.Empty() {
				t.Fatalf("%v, %v, want %v", p, err, test.kind)
			}
			text := fmt.Sprint(err, lab.Hints(err))
			for _, says := range test.says {
				if !strings.Contains(text, says) {
					t.Errorf("no %q in %s", says, text)
				}
			}
		})
	}
}

// lossy is a sink that fails at its n-th write, before or after it is done.
type lossy struct {
	lab.SecretDir
	at   *int
	done bool
}

func (l lossy) write(name string, put func() error) error {
	if *l.at--; *l.at != 0 {
		return put()
	}
	if l.done {
		if err := put(); err != nil {
			return err
		}
	}
	return &lab.Error{Op: "put", Path: name, Err: lab.ErrUnreachable}
}

func (l lossy) Put(ctx context.Context, name string, s lab.Secret) error {
	return l.write(name, func() error { return l.SecretDir.Put(ctx, name, s) })
}

func (l lossy) Replace(ctx context.Context, name string, old, s lab.Secret) error {
	return l.write(name, func() error { return l.SecretDir.Replace(ctx, name, old, s) })
}

// TestNoTokenThatNobodyKnows cuts a run off at each write of the sink and of the API, before and after it is done, and while the
// answer to removing what was made is lost as well: the next run ends with one token, whose value is kept.
func TestNoTokenThatNobodyKnows(t *testing.T) {
	check := func(t *testing.T, w *world) {
		t.Helper()
		w.Reset()
		w.converge(t, w.tokenSpec())
		if live := w.live(t); len(live) != 1 {
			t.Errorf("%q are live", live)
		}
	}
	for n := 1; n <= 2; n++ {
		for _, done := range []bool{false, true} {
			for _, apiToo := range []bool{false, true} {
				w := newWorld(t, cloudflaretest.Config{})
				at := n
				s := w.tokenSpec()
				s.Sink = lossy{w.sink, &at, done}
				if apiToo {
					w.FailAt(2, cloudflaretest.Failure{}) // the DELETE that would undo it
				}
				if _, err := w.apply(t, s); err == nil {
					t.Fatal("it was not cut off")
				}
				check(t, w)
			}
		}
	}
	for _, how := range []cloudflaretest.Failure{{}, {Done: true}, cloudflaretest.Limited, {Done: true, Status: 500, Body: "<html>"},
		{Done: true, Status: 200, Body: `{"success":false,"errors":[{"code":1001,"message":"x"}],"result":null}`}} {
		w := newWorld(t, cloudflaretest.Config{})
		w.FailAt(1, how)
		_, err := w.apply(t, w.tokenSpec())
		if limited := how.Status == 429; (err == nil) != limited { // which is waited for
			t.Errorf("%+v: %v", how, err)
		}
		check(t, w)
	}
}

// TestTwoRunsAtOnce: one of them keeps its token, and the other removes its own.
func TestTwoRunsAtOnce(t *testing.T) {
	for range 5 {
		w := newWorld(t, cloudflaretest.Config{})
		var all sync.WaitGroup
		for range 3 {
			p := w.plan(t, w.tokenSpec())
			all.Go(func() { _, _ = apply(p) })
		}
		all.Wait()
		w.converge(t, w.tokenSpec())
		if live := w.live(t); len(live) != 1 {
			t.Errorf("%q are live", live)
		}
	}
}

// TestLostValue: a token whose value is lost gets a successor. The one that was in use stays for its grace, and one that was
// never used goes at once.
func TestLostValue(t *testing.T) {
	for _, test := range []struct {
		grace string
		live  []string
	}{{"", []string{"lab/test/cms#1", "lab/test/cms#2"}}, {"0s", []string{"lab/test/cms#2"}}} {
		w := newWorld(t, cloudflaretest.Config{})
		w.converge(t, w.tokenSpec())
		if err := os.Remove(w.sink.Path + "/cms-token"); err != nil {
			t.Fatal(err)
		}
		s := w.tokenSpec()
		s.Tokens[0].Grace = test.grace
		if p := w.plan(t, s); !slices.Equal(changes(p), []string{"update token:cms"}) {
			t.Errorf("%v", p)
		}
		w.converge(t, s)
		if live := w.live(t); !slices.Equal(live, test.live) {
			t.Errorf("%q are live, want %q", live, test.live)
		}
		s.Tokens[0].Grace = "0s" // it has passed
		w.apply(t, s)
		w.settled(t, s)
		if live := w.live(t); !slices.Equal(live, []string{"lab/test/cms#2"}) {
			t.Errorf("after the grace, %q are live", live)
		}
	}
	w := newWorld(t, cloudflaretest.Config{})
	w.addToken(t, "lab/test/cms#1") // that was never used
	w.converge(t, w.tokenSpec())
	if live := w.live(t); !slices.Equal(live, []string{"lab/test/cms#2"}) {
		t.Errorf("%q are live", live)
	}
}

// TestHardRoll: asked for, a lost value is replaced and not succeeded.
func TestHardRoll(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	s := w.tokenSpec()
	s.Tokens[0].HardRoll = true
	w.converge(t, s)
	id, value := w.tokens(t)[0].ID, w.value(t, "cms-token")
	if err := os.Remove(w.sink.Path + "/cms-token"); err != nil {
		t.Fatal(err)
	}
	if c := w.plan(t, s).Changes(); len(c) != 1 || c[0].Risk != lab.RiskDisrupt {
		t.Errorf("%v", c)
	}
	w.converge(t, s)
	if x := w.tokens(t); len(x) != 1 || x[0].ID != id || w.value(t, "cms-token") == value {
		t.Errorf("%v", x)
	}
}

// TestHardRollOfOld: a token that is too old is succeeded by another, whatever is asked for lost values: its age would stay.
func TestHardRollOfOld(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	s := w.tokenSpec()
	s.Tokens[0].HardRoll, s.Tokens[0].MaxAge = true, "24h"
	w.converge(t, s)
	w.Age(25)
	w.converge(t, s)
	if live := w.live(t); len(live) != 2 {
		t.Errorf("%q", live)
	}
}

// TestMaxAge rotates a token that is old.
func TestMaxAge(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	w.converge(t, w.tokenSpec())
	w.Age(25)
	s := w.tokenSpec()
	s.Tokens[0].MaxAge = "24h"
	before := w.value(t, "cms-token")
	w.converge(t, s)
	if w.value(t, "cms-token") == before || !slices.Equal(w.live(t), []string{"lab/test/cms#1", "lab/test/cms#2"}) {
		t.Errorf("%q", w.live(t))
	}
	w.Age(25) // hours, after which it has had its grace, and its successor is old too
	w.converge(t, s)
	if live := w.live(t); !slices.Equal(live, []string{"lab/test/cms#2", "lab/test/cms#3"}) {
		t.Errorf("%q", live)
	}
}

// TestRenamedToken is a token that somebody has renamed: it is known by its value, and refused unless it may be taken over.
func TestRenamedToken(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	w.converge(t, w.tokenSpec())
	x, value := w.tokens(t)[0], w.value(t, "cms-token")
	rename := func(name string) {
		w.call(t, "PUT", "/accounts/{a}/tokens/"+x.ID, map[string]any{"name": name, "status": "active", "policies": x.Policies})
	}
	rename("the token of the cms")
	p, err := w.account.Plan(t.Context(), w.tokenSpec())
	if !errors.Is(err, lab.ErrConflict) || !p.Empty() || !strings.Contains(err.Error(), "the token of the cms") {
		t.Fatalf("%v, %v", p, err)
	}
	s := w.tokenSpec()
	s.Adopt = true
	w.converge(t, s)
	if live := w.live(t); len(live) != 1 || w.value(t, "cms-token") != value {
		t.Errorf("%q are live", live)
	}
	rename("lab/other/cms#1")
	if _, err := w.account.Plan(t.Context(), s); !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "the stack other") {
		t.Errorf("%v", err)
	}
}

// TestDisabledToken: what somebody has switched off is not replaced by another that works.
func TestDisabledToken(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	w.converge(t, w.tokenSpec())
	x := w.tokens(t)[0]
	w.call(t, "PUT", "/accounts/{a}/tokens/"+x.ID, map[string]any{"name": x.Name, "status": "disabled", "policies": x.Policies})
	if p, err := w.account.Plan(t.Context(), w.tokenSpec("DNS Read")); !errors.Is(err, lab.ErrBlocked) || !p.Empty() {
		t.Errorf("%v, %v", p, err)
	}
}

// TestDuplicateTokens: names are not unique. The one whose value is kept stays, and the plan says how many others go.
func TestDuplicateTokens(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	w.converge(t, w.tokenSpec())
	id := w.tokens(t)[0].ID
	w.addToken(t, "lab/test/cms#1")
	w.addToken(t, "lab/test/cms#7")
	p := w.plan(t, w.tokenSpec())
	if c := p.Changes(); len(c) != 1 || !strings.Contains(c[0].Cause, "2 more of its name") {
		t.Errorf("%v", p)
	}
	w.converge(t, w.tokenSpec())
	if x := w.tokens(t); len(x) != 1 || x[0].ID != id {
		t.Errorf("%v", x)
	}
}

// TestTokenPruned removes tokens that are not wanted any more, if the list says that it is all of them.
func TestTokenPruned(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	w.converge(t, w.tokenSpec())
	s := w.tokenSpec()
	s.Tokens = nil
	w.settled(t, s)
	s.Tokens = []cloudflare.Token{}
	w.converge(t, s)
	if live := w.live(t); len(live) != 0 {
		t.Errorf("%q are live", live)
	}
}

// TestTokenSecrets looks for values in all that a plan and its apply say, and for what the entry holds.
func TestTokenSecrets(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	s := w.tokenSpec()
	s.Tokens[0].S3 = true
	p := w.plan(t, s)
	r, err := p.Apply(t.Context(), nil)
	value := w.value(t, "cms-token")
	keys := cloudflare.S3(w.account.ID, w.tokens(t)[0].ID, lab.NewSecret(value), "eu")
	if w.value(t, "cms-access_key_id") != keys.AccessKeyID || w.value(t, "cms-secret_access_key") != keys.SecretAccessKey.Reveal() ||
		w.value(t, "cms-account_id") != w.account.ID {
		t.Error("the entry has something else")
	}
	if want := "https://" + w.account.ID + ".eu.r2.cloudflarestorage.com"; keys.Endpoint != want {
		t.Errorf("%s", keys.Endpoint)
	}
	w.call(t, "PUT", "/accounts/{a}/tokens/"+w.tokens(t)[0].ID+"/value", struct{}{}) // by somebody else
	again := w.plan(t, s)
	lawtest.NoSecret(t, []lab.Secret{lab.NewSecret(value), keys.SecretAccessKey, w.account.Token},
		fmt.Sprintf("%v %+v %#v %v %v %v", p, p.Changes(), keys, r, err, again))
	w.apply(t, s)
	w.settled(t, s)
	if w.value(t, "cms-token") == value {
		t.Error("the value is of no use, and stays")
	}
}

// TestS3 is the example of Cloudflare's documentation: the secret is the SHA-256 of the value in hexadecimal digits.
func TestS3(t *testing.T) {
	keys := cloudflare.S3("a", "id", lab.NewSecret("abc"), "")
	if keys.SecretAccessKey.Reveal() != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" ||
		keys.Endpoint != "https://a.r2.cloudflarestorage.com" {
		t.Errorf("%+v", keys)
	}
}

// TestUserToken: where the value is kept, there is that of a user's token, which works. It is not lost unless that is asked.
func TestUserToken(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{}).checked(t)
	value := lab.NewSecret(w.AddUserToken())
	fatal(t, w.sink.Put(t.Context(), "cms-token", value))
	s := w.tokenSpec()
	p, err := w.account.Plan(t.Context(), s)
	if !errors.Is(err, lab.ErrConflict) || !p.Empty() || w.value(t, "cms-token") != value.Reveal() {
		t.Fatalf("%v, %v", p, err)
	}
	lawtest.NoSecret(t, []lab.Secret{value}, fmt.Sprintf("%+v %v", err, lab.Hints(err)))
	s.Adopt = true
	w.converge(t, s)
	if w.value(t, "cms-token") == value.Reveal() {
		t.Error("it is still that of the user")
	}
}

// TestGroupTwice: of two permission groups of one name, none is guessed.
func TestGroupTwice(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	w.AddGroup("DNS Write")
	if p, err := w.account.Plan(t.Context(), w.tokenSpec()); !errors.Is(err, lab.ErrConflict) || !p.Empty() {
		t.Errorf("%v, %v", p, err)
	}
}

// TestRestOfToken: what the spec does not say of a token stays when its grants change, though everything is sent.
func TestRestOfToken(t *testing.T) {
	w := newWorld(t, cloudflaretest.Config{})
	w.converge(t, w.tokenSpec())
	x := w.tokens(t)[0]
	w.call(t, "PUT", "/accounts/{a}/tokens/"+x.ID, map[string]any{"name": x.Name, "status": "active", "policies": x.Policies,
		"expires_on": "2098-01-01T00:00:00Z", "not_before": "2020-01-01T00:00:00Z",
		"condition": map[string]any{"request_ip": map[string]any{"not_in": []string{"192.0.2.0/24"}}}})
	w.settled(t, w.tokenSpec())
	s := w.tokenSpec("DNS Read")
	s.Tokens[0].AllowIPs = []string{"198.51.100.0/24"}
	w.converge(t, s)
	has := string(w.call(t, "GET", "/accounts/{a}/tokens/"+x.ID, nil))
	for _, part := range []string{`"expires_on":"2098-01-01T00:00:00Z"`, `"not_before":"2020-01-01T00:00:00Z"`, `"not_in":["192.0.2.0/24"]`,
		`"in":["198.51.100.0/24"]`} {
		if !strings.Contains(has, part) {
			t.Errorf("no %s in %s", part, has)
		}
	}
}
