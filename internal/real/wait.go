package real

import (
	"context"
	"fmt"
	"time"
)

// until calls ready every few milliseconds until it succeeds, the server's
// process ends, or ctx does. what names the awaited state in the error.
func until(ctx context.Context, p *process, what string, ready func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var exited <-chan struct{}
	if p != nil {
		exited = p.done
	}
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-exited:
			return fmt.Errorf("wait until %s: process ended: %v", what, p.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w (last: %w)", what, ctx.Err(), err)
		}
	}
}
