package ovh_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh/ovhtest"
)

var update = flag.Bool("update", false, "rewrite testdata")

// TestPlanText shows plans, and what cannot be planned, as people see them.
func TestPlanText(t *testing.T) {
	var got []txtar.File
	w := newWorld(t, ovhtest.Config{})
	show := func(name string, apply bool) {
		t.Helper()
		p, err := w.account.Plan(t.Context(), w.spec)
		text := fmt.Sprintf("%v", p)
		if err != nil {
			text += err.Error() + "\n" + strings.Join(lab.Hints(err), "\n") + "\n"
		}
		for _, c := range w.Clients() { // IDs are chosen by chance
			text = strings.ReplaceAll(text, strings.Fields(c)[1], "CLIENT")
		}
		text = strings.ReplaceAll(text, strings.TrimPrefix(w.URL(), "http://"), "eu.api.ovh.com")
		got = append(got, txtar.File{Name: name, Data: []byte(text)})
		if apply {
			if _, err := p.Apply(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Sign(domain)
	show("signed", false)
	w.spec.Delegations[0].RemoveDS = true
	p, _ := w.account.Plan(t.Context(), w.spec)
	_, _ = p.Apply(t.Context(), nil)
	show("unsigned", true)
	show("converged", false)
	w.drift(t)
	w.sink.remove("cms/ovh#client_secret")
	show("drifted", true)
	w.AddDomain(domain, "dns104.ovh.net", "ns104.ovh.net")
	w.spec.Delegations[0].Other = func(context.Context) ([]ovh.Record, error) { return nil, nil }
	w.spec.Adopt = false
	w.spec.Zones[0].Records[0].Targets = []string{"elsewhere.example.com."}
	show("refused", false)

	const file = "testdata/plans.txtar"
	if *update {
		if err := os.WriteFile(file, txtar.Format(&txtar.Archive{Files: got}), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := string(txtar.Format(&txtar.Archive{Files: got})), string(txtar.Format(&txtar.Archive{Files: want.Files})); a != b {
		t.Errorf("the plans differ from %s, rewrite it with -update:\n%s", file, lab.Diff(file, []byte(b), []byte(a)))
	}
}
