package vaultprov_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/vaulttest"
)

func TestFake(t *testing.T) {
	v := vaulttest.New(t, vaulttest.Config{NoPod: true})
	x := newSuite(t, v.Address(), v.Root().Reveal())
	x.every = 3
	x.run(t)
}

// TestReal runs the suite on a Vault with raft storage that was initialised and unsealed as in the field.
func TestReal(t *testing.T) {
	v, keys := startRaft(t)
	x := newSuite(t, v.Address, keys.Root.Reveal())
	x.every = 5
	x.run(t)
}

// startRaft starts a Vault with raft storage, initialises it and unseals it.
func startRaft(t *testing.T) (*real.VaultServer, vaultprov.Keys) {
	t.Helper()
	v := real.VaultRaft(t)
	_, keys := isInitialised(t, installed{Server: &vaultprov.Server{Address: v.Address}}, 3, 2)
	unseal(t, v, keys)
	return v, keys
}

func unseal(t *testing.T, v *real.VaultServer, keys vaultprov.Keys) {
	t.Helper()
	p, err := vaultprov.Unseal(t.Context(), keys, &vaultprov.Server{Address: v.Address})
	if _, err := apply(t, p, err); err != nil {
		t.Fatal(err)
	}
}

// TestPolicyInDocs does all that there is to do with a token that has the policy on the page, and nothing else.
func TestPolicyInDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/vault.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```hcl\n")
	text, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("there is none")
	}
	v := real.VaultDev(t)
	x := newSuite(t, v.Address, v.Token)
	x.apply(t, vaultprov.Spec{Policies: []vaultprov.Policy{{Name: "provisioner", Text: text}}})
	var answer struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	unmarshal(t, x.must(t, "POST", "auth/token/create", `{"policies": ["provisioner"], "no_default_policy": true}`), &answer)
	x.server.Token = vaultprov.StaticToken(lab.NewSecret(answer.Auth.Token))
	spec := appSpec(x)
	spec.Mounts, spec.Policies = spec.Mounts[1:], spec.Policies[1:] // kvv1 is the test's own
	spec.Audits = []vaultprov.Audit{{Path: "file", Type: "file", Options: map[string]string{"file_path": "discard"}}}
	x.apply(t, spec)
	a := apps(x)
	a.Instances = a.Instances[:1]
	fewer := vaultprov.Spec{Stack: spec.Stack, Records: spec.Records, FingerprintKey: spec.FingerprintKey, Prune: true,
		MaxDeletes: 20}.With(a.Spec())
	fewer.Connections[0].Unverified = true
	if p := x.apply(t, fewer); !strings.Contains(ids(p), "-database-role:") || !strings.Contains(ids(p), "-audit:") {
		t.Errorf("planned %s", ids(p))
	}
}

// TestWholeLab fills a Vault with all that the lab wants of it, from the first init on. Nothing is to be done then,
// neither at once nor after a power cut.
func TestWholeLab(t *testing.T) {
	v, keys := startRaft(t)
	x := newSuite(t, v.Address, keys.Root.Reveal())
	spec := appSpec(x)
	x.apply(t, spec)
	v.Stop(t)
	v.Start(t)
	if _, err := x.server.Plan(t.Context(), spec); !errors.Is(err, lab.ErrBlocked) {
		t.Errorf("it is sealed: %v", err)
	}
	unseal(t, v, keys)
	if p := x.plan(t, spec); !p.Empty() {
		t.Errorf("after a restart there is to do:\n%v", p)
	}
}
