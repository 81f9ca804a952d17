package real

import (
	"context"
	"fmt"
	"time"
)

// until calls ready every few milliseconds until it succeeds or ctx ends. what is
// the state that it waits for, for the error.
func until(ctx context.Context, what string, ready func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w (last: %w)", what, context.Cause(ctx), err)
		}
	}
}

// whileRunning returns a context that also ends, with why as its cause, when gone
// is closed, because it is useless to wait for a server that has exited.
func whileRunning(ctx context.Context, gone <-chan struct{}, why func() error) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	go func() {
		select {
		case <-gone:
			cancel(why())
		case <-stopped:
			cancel(nil)
		}
	}()
	return ctx, func() { close(stopped) }
}
