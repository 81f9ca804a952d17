package lawtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Sink proves what every [lab.Sink] keeps, of one that holds nothing, and of a [lab.Replacer] that it
// replaces one known value by another and nothing else. name is a name that the sink accepts. Of a sink that shows no
// values, Put and Replace say what it holds.
func Sink(t *testing.T, name string, sink lab.Sink) {
	ctx := t.Context()
	get := func(want string) {
		t.Helper()
		s, err := sink.Get(ctx, name)
		if errors.Is(err, errors.ErrUnsupported) {
			if err := sink.Put(ctx, name, lab.NewSecret(want)); err != nil {
				t.Fatalf("it does not hold %q: %v", want, err)
			}
			return
		}
		if err != nil || s.Reveal() != want {
			t.Fatalf("it holds %d bytes, %v; want %q", len(s.Reveal()), err, want)
		}
	}
	refuse := func(err, kind error) {
		t.Helper()
		if !errors.Is(err, kind) {
			t.Errorf("%v, want an error of the kind %v", err, kind)
		}
		if err != nil && strings.Contains(err.Error(), "hidden") {
			t.Errorf("law 6: a secret is in an error")
		}
	}
	if err := sink.Prove(ctx); err != nil {
		t.Fatalf("prove: %v", err)
	}
	_, err := sink.Get(ctx, name)
	refuse(err, lab.ErrNotFound)
	first := lab.NewSecret("hidden first\nline and \u00e9 \"quoted\" {}\n")
	for range 2 { // the second is no change
		if err := sink.Put(ctx, name, first); err != nil {
			t.Fatalf("put: %v", err)
		}
	}
	get(first.Reveal())
	refuse(sink.Put(ctx, name, lab.NewSecret("hidden other")), lab.ErrConflict)
	get(first.Reveal())
	if err := sink.Prove(ctx); err != nil {
		t.Errorf("prove: %v", err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	refuse(sink.Put(over, name+"2", first), context.Canceled)
	_, err = sink.Get(ctx, name+"2")
	refuse(err, lab.ErrNotFound)
	t.Run("Runs", func(t *testing.T) { sinkRuns(t, name+"3", sink) })
	if r, ok := sink.(lab.Replacer); ok {
		t.Run("Replace", func(t *testing.T) { replaces(t, name, r, first) })
	}
}

// sinkRuns puts different values at once: one of them is kept, and whoever was told so is right.
func sinkRuns(t *testing.T, name string, sink lab.Sink) {
	const runs = 6
	errs := make([]error, runs)
	var all sync.WaitGroup
	for n := range runs {
		all.Go(func() { errs[n] = sink.Put(t.Context(), name, lab.NewSecret(fmt.Sprint("hidden ", n))) })
	}
	all.Wait()
	kept, err := sink.Get(t.Context(), name)
	if errors.Is(err, errors.ErrUnsupported) {
		for n := range runs {
			if s := lab.NewSecret(fmt.Sprint("hidden ", n)); sink.Put(t.Context(), name, s) == nil {
				kept, err = s, nil
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	for n, err := range errs {
		if mine := fmt.Sprint("hidden ", n) == kept.Reveal(); mine != (err == nil) || err != nil && !errors.Is(err, lab.ErrConflict) {
			t.Errorf("run %d ended in %v, and its value is kept: %v", n, err, mine)
		}
	}
}

func replaces(t *testing.T, name string, sink lab.Replacer, first lab.Secret) {
	ctx := t.Context()
	second, third := lab.NewSecret("hidden second"), lab.NewSecret("hidden third")
	for range 2 { // the second time it is there already
		if err := sink.Replace(ctx, name, first, second); err != nil {
			t.Fatalf("replace: %v", err)
		}
	}
	for _, test := range []struct {
		name string
		kind error
	}{{name, lab.ErrConflict}, {name + "4", lab.ErrNotFound}} {
		if err := sink.Replace(ctx, test.name, first, third); !errors.Is(err, test.kind) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v, want %v", test.name, err, test.kind)
		}
	}
	if err := sink.Put(ctx, name, second); err != nil {
		t.Errorf("it does not hold the second value: %v", err)
	}
	if _, err := sink.Get(ctx, name+"4"); !errors.Is(err, lab.ErrNotFound) {
		t.Errorf("what was not there: %v", err)
	}
	var won sync.Map
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			s := lab.NewSecret(fmt.Sprint("hidden successor ", n))
			if err := sink.Replace(ctx, name, second, s); err == nil {
				won.Store(n, s)
			} else if !errors.Is(err, lab.ErrConflict) {
				t.Errorf("run %d: %v", n, err)
			}
		})
	}
	all.Wait()
	kept, err := sink.Get(ctx, name)
	winners := 0
	won.Range(func(_, s any) bool {
		winners++
		return true
	})
	if winners != 1 || err != nil && !errors.Is(err, errors.ErrUnsupported) || kept.Equal(second) {
		t.Errorf("%d of six runs have replaced one value, %v", winners, err)
	}
}
