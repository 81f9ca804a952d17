package kube_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/k3stest"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden plans")

// TestGoldenPlans applies the manifests "before", lets somebody apply "theirs", and plans the manifests "after".
func TestGoldenPlans(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string]string{}
			for _, f := range archive.Files {
				parts[f.Name] = string(f.Data)
			}
			front := k3stest.Start(t, k3stest.NewServer())
			c := front.Cluster()
			apply := func(s kube.Spec) {
				t.Helper()
				p, err := c.Plan(t.Context(), s)
				if err == nil {
					_, err = p.Apply(t.Context(), nil)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			apply(spec(t, "shop", parts["before"]))
			theirs := spec(t, "theirs", parts["theirs"])
			theirs.TakeOver = []string{"lab-shop"}
			if len(theirs.Objects) > 0 {
				apply(theirs)
			}
			want := spec(t, "shop", parts["after"])
			want.Prune, want.TakeOver = true, strings.Fields(parts["takeover"])
			p, err := c.Plan(t.Context(), want)
			got := p.String() + "\n"
			if err != nil {
				got += "error: " + err.Error() + "\n"
				for _, hint := range lab.Hints(err) {
					got += "hint: " + hint + "\n"
				}
			}
			if *update {
				for n := range archive.Files {
					if archive.Files[n].Name == "plan" {
						archive.Files[n].Data = []byte(got)
					}
				}
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if got != parts["plan"] {
				t.Errorf("the plan differs:\n%s", lab.Diff("plan", []byte(parts["plan"]), []byte(got)))
			}
		})
	}
}
