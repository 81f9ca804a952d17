package forge_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/forge/forgetest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestLaws proves the laws on the server for tests, at every place.
func TestLaws(t *testing.T) {
	w, _ := fakeWorld(t, forgetest.Config{})
	laws(t, w, 1)
}

// TestRealLaws proves the laws on a real Gitea.
func TestRealLaws(t *testing.T) {
	real.Long(t)
	laws(t, realWorld(t), 9)
}
