package real

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// sharedPG has one server for each major version, which the tests of this process
// share. Tests share nothing but the process.
var sharedPG = struct {
	sync.Mutex
	started map[int]func() (*PG, error)
}{started: map[int]func() (*PG, error){}}

// Postgres returns the PostgreSQL server of a major version, 15 to 18, that all
// tests of the process share. It is stopped with the process. Tests create their
// own databases and roles in it, and must not change its configuration.
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
			tb.Logf("log of postgres:\n%s", p.Log())
		}
		if err := p.Close(); err != nil {
			tb.Errorf("postgres: %v", err)
		}
	})
	return p
}

// startForTest fetches a server that is not installed, which may take a minute.
func startForTest(ctx context.Context, o PGOptions) (*PG, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	o.Fetch = true
	return StartPostgres(ctx, o)
}
