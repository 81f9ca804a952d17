package host_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

var update = flag.Bool("update", false, "rewrite the golden plans")

// TestGoldenPlans plans state.yaml on a machine on which the script before was run, and compares
// the plan with the file plan. It is then applied, and the next plan must be empty.
func TestGoldenPlans(t *testing.T) {
	files, err := filepath.Glob("testdata/plans/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden plans", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			part := map[string]*txtar.File{}
			for i := range a.Files {
				part[a.Files[i].Name] = &a.Files[i]
			}
			box, m := open(t, hosttest.Config{Hostname: "raspberrypi"})
			if b := part["before"]; b != nil {
				if out, err := box.Exec(string(b.Data)); err != nil {
					t.Fatalf("%s: %v", out, err)
				}
			}
			s, err := host.ReadState("state.yaml", part["state.yaml"].Data, nil)
			if err != nil {
				t.Fatal(err)
			}
			p, err := m.Plan(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			got := p.String() + order(p)
			if *update {
				part["plan"].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(part["plan"].Data) {
				t.Errorf("the plan is\n%s\nwant\n%s", got, part["plan"].Data)
			}
			settle(t, m, s)
		})
	}
}

// order returns the dependencies of each change, one a line, and leaves out changes without any.
func order(p *lab.Plan) string {
	var b strings.Builder
	for _, step := range p.Steps() {
		short := func(id string) string { return strings.TrimPrefix(id, step.Name+"/") }
		for _, c := range step.Changes {
			for i, before := range c.After {
				if i == 0 {
					fmt.Fprintf(&b, "%s\n  after %s\n", short(c.ID), short(before))
				} else {
					fmt.Fprintf(&b, "        %s\n", short(before))
				}
			}
		}
	}
	return b.String()
}
