package lab_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// TestReword: wherever a hint is in an error, a program says it in its own words, and nothing else changes.
func TestReword(t *testing.T) {
	say := func(s lab.Setting) string {
		if s.Name == "known" {
			return "--flag " + s.Value
		}
		return ""
	}
	known, unknown := lab.Setting{Name: "known", Value: "x"}, lab.Setting{Name: "unknown", Value: "x"}
	leaf := func(s lab.Setting) *lab.Error {
		return &lab.Error{Op: "a", Hint: "set it", Set: s, Err: lab.ErrRefused}
	}
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"known":             {leaf(known), []string{"set it: --flag x"}},
		"unknown":           {leaf(unknown), []string{"set it"}},
		"none":              {leaf(lab.Setting{}), []string{"set it"}},
		"no hint":           {&lab.Error{Op: "a", Set: known, Err: lab.ErrRefused}, []string{"--flag x"}},
		"in another":        {&lab.Error{Op: "b", Hint: "go", Err: leaf(known)}, []string{"go", "set it: --flag x"}},
		"in a joined one":   {errors.Join(leaf(unknown), leaf(known)), []string{"set it", "set it: --flag x"}},
		"not sent":          {lab.NotSent(leaf(known)), []string{"set it: --flag x"}},
		"in another's text": {fmt.Errorf("x: %w", leaf(known)), []string{"set it"}},
	} {
		got := lab.Reword(c.err, say)
		if !slices.Equal(lab.Hints(got), c.want) {
			t.Errorf("%s: %q, want %q", name, lab.Hints(got), c.want)
		}
		if got.Error() != c.err.Error() || !errors.Is(got, lab.ErrRefused) || lab.SafeToRetry(got) != lab.SafeToRetry(c.err) {
			t.Errorf("%s: %v became %v", name, c.err, got)
		}
	}
	ps := lab.Problems{{Path: "p", Message: "is bad", Hint: "set it", Set: known}, {Path: "q", Message: "is bad"}}
	if got := lab.Reword(&lab.Error{Op: "read", Err: ps}, say).Error(); got != "read: p: is bad (set it: --flag x)\nq: is bad" {
		t.Errorf("problems: %s", got)
	}
	if ps[0].Hint != "set it" {
		t.Error("the problems themselves were changed")
	}
	if lab.Reword(nil, say) != nil {
		t.Error("nil became an error")
	}
	masked := lab.NewMasker(lab.NewSecret("hunter2-zq")).Err(&lab.Error{Op: "a", Hint: "set it",
		Set: lab.Setting{Name: "known", Value: "hunter2-zq"}, Err: errors.New("hunter2-zq")})
	if got := lab.Hints(lab.Reword(masked, say)); !slices.Equal(got, []string{"set it: --flag (secret)"}) {
		t.Errorf("masked: %q", got)
	}
}
