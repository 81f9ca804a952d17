package vaultprov_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/vaulttest"
)

func TestFake(t *testing.T) {
	v := vaulttest.New(t, vaulttest.Config{})
	newSuite(t, v.Address(), v.Root().Reveal()).run(t)
}

func TestReal(t *testing.T) {
	v := real.VaultDev(t)
	x := newSuite(t, v.Address, v.Token)
	x.every = 5
	x.run(t)
}
