package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
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
