package reconcile

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Reads keeps what was read while one comparison is made, for the kinds that look at the same. The zero Reads have nothing.
type Reads struct {
	mu  sync.Mutex
	all map[string]func() (any, error)
}

// Forget makes everything be read again.
func (r *Reads) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = nil
}

// Once returns what f returns, which is called once for each key until all is forgotten. All calls with one key are of one type.
func Once[T any](r *Reads, key string, f func() (T, error)) (T, error) {
	r.mu.Lock()
	if r.all == nil {
		r.all = map[string]func() (any, error){}
	}
	if r.all[key] == nil {
		r.all[key] = sync.OnceValues(func() (any, error) { return f() })
	}
	get := r.all[key]
	r.mu.Unlock()
	v, err := get()
	if err != nil {
		var none T
		return none, err
	}
	return v.(T), nil
}

// Each calls f for all of the items, no more than parallel at once, and returns the results in the order of the items, beside the
// first error, which ends the context of the other calls.
func Each[I, O any](ctx context.Context, parallel int, items []I, f func(context.Context, I) (O, error)) ([]O, error) {
	results := make([]O, len(items))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for n, item := range items {
		g.Go(func() (err error) {
			results[n], err = f(ctx, item)
			return err
		})
	}
	return results, g.Wait()
}
