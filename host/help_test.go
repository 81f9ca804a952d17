package host_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// patience is how long a login may take on a busy machine: nothing waits for it.
const patience = 2 * time.Minute

// firstWrite closes seen when something is written to it for the first time.
type firstWrite struct{ seen chan struct{} }

func (w *firstWrite) Write(p []byte) (int, error) {
	select {
	case <-w.seen:
	default:
		close(w.seen)
	}
	return len(p), nil
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// names returns the names in a directory, separated by spaces.
func names(tb testing.TB, dir string) string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

// await waits until something has happened.
func await(tb testing.TB, what string, happened func() bool) {
	tb.Helper()
	poll := lab.Poll{What: what, First: time.Millisecond, Timeout: patience}
	if err := lab.Wait(context.Background(), poll, func(context.Context) (bool, error) { return happened(), nil }); err != nil {
		tb.Error(err)
	}
}
