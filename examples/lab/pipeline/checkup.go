package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Checkup examines one object: a machine, a server. It changes nothing.
type Checkup struct {
	Target string // "pi1"

	// Look calls report with each finding as soon as it is known. It may go on after its context has
	// ended: nothing is reported then, and nobody waits for it.
	Look func(ctx context.Context, report func(lab.Finding))
}

// answers is the check of an object that did not answer in time.
const answers = "answers"

// grace is how long a Look whose context has ended may take to say why it ended.
const grace = 2 * time.Second

// Examine looks at all objects at once and returns their findings, those of one object together, in the
// order of the checkups. None takes longer than timeout and a moment: one that hangs does not keep the
// others, and what it had reported by then is there.
func Examine(ctx context.Context, timeout time.Duration, checkups ...Checkup) []lab.Finding {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w: no answer within %s", lab.ErrTimeout, timeout))
	defer cancel()
	found := make([][]lab.Finding, len(checkups))
	var wg sync.WaitGroup
	for i, c := range checkups {
		wg.Go(func() { found[i] = c.examine(ctx, timeout) })
	}
	wg.Wait()
	var all []lab.Finding
	for _, f := range found {
		all = append(all, f...)
	}
	return all
}

// examine returns what is known of the object when Look has returned or the context has ended.
func (c Checkup) examine(ctx context.Context, timeout time.Duration) []lab.Finding {
	var mu sync.Mutex
	var found []lab.Finding
	closed := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Look(ctx, func(f lab.Finding) {
			mu.Lock()
			defer mu.Unlock()
			if !closed {
				f.Target = c.Target
				found = append(found, f)
			}
		})
	}()
	select {
	case <-done:
	case <-ctx.Done():
		select {
		case <-done:
		case <-time.After(grace):
		}
	}
	mu.Lock()
	defer mu.Unlock()
	closed = true
	select {
	case <-done:
		return found
	default:
	}
	late := lab.Finding{Target: c.Target, Check: answers, Verdict: lab.VerdictBad,
		Text: fmt.Sprintf("no more answer within %s", timeout),
		Hint: "it may be busy, or a disk or the network of it may hang: try again with more time, --timeout " +
			(3 * timeout).String()}
	if len(found) == 0 {
		late.Text = fmt.Sprintf("no answer within %s", timeout)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		late.Verdict, late.Text, late.Hint = lab.VerdictUnknown, "not examined: interrupted", ""
	}
	return append(found, late)
}
