package vaultprov_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
	"gitea.arcodange.lab/arcodange-org/lab/internal/lawtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/vaulttest"
)

// installed is a Vault as it is installed, of either kind.
type installed struct {
	*vaultprov.Server
	restart func()
	seal    func(root lab.Secret)
}

// onBoth runs a test on the server of package vaulttest and on a real Vault with raft storage.
func onBoth(t *testing.T, test func(t *testing.T, fresh func() installed)) {
	t.Run("Fake", func(t *testing.T) {
		test(t, func() installed {
			v := vaulttest.New(t, vaulttest.Config{Uninitialized: true})
			return installed{&vaultprov.Server{Address: v.Address()}, v.Seal, func(lab.Secret) { v.Seal() }}
		})
	})
	t.Run("Real", func(t *testing.T) {
		test(t, func() installed {
			v := real.VaultRaft(t)
			return installed{&vaultprov.Server{Address: v.Address}, func() {
				v.Stop(t)
				v.Start(t)
			}, func(root lab.Secret) { v.Call(t, root.Reveal(), "PUT", "sys/seal", "") }}
		})
	})
}

// memory is a sink in memory, with its failures.
type memory struct {
	secrets map[string]lab.Secret
	refuse  func(name string) error // of Put; nil: none
	proves  error
}

func newMemory() *memory { return &memory{secrets: map[string]lab.Secret{}} }

func (m *memory) String() string              { return "memory" }
func (m *memory) Prove(context.Context) error { return m.proves }

func (m *memory) Get(_ context.Context, name string) (lab.Secret, error) {
	if s, has := m.secrets[name]; has {
		return s, nil
	}
	return lab.Secret{}, lab.ErrNotFound
}

func (m *memory) Put(_ context.Context, name string, s lab.Secret) error {
	if m.refuse != nil {
		if err := m.refuse(name); err != nil {
			return err
		}
	}
	if have, has := m.secrets[name]; has && !have.Equal(s) {
		return lab.ErrConflict
	}
	m.secrets[name] = s
	return nil
}

func (m *memory) keys(t *testing.T) vaultprov.Keys {
	t.Helper()
	keys, err := vaultprov.ParseKeys(m.secrets["vault-init"])
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// apply plans and applies, and returns what was said.
func apply(t *testing.T, p *lab.Plan, err error) (said string, failed error) {
	t.Helper()
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	var text strings.Builder
	text.WriteString(p.String())
	_, failed = p.Apply(t.Context(), &lab.ApplyOptions{Events: func(e lab.Event) { text.WriteString(e.Text + "\n") }})
	return text.String(), failed
}

func isInitialised(t *testing.T, v installed, shares, threshold int) (*memory, vaultprov.Keys) {
	t.Helper()
	sink := newMemory()
	p, err := v.Init(t.Context(), vaultprov.Init{Sink: sink, Shares: shares, Threshold: threshold})
	if _, err := apply(t, p, err); err != nil {
		t.Fatal(err)
	}
	return sink, sink.keys(t)
}

// another is a Vault whose keys are those of another one.
func another(t *testing.T) installed {
	t.Helper()
	v := vaulttest.New(t, vaulttest.Config{Uninitialized: true})
	return installed{Server: &vaultprov.Server{Address: v.Address()}}
}

func state(t *testing.T, v installed) string {
	t.Helper()
	st, err := v.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st.String()
}

// TestLifecycle: from a Vault as it is installed to one that serves, and again after a restart.
func TestLifecycle(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func() installed) {
		v := fresh()
		if s := state(t, v); s != "not initialised" {
			t.Errorf("it is %s", s)
		}
		if _, err := vaultprov.Unseal(t.Context(), vaultprov.Keys{}, v.Server); !errors.Is(err, lab.ErrBlocked) {
			t.Errorf("it is not initialised, and to be unsealed: %v", err)
		}
		sink := newMemory()
		init := vaultprov.Init{Sink: sink, Shares: 3, Threshold: 2}
		p, err := v.Init(t.Context(), init)
		said, err := apply(t, p, err)
		if err != nil || !strings.Contains(said, "+ 3 shares, of which 2 unseal it") {
			t.Fatalf("%v\n%s", err, said)
		}
		keys := sink.keys(t)
		if len(keys.Shares) != 3 || keys.Threshold != 2 || keys.Root.IsZero() {
			t.Fatalf("%d shares, of which %d", len(keys.Shares), keys.Threshold)
		}
		lawtest.NoSecret(t, append(keys.Shares, keys.Root), said)
		if p, err := v.Init(t.Context(), init); err != nil || !p.Empty() {
			t.Errorf("the second plan: %v, %v", p, err)
		}
		for n, when := range []string{"the first time", "after a restart"} {
			if n > 0 {
				v.restart()
			}
			if s := state(t, v); s != "sealed" {
				t.Errorf("%s it is %s", when, s)
			}
			p, err := vaultprov.Unseal(t.Context(), keys, v.Server)
			if said, err := apply(t, p, err); err != nil || strings.Contains(said, "none of") {
				t.Fatalf("unseal, %s: %v\n%s", when, err, said)
			}
			if s := state(t, v); s != "active" {
				t.Errorf("%s, unsealed, it is %s", when, s)
			}
			if p, err := vaultprov.Unseal(t.Context(), keys, v.Server); err != nil || !p.Empty() {
				t.Errorf("%s, the second plan: %v, %v", when, p, err)
			}
		}
	})
}

// TestInitIsRefused: what was initialised before is never initialised again.
func TestInitIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func() installed) {
		lost, _ := isInitialised(t, another(t), 1, 1)
		empty := fresh() // its volume is another one
		for name, init := range map[string]vaultprov.Init{"sink": {Sink: lost},
			"fallback": {Sink: newMemory(), Fallback: lost}} {
			if _, err := empty.Init(t.Context(), init); !errors.Is(err, lab.ErrRefused) ||
				!strings.Contains(err.Error(), "storage is empty") {
				t.Errorf("%s has keys, and the server is not initialised: %v", name, err)
			}
		}
		if s := state(t, empty); s != "not initialised" {
			t.Errorf("it is %s", s)
		}
		isInitialised(t, empty, 1, 1)
		if _, err := empty.Init(t.Context(), vaultprov.Init{Sink: newMemory()}); !errors.Is(err, lab.ErrConflict) ||
			!strings.Contains(err.Error(), "by somebody else") {
			t.Errorf("it is initialised, and no sink has keys: %v", err)
		}
	})
}

// TestInitTwice: of two runs that have planned to initialise it, the second makes nothing and loses nothing.
func TestInitTwice(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func() installed) {
		v := fresh()
		first, second := newMemory(), newMemory()
		p1, err1 := v.Init(t.Context(), vaultprov.Init{Sink: first})
		p2, err2 := v.Init(t.Context(), vaultprov.Init{Sink: second})
		if _, err := apply(t, p1, err1); err != nil {
			t.Fatal(err)
		}
		if _, err := apply(t, p2, err2); !errors.Is(err, lab.ErrConflict) {
			t.Errorf("the second init: %v", err)
		}
		if len(first.keys(t).Shares) != 5 || len(second.secrets) != 1 { // that it was begun
			t.Errorf("the first has %d shares, and the second %d secrets", len(first.keys(t).Shares), len(second.secrets))
		}
	})
}

// TestInitKeepsTheKeys: a sink that fails at any place loses nothing that could be kept.
func TestInitKeepsTheKeys(t *testing.T) {
	fresh := func() installed {
		v := vaulttest.New(t, vaulttest.Config{Uninitialized: true})
		return installed{Server: &vaultprov.Server{Address: v.Address()}}
	}
	broken := errors.New("no space left on device")
	v := fresh()
	p, err := v.Init(t.Context(), vaultprov.Init{Sink: &memory{proves: broken}})
	if _, err := apply(t, p, err); !errors.Is(err, broken) || state(t, v) != "not initialised" {
		t.Errorf("a sink that cannot be written to: %v; it is %s", err, state(t, v))
	}
	for _, name := range []string{"vault-init.begun", "vault-init"} {
		v := fresh()
		times := 0
		sink, fallback := newMemory(), newMemory()
		sink.refuse = func(put string) error {
			if put == name {
				times++
				return broken
			}
			return nil
		}
		init := vaultprov.Init{Sink: sink, Fallback: fallback}
		p, err := v.Init(t.Context(), init)
		said, err := apply(t, p, err)
		switch {
		case name == "vault-init" && (err != nil || !strings.Contains(said, "has not taken the keys") ||
			len(fallback.keys(t).Shares) != 5):
			t.Errorf("the fallback: %v\n%s", err, said)
		case name != "vault-init" && (!errors.Is(err, broken) || state(t, v) != "not initialised"):
			t.Errorf("%s: %v", name, err)
		}
	}
	v = fresh()
	sink, times := newMemory(), 0
	sink.refuse = func(name string) error {
		if times++; name == "vault-init" && times < 4 {
			return broken
		}
		return nil
	}
	p, err = v.Init(t.Context(), vaultprov.Init{Sink: sink})
	if said, err := apply(t, p, err); err != nil || !strings.Contains(said, "do not stop this run") ||
		len(sink.keys(t).Shares) != 5 {
		t.Errorf("a sink that fails twice: %v\n%s", err, said)
	}
	v = fresh()
	sink.secrets = map[string]lab.Secret{}
	sink.refuse = func(name string) error {
		if name == "vault-init" {
			return broken
		}
		return nil
	}
	p, err = v.Init(t.Context(), vaultprov.Init{Sink: sink, Patience: time.Nanosecond})
	if _, err := apply(t, p, err); !errors.Is(err, lab.ErrBlocked) || !strings.Contains(err.Error(), "they are lost") {
		t.Errorf("no sink takes the keys: %v", err)
	}
	if _, err := v.Init(t.Context(), vaultprov.Init{Sink: sink}); !errors.Is(err, lab.ErrConflict) ||
		!strings.Contains(err.Error(), "was cut off") {
		t.Errorf("the next run: %v", err)
	}
}

// TestInitIsCutOff: the answer to the init is lost, and the next run says so.
func TestInitIsCutOff(t *testing.T) {
	for _, done := range []bool{false, true} {
		f := vaulttest.New(t, vaulttest.Config{Uninitialized: true})
		v := &vaultprov.Server{Address: f.Address()}
		sink := newMemory()
		p, err := v.Init(t.Context(), vaultprov.Init{Sink: sink})
		f.HTTP.Faults.At(1, fake.HTTPFault{Done: done})
		if _, err := apply(t, p, err); !errors.Is(err, lab.ErrUnreachable) {
			t.Errorf("%v", err)
		}
		p, err = v.Init(t.Context(), vaultprov.Init{Sink: sink})
		if done && (!errors.Is(err, lab.ErrConflict) || !strings.Contains(err.Error(), "was cut off")) || !done &&
			(err != nil || p.Empty()) {
			t.Errorf("done %v: the next run: %v, %v", done, p, err)
		}
	}
}

// TestInitEndsWithItsContext: what was sent is not given up.
func TestInitEndsWithItsContext(t *testing.T) {
	v := vaulttest.New(t, vaulttest.Config{Uninitialized: true})
	ctx, cancel := context.WithCancel(t.Context())
	sink := newMemory()
	sink.refuse = func(name string) error {
		if name == "vault-init" {
			cancel() // the keys are there, and not kept yet
		}
		return nil
	}
	p, err := v.Access().Init(ctx, vaultprov.Init{Sink: sink})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = p.Apply(ctx, nil)
	if len(sink.keys(t).Shares) != 5 {
		t.Error("the keys were not kept")
	}
}

func TestInitEncrypts(t *testing.T) {
	v := vaulttest.New(t, vaulttest.Config{Uninitialized: true})
	sink := newMemory()
	p, err := v.Access().Init(t.Context(), vaultprov.Init{Sink: sink, Encrypt: func(s lab.Secret) (lab.Secret, error) {
		return lab.NewSecret("-----BEGIN AGE ENCRYPTED FILE-----\n" + strings.Repeat("x", len(s.Reveal()))), nil
	}})
	if _, err := apply(t, p, err); err != nil {
		t.Fatal(err)
	}
	if _, err := vaultprov.ParseKeys(sink.secrets["vault-init"]); !errors.Is(err, lab.ErrInvalid) ||
		!strings.Contains(err.Error(), "encrypted") {
		t.Errorf("%v", err)
	}
}

// TestUnsealWithWrongShares: some of the shares are wrong, or were given twice.
func TestUnsealWithWrongShares(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func() installed) {
		v := fresh()
		_, keys := isInitialised(t, v, 5, 3)
		_, others := isInitialised(t, another(t), 5, 3)
		k, o := keys.Shares, others.Shares
		short := lab.NewSecret(k[1].Reveal()[:24])
		for name, test := range map[string]struct {
			shares []lab.Secret
			kind   error  // nil: it is unsealed
			says   string // in the error, or in what is reported
		}{
			"as many as needed": {k[:3], nil, ""},
			"all":               {k, nil, ""},
			"one twice":         {[]lab.Secret{k[0], k[0], k[1], k[2]}, nil, ""},
			"one in hex and in base64": {[]lab.Secret{k[0], inHex(t, k[0]), k[4]}, lab.ErrBlocked,
				"2 different shares"},
			"the first wrong, one more": {[]lab.Secret{o[0], k[1], k[2], k[3]}, nil, "share 1 is none"},
			"the last wrong, one more":  {[]lab.Secret{k[1], k[2], k[3], o[0]}, nil, "share 4 is none"},
			"one wrong of all":          {[]lab.Secret{k[0], o[1], k[2], k[3], k[4]}, nil, "share 2 is none"},
			"two wrong of all":          {[]lab.Secret{o[0], o[1], k[2], k[3], k[4]}, nil, "share 2 is none"},
			"one of the same place wrong": {[]lab.Secret{k[0], k[1], k[2], o[0], o[1], o[2]}, nil,
				"share 4 is none"},
			"one cut short": {[]lab.Secret{k[0], short, k[2], k[3]}, nil, "share 2 is none"},
			"one wrong, none more": {[]lab.Secret{k[0], o[1], k[2]}, lab.ErrInvalid,
				"cannot be told which"},
			"too few":          {k[:2], lab.ErrBlocked, "3 are needed"},
			"none":             {nil, lab.ErrBlocked, "3 are needed"},
			"those of another": {o, lab.ErrInvalid, "another Vault"},
			"one that is neither hex nor else": {[]lab.Secret{k[0], lab.NewSecret("not a share!"), k[2]},
				lab.ErrInvalid, "share 2"},
		} {
			t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
				v.seal(keys.Root)
				p, err := vaultprov.Unseal(t.Context(), vaultprov.Keys{Shares: test.shares}, v.Server)
				said, err := apply(t, p, err)
				if !errors.Is(err, test.kind) || (err != nil) != (test.kind != nil) {
					t.Fatalf("%v, want %v", err, test.kind)
				}
				if err != nil {
					said += err.Error()
				}
				if !strings.Contains(said, test.says) || test.says == "" && strings.Contains(said, "is none") {
					t.Errorf("want %q in\n%s", test.says, said)
				}
				if want := map[bool]string{true: "active", false: "sealed"}[err == nil]; state(t, v) != want {
					t.Errorf("it is %s, want %s", state(t, v), want)
				}
				lawtest.NoSecret(t, k, said)
			})
		}
	})
}

// inHex returns a share that is in base64 in hex.
func inHex(t *testing.T, share lab.Secret) lab.Secret {
	t.Helper()
	var f struct {
		Hex []string `json:"unseal_keys_hex"`
	}
	if err := json.Unmarshal([]byte(vaultprov.Keys{Shares: []lab.Secret{share}}.Secret().Reveal()), &f); err != nil {
		t.Fatal(err)
	}
	return lab.NewSecret(f.Hex[0])
}

// TestUnsealCluster: all servers of a cluster are unsealed in their order, and one that is a standby is told from one
// that is sealed.
func TestUnsealCluster(t *testing.T) {
	first := real.VaultRaft(t)
	second := first.Join(t)
	v := installed{Server: &vaultprov.Server{Address: first.Address}}
	other := installed{Server: &vaultprov.Server{Address: second.Address}}
	_, keys := isInitialised(t, v, 3, 2)
	if _, err := vaultprov.Unseal(t.Context(), keys, other.Server, v.Server); !errors.Is(err, lab.ErrBlocked) {
		t.Errorf("the one that has not joined first: %v", err)
	}
	p, err := vaultprov.Unseal(t.Context(), keys, v.Server, other.Server)
	said, err := apply(t, p, err)
	if err != nil || !strings.Contains(said, "2 to update") {
		t.Fatalf("%v\n%s", err, said)
	}
	if a, b := state(t, v), state(t, other); a != "active" || b != "standby" {
		t.Errorf("they are %s and %s", a, b)
	}
	if p, err := vaultprov.Unseal(t.Context(), keys, v.Server, other.Server); err != nil || !p.Empty() {
		t.Errorf("the second plan: %v, %v", p, err)
	}
	second.Stop(t)
	second.Start(t)
	if s := state(t, other); s != "sealed" {
		t.Errorf("the second, after a restart, is %s", s)
	}
	p, err = vaultprov.Unseal(t.Context(), keys, v.Server, other.Server)
	if said, err := apply(t, p, err); err != nil || !strings.Contains(said, "1 to update") {
		t.Errorf("%v\n%s", err, said)
	}
	behind := serving{&vaultprov.Server{Address: second.Address, Token: vaultprov.StaticToken(keys.Root),
		Cluster: clusterOf(t, v)}, keys.Root}
	behind.kv(t) // a standby forwards requests
	if err := (vaultprov.KV{Server: behind.Server, Mount: "kvv2"}).Prove(t.Context()); err != nil {
		t.Errorf("through a standby: %v", err)
	}
}

func clusterOf(t *testing.T, v installed) string {
	t.Helper()
	st, err := v.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st.Cluster
}

// TestUnsealOneShare: the lab's own form has one share, and no place in it.
func TestUnsealOneShare(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func() installed) {
		v := fresh()
		_, keys := isInitialised(t, v, 1, 1)
		_, other := isInitialised(t, another(t), 1, 1)
		p, err := vaultprov.Unseal(t.Context(), other, v.Server)
		if _, err := apply(t, p, err); !errors.Is(err, lab.ErrInvalid) || state(t, v) != "sealed" {
			t.Errorf("the key of another: %v", err)
		}
		p, err = vaultprov.Unseal(t.Context(), vaultprov.Keys{Shares: []lab.Secret{other.Shares[0], keys.Shares[0]}},
			v.Server)
		if said, err := apply(t, p, err); err != nil || !strings.Contains(said, "share 1 is none") {
			t.Errorf("%v\n%s", err, said)
		}
	})
}

// TestUnsealIsDisturbed: somebody else has given a share before, and the answer to one of ours is lost.
func TestUnsealIsDisturbed(t *testing.T) {
	f := vaulttest.New(t, vaulttest.Config{Uninitialized: true})
	v := installed{Server: &vaultprov.Server{Address: f.Address()}}
	_, keys := isInitialised(t, v, 5, 3)
	for n := 1; ; n++ {
		f.Seal()
		f.HTTP.Faults.At(n, fake.HTTPFault{Done: n%2 == 0})
		p, err := vaultprov.Unseal(t.Context(), keys, v.Server)
		_, err = apply(t, p, err)
		f.HTTP.Faults.Reset()
		if err == nil {
			if n < 4 {
				t.Errorf("only %d requests write", n-1)
			}
			return
		}
		if !errors.Is(err, lab.ErrUnreachable) {
			t.Errorf("cut off at request %d: %v", n, err)
		}
		p, err = vaultprov.Unseal(t.Context(), keys, v.Server)
		if _, err := apply(t, p, err); err != nil {
			t.Errorf("after it was cut off at request %d: %v", n, err)
		}
	}
}

// TestRoot: the root token of the init serves until it is revoked, then another is made of the shares, and revoked too.
func TestRoot(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func() installed) {
		v := fresh()
		_, keys := isInitialised(t, v, 3, 2)
		p, err := vaultprov.Unseal(t.Context(), keys, v.Server)
		if _, err := apply(t, p, err); err != nil {
			t.Fatal(err)
		}
		var last lab.Secret
		for _, keys := range []vaultprov.Keys{keys, keys, {Shares: append([]lab.Secret{keys.Shares[0],
			lab.NewSecret(strings.Repeat("ab", 33))}, keys.Shares[1:]...)}} {
			session, err := v.Root(t.Context(), keys)
			if err != nil {
				t.Fatal(err)
			}
			token, err := session.Token(t.Context(), lab.Secret{})
			if err != nil || token.Equal(last) {
				t.Errorf("%v; the token is that of before: %v", err, token.Equal(last))
			}
			last = token
			_, answer := serving{Server: v.Server}.call(t, token, "GET", "auth/token/lookup-self", "")
			if endless := strings.Contains(answer, `"expire_time":null`); endless != token.Equal(keys.Root) {
				t.Errorf("it ends by itself: %v", !endless)
			}
			if err := session.Close(t.Context()); err != nil {
				t.Errorf("close: %v", err)
			}
			if _, err := session.Token(t.Context(), lab.Secret{}); !errors.Is(err, lab.ErrUnauthorized) {
				t.Errorf("a token of a closed session: %v", err)
			}
		}
		wrong := vaultprov.Keys{Shares: []lab.Secret{keys.Shares[0], lab.NewSecret(strings.Repeat("cd", 33))}}
		for range 2 { // the first leaves nothing behind that is in the way of the second
			if _, err := v.Root(t.Context(), wrong); !errors.Is(err, lab.ErrInvalid) {
				t.Errorf("wrong shares: %v", err)
			}
		}
	})
}

// TestRootIsCutOff: a request is lost, or its answer, and the next run makes a token all the same.
func TestRootIsCutOff(t *testing.T) {
	f := vaulttest.New(t, vaulttest.Config{Uninitialized: true})
	v := installed{Server: &vaultprov.Server{Address: f.Address()}}
	_, keys := isInitialised(t, v, 3, 2)
	p, err := vaultprov.Unseal(t.Context(), keys, v.Server)
	if _, err := apply(t, p, err); err != nil {
		t.Fatal(err)
	}
	keys.Root = lab.Secret{}
	for _, done := range []bool{false, true} {
		for n := 1; ; n++ {
			f.HTTP.Faults.At(n, fake.HTTPFault{Done: done})
			session, err := v.Root(t.Context(), keys)
			fired := f.HTTP.Faults.Fired() > 0
			f.HTTP.Faults.Reset()
			if err == nil {
				err = session.Close(t.Context())
			}
			if !fired {
				if err != nil || n < 6 {
					t.Errorf("%v; %d requests write", err, n-1)
				}
				break
			}
			if !errors.Is(err, lab.ErrUnreachable) {
				t.Errorf("cut off at request %d, done %v: %v", n, done, err)
			}
			session, err = v.Root(t.Context(), keys)
			if err == nil {
				err = session.Close(t.Context())
			}
			if err != nil {
				t.Errorf("after it was cut off at request %d, done %v: %v", n, done, err)
			}
		}
	}
}

func TestParseKeys(t *testing.T) {
	const share = "lECtuGdy+HpsTOlojF/X1JIQQV2xklTMLwASp2o+1ug="
	for text, want := range map[string]int{
		`{"unseal_keys_b64":["` + share +
			`"],"unseal_keys_hex":["00"],"unseal_shares":1,"unseal_threshold":1,"recovery_keys_b64":[],"root_token":"hvs.x"}`: 1,
		`{"keys":["00112233"],"keys_base64":["` + share + `","` + share +
			`"],"root_token":"hvs.x"}`: 2,
		`{"keys":["00112233"],"root_token":"hvs.x"}`: 1,
		`{}`:    0,
		`[]`:    0,
		``:      0,
		`hvs.x`: 0,
		`{"unseal_keys_b64":["` + strings.Repeat("A", 400) + `"]}`:                                        0,
		`{"unseal_keys_b64":["` + share + `"],"unseal_shares":1,"unseal_threshold":2}`:                    0,
		`{"unseal_keys_b64":["???"],"root_token":"hvs.x"}`:                                                0,
		"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl":                                                        0,
		`{"unseal_keys_b64":["` + share + `"],"unseal_shares":1,"unseal_threshold":1,"root_token":1}`:     0,
		`{"unseal_keys_b64":["` + share + `"],"unseal_shares":3,"unseal_threshold":2,"root_token":"x.y"}`: 1,
	} {
		k, err := vaultprov.ParseKeys(lab.NewSecret(text))
		if len(k.Shares) != want || (err == nil) != (want > 0) {
			t.Errorf("%s: %d shares, %v", text, len(k.Shares), err)
		}
		if err != nil {
			lawtest.NoSecret(t, []lab.Secret{lab.NewSecret(share), lab.NewSecret("hvs.x")}, err.Error())
		}
	}
}
