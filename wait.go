package lab

import (
	"context"
	"fmt"
	"time"
)

// Poll says how [Wait] waits. The zero value is good, except for What.
type Poll struct {
	What    string        // what is waited for: "pi1 to boot"; it is in the error and in what Tell is told
	First   time.Duration // pause after the first try; 0 means 100 ms. It grows by half after each
	Longest time.Duration // longest pause; 0 means 5 s
	Timeout time.Duration // of the whole; 0 means that only the context ends it
	Tell    func(what string)
}

// Wait calls ready until it returns true or an error. It ends with ctx's cause when ctx ends, and with [ErrTimeout] after the timeout;
// both errors say what was waited for.
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
	for told := false; ; told = true {
		ok, err := ready(ctx)
		if at, limited := ctx.Deadline(); err != nil && limited && !time.Now().Before(at) {
			<-ctx.Done() // what goes by the clock, as net.Dialer does, may give up before the context has
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
		if p.Tell != nil && !told {
			p.Tell(p.What)
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
