package real

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// sharedPG holds the server of each major version that the tests of this
// process share. Tests have nothing but the process in common.
var sharedPG = struct {
	sync.Mutex
	started map[int]func() (*PG, error)
}{started: map[int]func() (*PG, error){}}

// Postgres is the PostgreSQL server of a major version, 15 to 18, that all
// tests of the process share; it ends with the process. Tests make databases
// and roles of their own in it, and leave its configuration alone.
func Postgres(tb testing.TB, major int) *PG {
	tb.Helper()
	sharedPG.Lock()
	get, ok := sharedPG.started[major]
	if !ok {
		get = sync.OnceValues(func() (*PG, error) { return startForTest(context.Background(), PGOptions{Major: major}) })
		sharedPG.started[major] = get
	}
	sharedPG.Unlock()
	p, err := get()
	if errors.Is(err, ErrNoPostgres) {
		Missing(tb, fmt.Sprintf("PostgreSQL %d: %v", major, err))
	}
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// PostgresWith starts a PostgreSQL server for this test alone.
func PostgresWith(tb testing.TB, o PGOptions) *PG {
	tb.Helper()
	p, err := startForTest(tb.Context(), o)
	if errors.Is(err, ErrNoPostgres) {
		Missing(tb, fmt.Sprintf("PostgreSQL: %v", err))
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("postgres' log:\n%s", p.Log())
		}
		if err := p.Close(); err != nil {
			tb.Errorf("postgres: %v", err)
		}
	})
	return p
}

// startForTest fetches what is not installed: that may take a minute.
func startForTest(ctx context.Context, o PGOptions) (*PG, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	o.Fetch = true
	return StartPostgres(ctx, o)
}
