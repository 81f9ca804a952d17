package forge_test

import "testing"

// TestLaws proves the laws on the server for tests, at every place.
func TestLaws(t *testing.T) { laws(t, fakeWorld(t), 1) }

// TestRealLaws proves the laws on a real Gitea.
func TestRealLaws(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	laws(t, realWorld(t), 9)
}

// TestEdges is what is not simply created or changed.
func TestEdges(t *testing.T) { testEdges(t, fakeWorld(t)) }

// TestRealEdges does the same with a real Gitea.
func TestRealEdges(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	testEdges(t, realWorld(t))
}
