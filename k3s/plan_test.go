package k3s_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares a plan with a file of testdata.
func golden(t *testing.T, name string, p *lab.Plan, dir string) {
	t.Helper()
	got := strings.ReplaceAll(p.String(), dir, "DIR")
	file := "testdata/" + name + ".golden"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || string(want) != got {
		t.Errorf("%s: %v\n%s", name, err, lab.Diff(file, want, []byte(got)))
	}
}

// The plans of a new cluster, of changed options and of an upgrade show what is done, and no secret.
func TestPlans(t *testing.T) {
	s := newSite(t, 1, 1)
	dir := s.sink.(lab.SecretDir).Path
	golden(t, "first", s.apply(), dir)
	s.config.Mounts, s.config.TLSSANs = []string{"/mnt/longhorn"}, []string{"k3s.arcodange.lab"}
	golden(t, "options", s.apply(), dir)
	s.version(newer)
	golden(t, "upgrade", s.mustPlan(), dir)
}

// A plan of a cluster that is as wanted costs each machine two execs, no write, and the API one list of nodes.
func TestConvergedCost(t *testing.T) {
	s := newSite(t, 1, 2)
	s.apply()
	s.converged()
	for i, box := range s.boxes {
		before := box.Counters()
		s.converged()
		after := box.Counters()
		if n := after.Execs - before.Execs; n != 2 {
			t.Errorf("pi%d: %d execs", i+1, n)
		}
		if n := after.Writes + after.TmpWrites - before.Writes - before.TmpWrites; n != 0 {
			t.Errorf("pi%d: %d writes", i+1, n)
		}
		want := 1 // the version
		if i == 0 {
			want = 2 // and the nodes
		}
		if n := after.Commands["k3s-"+release] - before.Commands["k3s-"+release]; int(n) != want {
			t.Errorf("pi%d: k3s was run %d times", i+1, n)
		}
	}
}
