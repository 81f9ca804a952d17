package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestOutputBrokenPipe: the program stops when the reader of its output has exited.
func TestOutputBrokenPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, stop := context.WithCancelCause(t.Context())
	o := &Output{file: w, stop: stop}
	p, err := NewPrinter(o, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.Printf("a\n")
	if code, err := o.end(ErrPending); err != ErrPending || code != lab.ExitPending || ctx.Err() != nil {
		t.Errorf("while it is read: %v, %d, %v", err, code, ctx.Err())
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	p.Printf("b\n")
	if !errors.Is(context.Cause(ctx), syscall.EPIPE) {
		t.Errorf("the program continues: %v", context.Cause(ctx))
	}
	if code, err := o.end(ErrPending); err != nil || code != 141 {
		t.Errorf("a plan: %v, %d", err, code)
	}
	if _, writing := fmt.Fprint(o, "c"); writing == nil {
		t.Error("a write does not fail")
	}
	if code, err := o.end(o.err); err != nil || code != 141 {
		t.Errorf("a schema: %v, %d", err, code)
	}
	if code, err := o.end(errors.Join(o.err, lab.ErrDrift)); !errors.Is(err, lab.ErrDrift) || errors.Is(err, o.err) || code != 141 {
		t.Errorf("another failure: %v, %d", err, code)
	}
	p.Say = func(lab.Setting) string { return "" } // the error is copied
	if code, err := o.end(errors.Join(&lab.Error{Op: "apply stage", Target: "a", Err: o.err},
		&lab.Error{Op: "apply stage", Target: "b", Err: o.err})); err != nil || code != 141 {
		t.Errorf("stages: %v, %d", err, code)
	}
	stopped := fmt.Errorf("apply plan: %w", context.Cause(ctx))
	if code, err := o.end(stopped); err != nil || code != 141 {
		t.Errorf("an apply: %v, %d", err, code)
	}
}

// TestOutputDiskFull: the program fails when its output cannot be written.
func TestOutputDiskFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		real.Missing(t, "/dev/full, which only Linux has")
	}
	defer full.Close()
	o := &Output{file: full, stop: func(error) {}}
	fmt.Fprint(o, "a")
	for _, of := range []error{nil, ErrPending} {
		if code, err := o.end(of); code != lab.ExitError || !errors.Is(err, syscall.ENOSPC) ||
			!strings.HasPrefix(err.Error(), "write output: ") {
			t.Errorf("%v: %v, %d", of, err, code)
		}
	}
}

// TestPrinterBeside: a program whose standard output is data prints beside it, and its run is logged all the
// same.
func TestPrinterBeside(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LAB_LOG", dir)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	out := newOutput(null, "x", func(error) {})
	var stderr strings.Builder
	p, err := NewPrinter(out.Beside(&stderr), Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.Say = func(s lab.Setting) string { return "--" + s.Name }
	p.Printf("a line\n")
	_, err = out.end(&lab.Error{Op: "x", Hint: "set it", Set: lab.Setting{Name: "flag"}, Err: lab.ErrRefused})
	if hints := lab.Hints(err); len(hints) != 1 || hints[0] != "set it: --flag" {
		t.Errorf("hints: %q", hints)
	}
	if stderr.String() != "a line\n" {
		t.Errorf("printed %q", stderr.String())
	}
	logs, _ := filepath.Glob(filepath.Join(dir, "x-*.log"))
	if len(logs) != 1 {
		t.Fatalf("logs: %v", logs)
	}
	if text, err := os.ReadFile(logs[0]); err != nil || !strings.Contains(string(text), "a line") {
		t.Errorf("%s, %v", text, err)
	}
}
