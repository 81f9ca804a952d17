package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
)

// TestDoctorOfMachines: one machine that hangs does not keep the table, and what is bad is named.
func TestDoctorOfMachines(t *testing.T) {
	s := &site{}
	for _, name := range []string{"pi1", "pi2", "pi3"} {
		box := hosttest.New(t, hosttest.Config{Hostname: name})
		m := sandboxMachine(&inventory.Host{Name: name}, box)
		t.Cleanup(func() { m.Close() })
		s.machines = append(s.machines, m)
		if name == "pi2" {
			box.Faults().Blackhole(true)
		}
	}
	checkups := s.checkups()
	var others sync.WaitGroup
	for i, c := range checkups { // the one that hangs is given up as soon as the others are done, whatever the time
		others.Add(1)
		checkups[i].Look = func(ctx context.Context, report func(lab.Finding)) {
			if c.Target == "pi2" {
				var cancel context.CancelCauseFunc
				ctx, cancel = context.WithCancelCause(ctx)
				others.Done()
				go func() { others.Wait(); cancel(fmt.Errorf("%w: enough", lab.ErrTimeout)) }()
			} else {
				defer others.Done()
			}
			c.Look(ctx, report)
		}
	}
	findings := pipeline.Examine(t.Context(), time.Hour, checkups...)
	text := diagnosis(findings)
	for _, f := range findings {
		want := lab.VerdictOK
		if f.Target == "pi2" {
			if want = lab.VerdictUnknown; f.Check == "reachable" {
				want = lab.VerdictBad
			}
		}
		if f.Verdict != want {
			t.Errorf("%s %s is %s: %s", f.Target, f.Check, f.Verdict, f.Text)
		}
	}
	if err := ailing(findings); err == nil || err.Error() != "examine: bad: pi2 reachable" || lab.ExitCode(err) != lab.ExitError {
		t.Errorf("%v", err)
	}
	if !strings.Contains(text, "timed out") || !strings.HasSuffix(text, "\n3 examined: 1 bad, 2 unknown, 24 ok.\n") {
		t.Error(text)
	}
}

// TestDiagnosis: the table is 80 columns wide, whatever is in it, and shows nothing that a terminal would obey.
func TestDiagnosis(t *testing.T) {
	long := strings.Repeat("a long text of a machine ", 12)
	got := diagnosis([]lab.Finding{
		{Target: "pi1", Check: "disk space", Verdict: lab.VerdictWarning, Text: "/ 91% used, 5.2 GiB free",
			Hint: "on the machine: sudo du -xh --max-depth=3 / | sort -h | tail -20"},
		{Target: "pi1", Check: "units", Text: "none failed"},
		{Target: "pi2\x1b[2J", Check: "login", Verdict: lab.VerdictBad, Text: "denied\x1b[2J\nsecond line", Hint: long},
	})
	want := `pi1
  warning  disk space  / 91% used, 5.2 GiB free
           next: on the machine: sudo du -xh --max-depth=3 / | sort -h | tail
                 -20
  ok       units       none failed

"pi2\x1b[2J"
  bad      login       denied` + "\uFFFD" + `[2J
                       second line
           next: `
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "\n2 examined: 1 bad, 1 warning, 1 ok.\n") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for line := range strings.Lines(got) {
		if len([]rune(strings.TrimSuffix(line, "\n"))) > 80 {
			t.Errorf("%q", line)
		}
	}
	if got := diagnosis(nil); got != "Nothing to examine.\n" {
		t.Error(got)
	}
	if err := ailing([]lab.Finding{{Verdict: lab.VerdictWarning}, {Verdict: lab.VerdictUnknown}}); err != nil {
		t.Error(err)
	}
}
