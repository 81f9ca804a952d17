package vaultprov_test

import (
	"errors"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/vaulttest"
)

func TestFake(t *testing.T) {
	v := vaulttest.New(t, vaulttest.Config{})
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
