package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/graph"
)

// edges returns what is drawn, an arrow or a lone node a line, by the names in it.
func edges(g *graph.Graph) string {
	var lines []string
	linked := map[string]bool{}
	for _, e := range g.Edges {
		lines = append(lines, e.From+" -> "+e.To)
		linked[e.From], linked[e.To] = true, true
	}
	for _, n := range g.Nodes {
		if !linked[n.ID] {
			lines = append(lines, n.ID)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestLabGraphGolden: the lab of lab.yaml.
func TestLabGraphGolden(t *testing.T) {
	l, err := ReadConfig("lab.yaml", defaultConfig)
	if err != nil {
		t.Fatal(err)
	}
	got := edges(l.labGraph()) + "\n"
	file := filepath.Join("testdata", "graph.txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		t.Errorf("%v; look at it, and write it with -update\n%s", err, got)
	}
}

// TestLabGraphOfParts: what a lab does not have is not drawn, and every arrow has two ends.
func TestLabGraphOfParts(t *testing.T) {
	const machines = "domain: d.lab\nboundary: {allow: [192.0.2.0/24]}\ninventory:\n  hosts:\n    pi1: {address: " +
		"192.0.2.1}\n    pi2: {address: 192.0.2.2, jump: [pi1]}\n"
	const pg = "postgres: {host: 192.0.2.9, password: 'env:A', editorPassword: 'env:A', poolerPassword: 'env:A'}\n"
	for name, c := range map[string]struct{ config, want string }{
		"machines": {machines, "stage/01_system -> machine/pi1\nstage/01_system -> machine/pi2"},
		"apps without a database": {machines + "apps: [{name: a, envs: [prod, dev]}]\n",
			"app/a\nstage/01_system -> machine/pi1\nstage/01_system -> machine/pi2"},
		"a server that is not of the lab": {machines + "apps: [{name: a}]\n" + pg, "app/a -> database/a\n" +
			"database/a -> stack/192.0.2.9:5432\nstage/01_system -> machine/pi1\nstage/01_system -> machine/pi2\n" +
			"stage/postgres -> database/a\nstage/postgres -> stage/01_system"},
		"names that are the same": {machines + "  groups: {g: {hosts: [pi1]}}\napps: [{name: g}]\n",
			"app/g\ngroup/g -> machine/pi1\nstage/01_system -> machine/pi1\nstage/01_system -> machine/pi2"},
	} {
		l, err := ReadConfig("lab.yaml", []byte(c.config))
		if err != nil {
			t.Fatal(err)
		}
		g := l.labGraph()
		if got := edges(g); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
		for _, e := range g.Edges {
			for _, id := range []string{e.From, e.To} {
				if !slices.ContainsFunc(g.Nodes, func(n graph.Node) bool { return n.ID == id }) {
					t.Errorf("%s: there is no %s", name, id)
				}
			}
		}
		if _, err := g.SVG(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlanGraph: a plan and its file give the same drawing: the changes of a machine together, with what follows from
// other arrows left out.
func TestPlanGraph(t *testing.T) {
	plan, err := lab.NewPlan(lab.Step{Name: "lab", Run: func(_ context.Context, _ *lab.Recorder) error { return nil }, Changes: []lab.Change{
		{ID: "host/pi1/file:/etc/a/b", Action: lab.Create},
		{ID: "host/pi1/unit:x/restart", Action: lab.Run, Risk: lab.RiskRestart, After: []string{"host/pi1/file:/etc/a/b"}},
		{ID: "pg/role:r", Action: lab.Create, After: []string{"host/pi1/unit:x/restart", "host/pi1/file:/etc/a/b"}},
		{ID: "pg/webapp/database:webapp", Action: lab.Create, Deferred: true, After: []string{"pg/role:r"}},
		{ID: "secret:x", Action: lab.Create},
	}})
	if err != nil {
		t.Fatal(err)
	}
	g, err := planGraph("p", plan.Changes())
	if err != nil {
		t.Fatal(err)
	}
	const want = "host/pi1/file:/etc/a/b -> host/pi1/unit:x/restart\nhost/pi1/unit:x/restart -> pg/role:r\n" +
		"pg/role:r -> pg/webapp/database:webapp\nsecret:x"
	if got := edges(g); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var nodes []string
	for _, n := range g.Nodes {
		nodes = append(nodes, strings.Join([]string{n.Group, n.Label, n.Detail, n.Kind}, "|"))
	}
	if got := strings.Join(nodes, "\n"); got != "host/pi1|+ file:/etc/a/b||create\nhost/pi1|! unit:x/restart|risk: restart|run\n"+
		"pg|+ role:r||create\npg/webapp|+ database:webapp|deferred|create\n|+ secret:x||create" {
		t.Error(got)
	}
	saved, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := lab.ReadChanges(saved)
	if err != nil {
		t.Fatal(err)
	}
	again, err := planGraph("p", changes)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := g.SVG()
	b, _ := again.SVG()
	if a != b {
		t.Error("a plan file is drawn otherwise")
	}
	if _, err := planGraph("p", []lab.Change{{ID: "a", After: []string{"a"}}}); !errors.Is(err, lab.ErrInvalid) {
		t.Errorf("a plan file with a cycle: %v", err)
	}
}
