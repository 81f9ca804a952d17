package vaultprov_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func TestReal(t *testing.T) {
	v := real.VaultDev(t)
	newSuite(t, v.Address, v.Token).run(t)
}
