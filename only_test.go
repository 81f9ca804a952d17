package lab_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

func ExamplePlan_Only() {
	run := func(context.Context, *lab.Recorder) error { return nil }
	p, err := lab.NewPlan(
		lab.Step{Name: "pg", Changes: []lab.Change{{ID: "pg/role:editor", Action: lab.Create}}, Run: run},
		lab.Step{Name: "pg/erp", After: []string{"pg"}, Changes: []lab.Change{
			{ID: "pg/erp/role:erp_role", Action: lab.Create},
			{ID: "pg/erp/database:erp", Action: lab.Create}}, Run: run},
		lab.Step{Name: "pg/web", After: []string{"pg"},
			Changes: []lab.Change{{ID: "pg/web/role:web_role", Action: lab.Create}}, Run: run},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	only, err := p.Only("pg/erp/*")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(only)
	_, err = p.Only("database:*")
	fmt.Println(err, lab.Hints(err))
	// Output:
	// pg/erp
	//   + create  role:erp_role
	//   + create  database:erp
	// 2 changes: 2 to create
	// select changes pg/erp: refused: it is made whole, and 1 change of it would be left out: pg/erp/role:erp_role [select all of it: pg/erp/*]
}

func TestOnly(t *testing.T) {
	var ran []string
	step := func(name string, after []string, ids ...string) lab.Step {
		s := lab.Step{Name: name, After: after,
			Run: func(context.Context, *lab.Recorder) error { ran = append(ran, name); return nil }}
		for _, id := range ids {
			s.Changes = append(s.Changes, lab.Change{ID: id})
		}
		return s
	}
	last := step("d", []string{"gate"}, "d/x")
	last.AfterAny = []string{"b"}
	last.Changes[0].After = []string{"a/x", "b/y"}
	p, err := lab.NewPlan(step("a", nil, "a/x", "a/y"), step("b", nil, "b/y"), step("gate", []string{"a"}), last)
	if err != nil {
		t.Fatal(err)
	}
	before := p.String()
	for globs, want := range map[string]string{
		"": "a b gate d", "*": "a b gate d", "a/*": "a gate", "d/x": "d", "d/?": "d", "b/y": "b", "b/y d/*": "b d",
		"a/x a/y d/x": "a gate d", "nothing": "", "x": "refused", "a/x": "refused",
	} {
		ran = nil
		only, err := p.Only(strings.Fields(globs)...)
		if want == "refused" {
			if !errors.Is(err, lab.ErrRefused) || len(lab.Hints(err)) == 0 {
				t.Errorf("%q: %v\n%v", globs, err, only)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", globs, err)
			continue
		}
		r, err := only.Apply(t.Context(), &lab.ApplyOptions{Parallel: 1})
		slices.Sort(ran)
		order := strings.Fields(want)
		slices.Sort(order)
		if err != nil || !r.Complete() || !slices.Equal(ran, order) {
			t.Errorf("%q: ran %v, want %v, %v", globs, ran, order, err)
		}
	}
	if p.String() != before {
		t.Error("the plan itself was changed")
	}
	if only, err := (*lab.Plan)(nil).Only("x"); err != nil || !only.Empty() {
		t.Errorf("no plan: %v, %v", only, err)
	}
}

func TestGlobs(t *testing.T) {
	ids := []string{"host/pi1/file:/etc/motd", "host/pi2/file:/etc/motd", "host/pi1/unit:x.service",
		"pg/erp/database:erp"}
	for _, id := range ids {
		for _, glob := range []string{"*", "host/*", "host/pi?/*", "host/*/file:*", "*motd", "h?st/pi1/?*",
			"host/pi1/file:/etc/motd", "pg/*", "", "*/*", "***", "host/p*1/*x*"} {
			for cut := range len(id) + 1 {
				globs := lab.Globs{glob}.After(id[:cut])
				if globs.Match(id[cut:]) != (lab.Globs{glob}).Match(id) {
					t.Errorf("%q of %q: what follows %q matches %q", glob, id, id[:cut], globs)
				}
			}
		}
	}
	for glob, hint := range map[string]string{
		"host/pi1/*": "", "*motd": "", "pg/erp/database:erp": "",
		"pg/epr/*": "nearest: pg/erp/*", "host/pi3/*": "nearest: host/pi1/*", "host/pi1/fiel:/etc/motd": "nearest: host/pi1/file:/etc/motd",
		"host/pi1/file:/etc/modt": "nearest: host/pi1/file:/etc/motd", "zzz": "an ID is", "": "an ID is",
	} {
		err := lab.Globs{glob, "*"}.Unmatched(ids)
		switch got := strings.Join(lab.Hints(err), ""); {
		case hint == "" && err != nil:
			t.Errorf("%q: %v", glob, err)
		case hint != "" && (!errors.Is(err, lab.ErrNotFound) || !strings.HasPrefix(got, hint)):
			t.Errorf("%q: %v, %q", glob, err, got)
		}
	}
}
