package lab

import (
	"context"
	"fmt"
	"time"
)

// Poll says how [Wait] waits. All fields but What may be left out.
type Poll struct {
	What    string        // what it waits for: "pi1 to boot"; for errors and Report
	First   time.Duration // pause after the first try; 0 means 100 ms. Each pause is longer than the last by half
	Longest time.Duration // longest pause; 0 means 5 s
	Timeout time.Duration // for the whole; 0 means that only the context limits it

	// Report is called once, with What, after the first try if that was not enough; nil means that
	// waiting is not reported.
	Report func(what string)
}

// Wait calls ready until it returns true or an error. If ctx ends, Wait returns its cause, and
// after the timeout an [ErrTimeout]; both errors say what it was waiting for.
func Wait(ctx context.Context, p Poll, ready func(context.Context) (bool, error)) error {
	pause, longest := p.First, p.Longest
	if pause <= 0 {
		pause = 100 * time.Millisecond
	}
	if longest <= 0 {
		longest = 5 * time.Second
	}
	outer := ctx
	if p.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.Timeout)
		defer cancel()
	}
	for reported := false; ; reported = true {
		ok, err := ready(ctx)
		if at, limited := ctx.Deadline(); err != nil && limited && !time.Now().Before(at) {
			<-ctx.Done() // what watches the clock itself, as net.Dialer does, may give up before the context has ended
		}
		switch {
		case outer.Err() != nil && !(ok && err == nil):
			return &Error{Op: "wait for " + p.What, Err: context.Cause(outer)}
		case ctx.Err() != nil && !(ok && err == nil):
			return &Error{Op: "wait for " + p.What, Err: fmt.Errorf("%w after %s", ErrTimeout, p.Timeout)}
		case err != nil:
			return err
		case ok:
			return nil
		}
		if p.Report != nil && !reported {
			p.Report(p.What)
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
		}
		pause = min(pause+pause/2, longest)
	}
}
