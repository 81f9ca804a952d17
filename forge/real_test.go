package forge_test

import "testing"

func TestRealConverges(t *testing.T) {
	w := realWorld(t)
	spec, _ := everything(t, w)
	t.Logf("%v", converge(t, w.server(), spec))
}
