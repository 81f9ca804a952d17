package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/reconcile"
)

// TestOnce: what several kinds ask for is read once, errors too, until all is forgotten.
func TestOnce(t *testing.T) {
	var r reconcile.Reads
	calls := 0
	var mu sync.Mutex
	read := func() (int, error) {
		mu.Lock()
		defer mu.Unlock()
		calls++
		return calls, nil
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if v, err := reconcile.Once(&r, "a", read); v != 1 || err != nil {
				t.Errorf("%d, %v", v, err)
			}
		})
	}
	all.Wait()
	if _, err := reconcile.Once(&r, "b", func() (int, error) { return 5, lab.ErrInvalid }); !errors.Is(err, lab.ErrInvalid) {
		t.Error(err)
	}
	if v, err := reconcile.Once(&r, "b", func() (int, error) { return 5, nil }); v != 0 || err == nil {
		t.Errorf("%d, %v", v, err)
	}
	r.Forget()
	if v, _ := reconcile.Once(&r, "a", read); v != 2 {
		t.Errorf("%d", v)
	}
}

func TestEach(t *testing.T) {
	var mu sync.Mutex
	running, most := 0, 0
	got, err := reconcile.Each(t.Context(), 2, []string{"a", "b", "c", "d"}, func(_ context.Context, s string) (string, error) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		defer func() { mu.Lock(); running--; mu.Unlock() }()
		return strings.ToUpper(s), nil
	})
	if err != nil || !slices.Equal(got, []string{"A", "B", "C", "D"}) || most > 2 {
		t.Errorf("%q, %v, %d at once", got, err, most)
	}
	_, err = reconcile.Each(t.Context(), 2, []int{1, 2}, func(ctx context.Context, n int) (int, error) {
		if n == 1 {
			return 0, lab.ErrBlocked
		}
		<-ctx.Done()
		return 0, ctx.Err()
	})
	if !errors.Is(err, lab.ErrBlocked) {
		t.Error(err)
	}
}
