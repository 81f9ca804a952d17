package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// TestPrintError: each failure is said once, with its own hints below it.
func TestPrintError(t *testing.T) {
	down := func() error {
		return &lab.Error{Op: "dial", Target: "pi7", Hint: "plug it in", Err: lab.ErrUnreachable}
	}
	stopped := stopped{os.Interrupt}
	for want, err := range map[string]error{
		"": errors.Join(ErrPending, nil),
		"error: pi7: dial: unreachable\nhint:  plug it in\n": errors.Join(down(), errors.Join(down())),
		"error: pi7: dial: unreachable\nhint:  plug it in\nerror: b\n": errors.Join(
			errors.Join(down(), errors.New("b")), ErrPending),
		"error: a: pi7: dial: unreachable\nhint:  plug it in\n": fmt.Errorf("a: %w", down()),
		"error: refused: b\n": fmt.Errorf("%w: %w", lab.ErrRefused, errors.New("b")),
		"error: x: is bad\n       y: is bad too (fix it)\n": lab.Problems{{Path: "x", Message: "is bad"},
			{Path: "y", Message: "is bad too", Hint: "fix it"}},
		"error: apply plan: stopped by the signal interrupt\nhint:  run it again\n": errors.Join(
			&lab.Error{Op: "run script", Target: "pi1", Hint: "on the machine: ps", Err: stopped},
			&lab.Error{Op: "dial", Target: "pi2", Err: stopped},
			&lab.Error{Op: "apply plan", Hint: "run it again", Err: stopped}),
	} {
		var b strings.Builder
		if PrintError(&b, err); b.String() != want {
			t.Errorf("got\n%swant\n%s", b.String(), want)
		}
	}
}

// TestSummary: the object that ends a run tells a program what the exit code and the standard error tell
// a person.
func TestSummary(t *testing.T) {
	for want, err := range map[string]error{
		`{"changes":1,"exit":0,"type":"summary"}`: nil,
		`{"changes":1,"exit":2,"type":"summary"}`: ErrPending,
		`{"changes":1,"error":"apply: refused","exit":4,"hints":["--env prod"],"kind":"refused","type":"summary"}`: &lab.Error{
			Op: "apply", Hint: "--env prod", Err: lab.ErrRefused},
		`{"changes":1,"error":"a.yaml:2:3: x: is bad","exit":1,"hints":[],"kind":"invalid","problems":[{"file":"a.yaml",` +
			`"line":2,"column":3,"path":"x","message":"is bad"}],"type":"summary"}`: lab.Problems{{File: "a.yaml", Line: 2,
			Column: 3, Path: "x", Message: "is bad"}},
	} {
		var b strings.Builder
		p, e := NewPrinter(&b, Options{JSON: true})
		if e != nil {
			t.Fatal(e)
		}
		p.Summary(map[string]any{"changes": 1}, err)
		if b.String() != want+"\n" || !json.Valid([]byte(b.String())) {
			t.Errorf("got\n%swant\n%s", b.String(), want)
		}
	}
}
