package lab_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

func ExamplePlan() {
	p, err := lab.NewPlan(lab.Step{
		Name: "host/pi1",
		Changes: []lab.Change{
			{ID: "host/pi1/file:/etc/motd", Action: lab.Update, Cause: "content differs",
				Diff: lab.Diff("/etc/motd", []byte("old\n"), []byte("new\n"))},
			{ID: "host/pi1/restart:ssh.service", Action: lab.Run, Cause: "notified by file:/etc/motd",
				Risk: lab.RiskRestart, After: []string{"host/pi1/file:/etc/motd"}},
		},
		Run: func(ctx context.Context, r *lab.Recorder) error { return nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(p)
	r, err := p.Apply(context.Background(), nil)
	fmt.Println(r.Summary(), err)
	// Output:
	// host/pi1
	//   ~ update  file:/etc/motd: content differs
	//       --- /etc/motd
	//       +++ /etc/motd
	//       @@ -1 +1 @@
	//       -old
	//       +new
	//   ! run     restart:ssh.service: notified by file:/etc/motd [restart]
	// 2 changes: 1 to update, 1 to run; risk restart
	// 2 changes: 2 done <nil>
}

func TestApplyRefusesUnconfirmedDataLoss(t *testing.T) {
	ran := false
	p, err := lab.NewPlan(lab.Step{Name: "s", Changes: []lab.Change{{ID: "s/drop",
		Action: lab.Delete, Risk: lab.RiskDataLoss}},
		Run: func(context.Context, *lab.Recorder) error { ran = true; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Apply(t.Context(), nil)
	if !errors.Is(err, lab.ErrRefused) || ran || r.Count(lab.StatusNotRun) != 1 {
		t.Fatalf("err %v, ran %v, report %v", err, ran, r)
	}
	if _, err = p.Apply(t.Context(),
		&lab.ApplyOptions{Confirmed: []lab.Confirmation{lab.Confirm("s/other")}}); !errors.Is(err, lab.ErrRefused) || ran {
		t.Fatalf("the confirmation of another change was accepted: %v", err)
	}
	if _, err = p.Apply(t.Context(),
		&lab.ApplyOptions{Confirmed: []lab.Confirmation{lab.Confirm("s/drop")}}); err != nil || !ran {
		t.Fatalf("confirmed, but not done: %v", err)
	}
}

// TestPrintedTextHasNoControlCharacters: plans and reports are safe to print on a terminal.
func TestPrintedTextHasNoControlCharacters(t *testing.T) {
	p, err := lab.NewPlan(lab.Step{Name: "s", Changes: []lab.Change{{ID: "s/a", Cause: "is \x1b[2J",
		Diff: "+\x1b[2J\n"}}, Run: func(context.Context, *lab.Recorder) error {
		return errors.New("exit status 1: \x1b[2J\r\n\u009b2J")
	}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Apply(t.Context(), nil)
	for _, text := range []string{p.String(), r.String(), lab.PrintableText(err.Error(), "  ")} {
		if strings.ContainsAny(text, "\x1b\r\u009b") {
			t.Errorf("%q", text)
		}
	}
	if got, want := lab.PrintableText("é\tb\nc", "  "), "é\tb\n  c"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
