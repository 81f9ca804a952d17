package forge_test

import "testing"

// TestRealLaws proves the laws on a real Gitea.
func TestRealLaws(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	laws(t, realWorld(t), 9)
}
