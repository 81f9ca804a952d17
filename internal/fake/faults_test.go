package fake_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/internal/fake"
)

// next counts n requests, and returns how each of them failed: "." is not at all.
func next(f *fake.Faults[string], n int) string {
	var out []string
	for range n {
		how, fails := f.Next()
		if !fails {
			how = "."
		}
		out = append(out, how)
	}
	return strings.Join(out, "")
}

func TestFaults(t *testing.T) {
	var f fake.Faults[string]
	if got := next(&f, 3); got != "..." {
		t.Errorf("the zero Faults: %s", got)
	}
	f.At(2, "b")
	f.At(1, "a")
	f.At(4, "d")
	f.At(4, "e")
	if got := next(&f, 7); got != "ab.de.." || f.Fired() != 4 {
		t.Errorf("%s, %d fired", got, f.Fired())
	}
	f.At(1, "x")
	f.Reset()
	if got := next(&f, 2); got != ".." || f.Fired() != 0 {
		t.Errorf("after Reset: %s, %d fired", got, f.Fired())
	}
	f.Refuse(2)
	if got := fmt.Sprint(f.Refused(), f.Refused(), f.Refused()); got != "true true false" {
		t.Errorf("refused: %s", got)
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fake.Faults[string]
		start := time.Now()
		f.Delay()
		f.SetLatency(time.Second)
		f.Delay()
		f.Reset()
		f.Delay()
		if took := time.Since(start); took != time.Second {
			t.Errorf("%s", took)
		}
	})
}
