package lab_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

func TestExitCode(t *testing.T) {
	refused := &lab.Error{Op: "x", Err: fmt.Errorf("%w: no", lab.ErrRefused)}
	blocked := &lab.Error{Op: "x", Err: lab.ErrBlocked}
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0}, {errors.New("x"), 1}, {refused, 4}, {blocked, 3}, {context.Canceled, 130},
		{fmt.Errorf("%w: %w", lab.ErrBlocked, errors.New("sealed")), 3},
		{errors.Join(refused, blocked), 4}, {errors.Join(blocked, blocked), 3},
		{errors.Join(refused, errors.New("x")), 1}, {errors.Join(errors.New("x"), context.Canceled), 130},
		{lab.Problems{{Message: "x"}}, 1},
	} {
		if got := lab.ExitCode(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

func TestSafeToRetry(t *testing.T) {
	safe := lab.NotSent(errors.New("x"))
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false}, {errors.New("x"), false}, {safe, true}, {fmt.Errorf("y: %w", safe), true},
		{&lab.Error{Op: "z", Err: safe}, true},
		{fmt.Errorf("%w: %w", lab.ErrUnreachable, safe), true}, {errors.Join(safe, safe), true},
		{errors.Join(errors.New("a"), errors.New("b")), false},
	} {
		if got := lab.SafeToRetry(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

func TestKind(t *testing.T) {
	for _, c := range []struct{ err, want error }{
		{nil, nil}, {errors.New("x"), nil}, {context.Canceled, nil}, {lab.ErrDrift, lab.ErrDrift},
		{&lab.Error{Op: "x", Err: fmt.Errorf("%w: no", lab.ErrTimeout)}, lab.ErrTimeout},
		{lab.Problems{{Message: "x"}}, lab.ErrInvalid},
		{fmt.Errorf("%w: %w", lab.ErrUnreachable, lab.ErrHostKey), lab.ErrHostKey},
		{errors.Join(errors.New("x"), lab.ErrNotFound, lab.ErrConflict), lab.ErrConflict},
	} {
		if got := lab.Kind(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

func TestMaskedErrorKeepsWhatItIs(t *testing.T) {
	const secret = "correct-horse"
	m := lab.NewMasker(lab.NewSecret(secret))
	inner := errors.New("said " + secret)
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"plain", inner, "said (secret)"},
		{"of a kind", fmt.Errorf("%w: said %s", lab.ErrHostKey, secret), "host key not trusted: said (secret)"},
		{"of two kinds", fmt.Errorf("%w: %w: said %s", lab.ErrUnreachable, lab.ErrTimeout, secret),
			"unreachable: timed out: said (secret)"},
		{"stopped", fmt.Errorf("%w: said %s", context.Canceled, secret), "context canceled: said (secret)"},
		{"with a place",
			&lab.Error{Op: "write", Target: secret, Path: "/" + secret,
				Err: fmt.Errorf("%w: %w", lab.ErrUnauthorized, inner)},
			"(secret): write /(secret): unauthorized: said (secret)"},
		{"with a hint that repeats it", &lab.Error{Op: "write", Hint: "unset " + secret, Err: lab.ErrRefused},
			"write: refused"},
		{"with a place inside", fmt.Errorf("x: %w", &lab.Error{Op: "write", Hint: "do this", Err: inner}),
			"x: write: said (secret)"},
		{"not sent", lab.NotSent(&lab.Error{Op: "dial", Hint: "do this", Err: inner}), "dial: said (secret)"},
		{"not sent, inside", fmt.Errorf("%w: %w", lab.ErrUnreachable, lab.NotSent(inner)), "unreachable: said (secret)"},
		{"joined", errors.Join(&lab.Error{Op: "a", Err: lab.ErrRefused}, &lab.Error{Op: "b", Hint: "do that", Err: inner}),
			"a: refused\nb: said (secret)"},
	} {
		got := m.Err(c.err)
		if got.Error() != c.want || strings.Contains(fmt.Sprintf("%+v %#v %q", got, got, lab.Hints(got)), secret) {
			t.Errorf("%s: %q, %#v, hints %q; want %q", c.name, got, got, lab.Hints(got), c.want)
		}
		for _, kind := range []error{lab.ErrHostKey, lab.ErrUnreachable, lab.ErrTimeout, lab.ErrUnauthorized,
			lab.ErrRefused, context.Canceled} {
			if errors.Is(got, kind) != errors.Is(c.err, kind) {
				t.Errorf("%s: is %v: %v", c.name, kind, errors.Is(got, kind))
			}
		}
		if lab.SafeToRetry(got) != lab.SafeToRetry(c.err) || lab.ExitCode(got) != lab.ExitCode(c.err) ||
			len(lab.Hints(got)) != len(lab.Hints(c.err)) {
			t.Errorf("%s: safe to retry %v, exit code %d, hints %q", c.name, lab.SafeToRetry(got),
				lab.ExitCode(got), lab.Hints(got))
		}
		if errors.Is(got, inner) {
			t.Errorf("%s: %#v wraps the error that it hides", c.name, got)
		}
	}
	place := (*lab.Error)(nil)
	got := m.Err(&lab.Error{Op: "write", Target: "pi1", Path: "/a", Err: inner})
	if !errors.As(got, &place) || place.Target != "pi1" || place.Path != "/a" {
		t.Errorf("%#v has lost its fields", got)
	}
	for _, err := range []error{nil, errBoom, &lab.Error{Op: "x", Hint: "do this", Err: errBoom}} {
		if got := m.Err(err); got != err {
			t.Errorf("%v became %#v", err, got)
		}
	}
}

func TestErrorText(t *testing.T) {
	e := &lab.Error{Op: "write", Target: "pi1", Path: "file:/a\nb", Hint: "do this",
		Err: &lab.Error{Op: "inner", Hint: "do that", Err: lab.ErrNotFound}}
	if got, want := e.Error(), `pi1: write "file:/a\nb": inner: not found`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := fmt.Sprint(lab.Hints(errors.Join(e, e))); got != "[do this do that]" {
		t.Error(got)
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct{ word, want string }{{"adress", "address"}, {"PACKAGES", "packages"}, {"zzz", ""},
		{"a", ""}, {"packges", "packages"}, {"gitae", "gitea"}} {
		if got := lab.Nearest(c.word, []string{"address", "packages", "b", "gitea"}); got != c.want {
			t.Errorf("%s: %q, want %q", c.word, got, c.want)
		}
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		tries := 0
		err := lab.Wait(t.Context(), lab.Poll{What: "x", Timeout: time.Minute},
			func(context.Context) (bool, error) { tries++; return false, nil })
		if !errors.Is(err, lab.ErrTimeout) || time.Since(start) != time.Minute || tries < 10 || tries > 30 {
			t.Errorf("%v after %v and %d tries", err, time.Since(start), tries)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := lab.Wait(ctx, lab.Poll{What: "x"},
			func(ctx context.Context) (bool, error) { return false, ctx.Err() }); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := lab.Wait(t.Context(), lab.Poll{What: "x"},
			func(context.Context) (bool, error) { return false, errBoom }); !errors.Is(err, errBoom) {
			t.Error(err)
		}
	})
}

// lateContext is a context whose timer fires a second after its deadline, as on a busy machine.
type lateContext struct{ context.Context }

func (c lateContext) Deadline() (time.Time, bool) {
	at, ok := c.Context.Deadline()
	return at.Add(-time.Second), ok
}

// TestWaitByTheClock: an error at the deadline, from what watches the clock itself, is reported as
// the end of the context.
func TestWaitByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := lab.Wait(lateContext{ctx}, lab.Poll{What: "x"}, func(ctx context.Context) (bool, error) {
			at, _ := ctx.Deadline()
			time.Sleep(time.Until(at))
			return false, errBoom
		})
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errBoom) {
			t.Error(err)
		}
	})
}
