package cli

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// typed returns a terminal on which the text is typed, which ends then unless it is left open.
func typed(t *testing.T, text string, open bool) (*Terminal, *strings.Builder) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	if _, err := w.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if !open {
		w.Close()
	}
	var out strings.Builder
	return &Terminal{r, &out}, &out
}

// TestAsk: each question gets a line, and what follows is left for the next.
func TestAsk(t *testing.T) {
	terminal, out := typed(t, " one \r\n\ntwo", false)
	for _, want := range []string{"one", "", "two", "", ""} {
		if got, err := terminal.Ask(t.Context(), "which? "); got != want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	if out.String() != strings.Repeat("which? ", 5) {
		t.Errorf("asked %q", out.String())
	}
	for answer, want := range map[string]bool{"y": true, "Yes": true, "YES": true, "": false, "n": false, "no": false,
		"yess": false, "ja": false, "yes please": false} {
		terminal, _ := typed(t, answer+"\n", false)
		if got, err := terminal.Agrees(t.Context(), "sure?"); got != want || err != nil {
			t.Errorf("%q: %v, %v", answer, got, err)
		}
	}
}

// TestAskEnds: nobody has to answer before a run can be stopped.
func TestAskEnds(t *testing.T) {
	terminal, _ := typed(t, "y", true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if agrees, err := terminal.Agrees(ctx, "sure?"); agrees || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", agrees, err)
	}
}

// TestRequestNeedsConsent: whoever cannot be asked must have said it before.
func TestRequestNeedsConsent(t *testing.T) {
	for line, want := range map[string]bool{"": false, "--yes": true, "-y": true, "--plan x": true,
		"--confirm x": false, "--output json": false, "--output json --yes": true} {
		ran := false
		r := Request{Apply: true}
		root := &cobra.Command{Use: "prog", Short: "try"}
		apply := &cobra.Command{Use: "apply", Short: "do it", RunE: func(*cobra.Command, []string) error {
			ran = true
			return nil
		}}
		r.Flags(apply)
		root.AddCommand(apply)
		root.SetIn(strings.NewReader("y\n")) // no terminal
		var out strings.Builder
		err := Run(t.Context(), root, append([]string{"apply"}, strings.Fields(line)...), &out, &out)
		if ran != want || (err == nil) != want || !want && (Code(err) != lab.ExitError ||
			!strings.Contains(err.Error(), "--yes or --plan FILE")) {
			t.Errorf("%s: ran %v, %v", line, ran, err)
		}
	}
}

func TestChanges(t *testing.T) {
	some := []lab.Change{{Risk: lab.RiskRestart}, {}, {Risk: lab.RiskDataLoss}, {Risk: lab.RiskRestart}}
	for n, want := range []string{"0 changes", "1 change (1 with risk restart)", "2 changes (1 with risk restart)",
		"3 changes (1 with risk dataloss, 1 with risk restart)", "4 changes (1 with risk dataloss, 2 with risk restart)"} {
		if got := Changes(some[:n]); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
