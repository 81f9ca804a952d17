package forge_test

import "testing"

// onBoth runs a test on a Gitea in this process, and on a real one.
func onBoth(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	t.Run("Fake", func(t *testing.T) { test(t, fakeWorld(t)) })
	t.Run("Real", func(t *testing.T) {
		if testing.Short() {
			t.Skip("long")
		}
		test(t, realWorld(t))
	})
}
