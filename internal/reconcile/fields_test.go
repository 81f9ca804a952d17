package reconcile_test

import (
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

func TestFields(t *testing.T) {
	yes := true
	var f reconcile.Fields
	f.Text("left", "", "x")
	f.Text("text", "a\x1b", "b")
	f.Exact("exact", "", "x")
	f.Flag("flag", &yes, true)
	f.Flag("other", nil, true)
	f.Set("set", []string{"b", "a", "b"}, []string{"a", "b"})
	f.Set("unset", nil, []string{"a"})
	if got := f.Differ(); !slices.Equal(got, []string{"text", "exact"}) {
		t.Errorf("%q", got)
	}
	d := f.Changed("x")
	if d.Action != lab.Update || d.Cause != "text, exact differ" || strings.Contains(d.Diff, "flag") || strings.Contains(d.Diff, "\x1b") {
		t.Errorf("%+v", d)
	}
	if d := f.Created("x"); d.Action != lab.Create || !strings.Contains(d.Diff, "+set: [a b]") {
		t.Errorf("%+v", d)
	}
	f.Lines("list", []string{"b", "a"}, []string{"a"})
	if d := f.Changed("x"); !strings.Contains(d.Diff, "list:\n   - a\n+  - b\n") {
		t.Errorf("%s", d.Diff)
	}
	if d := f[2:][1:2].Changed("x"); d != (reconcile.Delta{}) {
		t.Errorf("%+v", d)
	}
}
