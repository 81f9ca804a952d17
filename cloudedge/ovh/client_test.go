package ovh_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh/ovhtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
)

// clientsOnly wants the client and its policy alone.
func clientsOnly(tb testing.TB, c ovhtest.Config) *world {
	tb.Helper()
	w := newWorld(tb, c)
	contracts(tb, w.Server)
	w.spec.Zones, w.spec.Delegations, w.spec.Adopt = nil, nil, false
	return w
}

// whole proves that there is one client of ours, that what is kept is what it logs in with, and that the policy is its.
func (w *world) whole(tb testing.TB) {
	tb.Helper()
	clients := w.Clients()
	if len(clients) != 1 {
		tb.Fatalf("there are the clients %q", clients)
	}
	id := strings.Fields(clients[0])[1]
	if kept := w.sink.values["cms/ovh#client_id"].Reveal(); kept != id {
		tb.Errorf("the ID %q is kept of %s", kept, id)
	}
	if !strings.Contains(w.Policies()["cms"], "oauth2-"+id+`"]`) {
		tb.Errorf("the policy is not that of %s: %s", id, w.Policies()["cms"])
	}
	a := w.account
	a.ApplicationKey, a.ApplicationSecret, a.ConsumerKey = "", lab.Secret{}, lab.Secret{}
	a.ClientID, a.ClientSecret = id, w.sink.values["cms/ovh#client_secret"]
	if _, err := a.Plan(tb.Context(), ovh.Spec{Zones: []ovh.Zone{{Name: domain}}}); err != nil {
		tb.Errorf("the client cannot do what it is for: %v", err)
	}
}

func TestLostAnswerAfterCreate(t *testing.T) {
	for _, lag := range []int{0, 2} {
		w := clientsOnly(t, ovhtest.Config{Lag: lag})
		w.FailAt(1, ovhtest.Failure{Done: true})
		if _, err := w.plan(t).Apply(t.Context(), nil); !errors.Is(err, lab.ErrUnreachable) {
			t.Fatal(err)
		}
		if n := len(w.Clients()); n != 1 {
			t.Fatalf("%d clients", n)
		}
		for range 2 * (lag + 1) { // what is not listed is found when it is
			w.apply(t)
		}
		w.converge(t)
		w.whole(t)
	}
}

func TestSinkThatFails(t *testing.T) {
	w := clientsOnly(t, ovhtest.Config{})
	w.sink.broken = errors.New("the sink is full")
	if _, err := w.plan(t).Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "full") {
		t.Fatal(err)
	}
	if c := w.Clients(); len(c) != 0 {
		t.Fatalf("a client is left whose secret nobody knows: %q", c)
	}
	w.sink.broken = errors.New("the sink is full")
	w.FailAt(2, ovhtest.Failure{}) // and the run dies before it has removed the client
	if _, err := w.plan(t).Apply(t.Context(), nil); err == nil {
		t.Fatal("no error")
	}
	if c := w.Clients(); len(c) != 1 {
		t.Fatalf("nothing was left: %q", c)
	}
	w.Reset()
	w.converge(t)
	w.whole(t)
}

// TestLostSecret loses the secret, and cuts the run that repairs it off at each of its writes: there is never a policy
// that names a client which does not exist, and in the end one client.
func TestLostSecret(t *testing.T) {
	for _, how := range []ovhtest.Failure{{}, {Done: true}} {
		for n := 1; ; n++ {
			w := clientsOnly(t, ovhtest.Config{})
			w.converge(t)
			was := w.Clients()[0]
			w.sink.remove("cms/ovh#client_secret")
			p := w.plan(t)
			if text := p.String(); !strings.Contains(text, "its value is not in the memory; it is succeeded by another") ||
				!strings.Contains(text, "predecessors:cms") {
				t.Fatal(text)
			}
			w.FailAt(n, how)
			_, err := p.Apply(t.Context(), nil)
			for _, i := range w.identities() {
				if !slices.ContainsFunc(w.Clients(), func(c string) bool { return strings.HasSuffix(i, strings.Fields(c)[1]) }) {
					t.Errorf("cut off at %d, the policy is of %s, and there are %q", n, i, w.Clients())
				}
			}
			done := w.Fired() == 0
			w.Reset()
			w.converge(t)
			w.whole(t)
			if w.Clients()[0] == was {
				t.Error("it is the old client")
			}
			if done {
				if err != nil || n < 4 { // create, policy, delete
					t.Errorf("%d writes, %v", n-1, err)
				}
				break
			}
		}
	}
}

func (w *world) identities() (all []string) {
	_, rest, _ := strings.Cut(w.Policies()["cms"], `"identities":[`)
	list, _, _ := strings.Cut(rest, "]")
	for i := range strings.SplitSeq(list, ",") {
		all = append(all, strings.Trim(i, `"`))
	}
	return all
}

// TestSecretsInADirectory keeps them where a first run can: in a directory.
func TestSecretsInADirectory(t *testing.T) {
	w := clientsOnly(t, ovhtest.Config{})
	sink := lab.SecretDir{Path: filepath.Join(t.TempDir(), "secrets")}
	w.spec.Sink = sink
	w.spec.Clients[0].Secret = ""
	w.converge(t)
	id, err := sink.Get(t.Context(), "ovh-cms-client_id")
	if err != nil || !strings.Contains(w.Clients()[0], id.Reveal()) {
		t.Errorf("%v", err)
	}
	if _, err := sink.Get(t.Context(), w.spec.Clients[0].SecretName()); err != nil {
		t.Error(err)
	}
}

// TestIDs are all that a plan has.
func TestIDs(t *testing.T) {
	w := newWorld(t, ovhtest.Config{})
	w.Sign(domain)
	w.spec.Delegations[0].RemoveDS = true
	p, _ := w.account.Plan(t.Context(), w.spec) // the name servers wait
	ids := w.spec.IDs()
	for _, c := range p.Changes() {
		if !slices.Contains(ids, c.ID) {
			t.Errorf("%s is not among %v", c.ID, ids)
		}
	}
	if len(p.Changes()) != 6 || !slices.Contains(ids, "delegation:"+domain) || !slices.Contains(ids, "ovh/predecessors:cms") {
		t.Errorf("%v %v", p, ids)
	}
}

func TestWrongSecretIsSucceeded(t *testing.T) {
	w := clientsOnly(t, ovhtest.Config{})
	w.converge(t)
	w.sink.values["cms/ovh#client_secret"] = lab.NewSecret("another")
	w.converge(t)
	w.whole(t)
	w.sink.remove("cms/ovh#client_id")
	if p := w.converge(t); !strings.Contains(p.String(), "its ID is not in the memory") {
		t.Error(p)
	}
	w.whole(t)
}

func TestTwoRunsAtOnce(t *testing.T) {
	w := clientsOnly(t, ovhtest.Config{})
	ends := make(chan error, 2)
	for range 2 {
		p := w.plan(t)
		go func() {
			_, err := p.Apply(context.Background(), nil)
			ends <- err
		}()
	}
	<-ends
	<-ends
	w.apply(t)
	w.converge(t)
	w.whole(t)
}

func TestRenamedClient(t *testing.T) {
	w := clientsOnly(t, ovhtest.Config{})
	w.converge(t)
	w.ChangeClients(func(name, _, _ *string) { *name = "renamed" })
	if p := w.converge(t); len(p.Changes()) != 1 {
		t.Error(p)
	}
	w.whole(t)
}

func TestForeignClient(t *testing.T) {
	w := clientsOnly(t, ovhtest.Config{})
	id, secret := w.AddClient("cms", "by hand", "CLIENT_CREDENTIALS")
	_, err := w.account.Plan(t.Context(), w.spec)
	var e *lab.Error
	if !errors.As(err, &e) || !errors.Is(err, lab.ErrConflict) || e.Set.Name != ovh.SettingAdopt {
		t.Fatalf("%v", err)
	}

	w.spec.Adopt = true
	w.sink.values = map[string]lab.Secret{"cms/ovh#client_secret": secret}
	w.converge(t)
	w.whole(t)
	if c := w.Clients()[0]; !strings.Contains(c, id) || !strings.Contains(c, "owner=lab/client/cms") {
		t.Errorf("it was not taken over: %s", c)
	}

	other := clientsOnly(t, ovhtest.Config{})
	other.spec.Adopt = true
	id, _ = other.AddClient("cms", "by hand", "CLIENT_CREDENTIALS")
	other.converge(t)
	if c := other.Clients(); len(c) != 2 || !strings.Contains(c[0], id+" by hand") {
		t.Errorf("a successor beside it, which others use: %q", c)
	}

	stack := clientsOnly(t, ovhtest.Config{})
	stack.spec.Adopt = true
	stack.AddClient("cms", "managed-by=lab;owner=another/client/cms", "CLIENT_CREDENTIALS")
	if _, err := stack.account.Plan(t.Context(), stack.spec); !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "another") {
		t.Errorf("%v", err)
	}
}

func TestFlowIsAConflict(t *testing.T) {
	w := clientsOnly(t, ovhtest.Config{})
	w.converge(t)
	w.ChangeClients(func(_, _, flow *string) { *flow = "AUTHORIZATION_CODE" })
	_, err := w.account.Plan(t.Context(), w.spec)
	if !errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "AUTHORIZATION_CODE") {
		t.Errorf("%v", err)
	}
}

// TestPredecessorThatOthersName keeps a client that a policy of somebody else's names.
func TestPredecessorThatOthersName(t *testing.T) {
	w := clientsOnly(t, ovhtest.Config{})
	w.converge(t)
	w.AddPolicy("theirs", "by hand", false, w.identities()[0], "urn:v1:eu:resource:vps:v", "vps:apiovh:reboot")
	w.sink.remove("cms/ovh#client_secret")
	_, err := w.plan(t).Apply(t.Context(), nil)
	if !errors.Is(err, lab.ErrBlocked) || !strings.Contains(err.Error(), "the policy theirs names it") || len(w.Clients()) != 2 {
		t.Errorf("%v %q", err, w.Clients())
	}
}

func TestPrune(t *testing.T) {
	w := clientsOnly(t, ovhtest.Config{})
	w.AddClient("theirs", "by hand", "CLIENT_CREDENTIALS")
	w.converge(t)
	w.spec.Clients, w.spec.Policies = nil, nil
	p := w.converge(t)
	if ids := fmt.Sprint(p.Changes()[0].ID, p.Changes()[1].ID); !strings.HasPrefix(ids, "ovh/policy:cms") || len(w.Clients()) != 1 {
		t.Errorf("%v %q", p, w.Clients())
	}
}

// TestClientSecretIsShownNowhere looks for the secret, and a token, in everything that a life of the account says.
func TestClientSecretIsShownNowhere(t *testing.T) {
	w := clientsOnly(t, ovhtest.Config{Throttle: 5})
	var said, logged strings.Builder // two requests, and an event, are told of at once
	w.account.Log = slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	p := w.plan(t)
	r, err := p.Apply(t.Context(), &lab.ApplyOptions{Events: func(e lab.Event) { fmt.Fprintf(&said, "%+v", e) }})
	fmt.Fprintf(&said, "%v %+v %v %v", p, r, err, w.plan(t))
	a := w.account
	a.ApplicationKey, a.ApplicationSecret, a.ConsumerKey = "", lab.Secret{}, lab.Secret{}
	a.ClientID, a.ClientSecret = w.sink.values["cms/ovh#client_id"].Reveal(), w.sink.values["cms/ovh#client_secret"]
	_, err = a.Plan(t.Context(), ovh.Spec{Zones: []ovh.Zone{{Name: "nobodys.fr"}}})
	fmt.Fprintf(&said, "%v %+v %#v", err, err, a)
	a.ClientSecret = lab.NewSecret("a-wrong-secret")
	_, err = a.Plan(t.Context(), ovh.Spec{Zones: []ovh.Zone{{Name: domain}}})
	if !errors.Is(err, lab.ErrUnauthorized) {
		t.Errorf("%v", err)
	}
	fmt.Fprintf(&said, "%v", err)
	if !strings.Contains(logged.String(), "oauth2/client") {
		t.Fatal("nothing was said")
	}
	lawtest.NoSecret(t, append(w.sink.all(), lab.NewSecret("a-wrong-secret"), w.account.ConsumerKey), said.String(), logged.String())
}
