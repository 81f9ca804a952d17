package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var errFull = errors.New("disk full")

// contents returns the names of the files of a directory, and fails the test when anybody else may
// read one of them.
func contents(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		st, err := os.Lstat(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // another run has removed it
		}
		if err != nil || st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, %v", e.Name(), st.Mode(), err)
		}
		names = append(names, e.Name())
	}
	return names
}

func TestSecretDir(t *testing.T) {
	ctx := t.Context()
	d := SecretDir{Path: filepath.Join(t.TempDir(), "a", "keys")}
	if _, err := d.Get(ctx, "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no directory: %v", err)
	}
	if err := d.Prove(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(d.Path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the proof left a directory: %v", err)
	}
	if err := d.Put(ctx, "x", NewSecret("one\n")); err != nil {
		t.Fatal(err)
	}
	if s, err := d.Get(ctx, "x"); err != nil || s.Reveal() != "one\n" {
		t.Errorf("%q, %v", s.Reveal(), err)
	}
	if err := errors.Join(d.Put(ctx, "x", NewSecret("one\n")), d.Prove(ctx)); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := d.Put(ctx, "x", NewSecret("hidden-two")); !errors.Is(err, ErrConflict) ||
		strings.Contains(err.Error(), "hidden") {
		t.Errorf("another value: %v", err)
	}
	if s, err := d.Get(ctx, "x"); err != nil || s.Reveal() != "one\n" {
		t.Errorf("it was replaced: %q, %v", s.Reveal(), err)
	}
	if _, err := d.Get(ctx, "y"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no file: %v", err)
	}
	if got := contents(t, d.Path); !slices.Equal(got, []string{"x"}) {
		t.Errorf("the directory holds %v", got)
	}
	for dir, want := range map[string]fs.FileMode{d.Path: 0o700, filepath.Dir(d.Path): 0o700} {
		if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", dir, st.Mode(), err)
		}
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := d.Get(over, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was stopped: %v", err)
	}
	for _, err := range []error{d.Prove(over), d.Put(over, "z", NewSecret("z"))} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a run that was stopped: %v", err)
		}
	}
}

// What is not as a sink leaves it is refused, and not touched.
func TestSecretDirRefuses(t *testing.T) {
	ctx := t.Context()
	s := NewSecret("hidden")
	base := t.TempDir()
	mk := func(name string, mode fs.FileMode) SecretDir {
		t.Helper()
		dir := filepath.Join(base, name)
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, mode)); err != nil {
			t.Fatal(err)
		}
		return SecretDir{Path: dir}
	}
	write := func(file, content string, mode fs.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(file, []byte(content), 0o600), os.Chmod(file, mode)); err != nil {
			t.Fatal(err)
		}
	}
	open, shown, good := mk("open", 0o750), mk("shown", 0o701), mk("good", 0o700)
	write(filepath.Join(good.Path, "read"), "x", 0o640)
	write(filepath.Join(good.Path, "empty"), "", 0o600)
	write(filepath.Join(base, "file"), "x", 0o600)
	if err := os.Mkdir(filepath.Join(good.Path, "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	get := func(d SecretDir, name string) error { _, err := d.Get(ctx, name); return err }
	for name, c := range map[string]struct{ err, want error }{
		"others list the directory":   {get(open, "x"), ErrRefused},
		"and are not put into":        {open.Put(ctx, "x", s), ErrRefused},
		"nor proved":                  {open.Prove(ctx), ErrRefused},
		"others enter the directory":  {get(shown, "x"), ErrRefused},
		"others read the file":        {get(good, "read"), ErrRefused},
		"a file that is empty":        {get(good, "empty"), ErrConflict},
		"and is not replaced":         {good.Put(ctx, "empty", s), ErrConflict},
		"a directory for a file":      {get(good, "dir"), ErrInvalid},
		"a file for a directory":      {get(SecretDir{Path: filepath.Join(base, "file")}, "x"), ErrInvalid},
		"and is not put into":         {SecretDir{Path: filepath.Join(base, "file")}.Put(ctx, "x", s), ErrInvalid},
		"no directory":                {get(SecretDir{}, "x"), ErrInvalid},
		"no directory, proved":        {SecretDir{}.Prove(ctx), ErrInvalid},
		"a name that leads elsewhere": {get(good, "../x"), ErrInvalid},
		"a name of another run":       {good.Put(ctx, ".new-1", s), ErrInvalid},
		"no name":                     {good.Put(ctx, "", s), ErrInvalid},
		"no secret":                   {good.Put(ctx, "x", Secret{}), ErrInvalid},
		"a secret that is too long":   {good.Put(ctx, "x", NewSecret(strings.Repeat("x", maxSecret+1))), ErrInvalid},
	} {
		if !errors.Is(c.err, c.want) || strings.Contains(c.err.Error(), "hidden") {
			t.Errorf("%s: got %v, want %v", name, c.err, c.want)
		}
	}
	if got, err := os.ReadDir(open.Path); err != nil || len(got) > 0 {
		t.Errorf("something was left: %v, %v", got, err)
	}
	if got, err := os.ReadDir(good.Path); err != nil || len(got) != 3 {
		t.Errorf("something was left: %v, %v", got, err)
	}
}

// put is one Put whose directory is not there yet, with the steps that it takes.
func put(d SecretDir, value string, before func(n int, step string) error) (steps []string, err error) {
	d.before = func(step string) error {
		steps = append(steps, step)
		if before == nil {
			return nil
		}
		return before(len(steps), step)
	}
	return steps, d.Put(context.Background(), "x", NewSecret(value))
}

// The content is on disk before the file has its name, and the name before Put returns.
func TestSecretDirOrder(t *testing.T) {
	steps, err := put(SecretDir{Path: filepath.Join(t.TempDir(), "keys")}, "one", nil)
	want := []string{"mkdir", "sync directory", "create", "write", "sync", "link", "remove", "sync directory"}
	if err != nil || !slices.Equal(steps, want) {
		t.Errorf("%v, %v", steps, err)
	}
}

type cut struct{}

// Whatever step fails, and wherever a run is cut off, the secret is there whole or not at all,
// nobody else may read anything of it, and the next run keeps one value and leaves nothing else.
func TestSecretDirFaults(t *testing.T) {
	for _, kill := range []bool{false, true} {
		for k := 1; ; k++ {
			d := SecretDir{Path: filepath.Join(t.TempDir(), "keys")}
			reached := false
			steps, err := func() (_ []string, err error) {
				defer func() {
					if v := recover(); v != nil && v != (cut{}) {
						panic(v)
					}
				}()
				return put(d, "first", func(n int, _ string) error {
					contents(t, d.Path)
					if n != k {
						return nil
					}
					if reached = true; kill {
						panic(cut{})
					}
					return errFull
				})
			}()
			if !reached {
				if k < 8 || err != nil || len(steps) >= k {
					t.Errorf("after %d steps: %v", len(steps), err)
				}
				break
			}
			if !kill && !errors.Is(err, errFull) {
				t.Errorf("step %d failed, and Put: %v", k, err)
			}
			left := contents(t, d.Path)
			if !kill && slices.ContainsFunc(left, func(n string) bool { return n != "x" }) && steps[k-1] != "remove" {
				t.Errorf("step %d, %s, failed and left %v", k, steps[k-1], left)
			}
			kept, err := d.Get(t.Context(), "x")
			if !errors.Is(err, ErrNotFound) && (err != nil || kept.Reveal() != "first") {
				t.Errorf("step %d: %q, %v", k, kept.Reveal(), err)
			}
			want := "first"
			if kept.IsZero() {
				want = "second"
			}
			if err := d.Prove(t.Context()); err != nil {
				t.Errorf("step %d, and the next run: %v", k, err)
			}
			if err := d.Put(t.Context(), "x", NewSecret("second")); (err == nil) != (want == "second") {
				t.Errorf("step %d, and the next run: %v", k, err)
			}
			if s, err := d.Get(t.Context(), "x"); err != nil || s.Reveal() != want {
				t.Errorf("step %d, and the next run: %q, %v", k, s.Reveal(), err)
			}
			if got := contents(t, d.Path); !slices.Equal(got, []string{"x"}) {
				t.Errorf("step %d, and the next run left %v", k, got)
			}
		}
	}
}

// What a process that is gone has left is removed by whoever only reads, and what one writes that is
// running is not.
func TestSecretDirLeftovers(t *testing.T) {
	d := SecretDir{Path: filepath.Join(t.TempDir(), "keys")}
	if err := d.Put(t.Context(), "x", NewSecret("first")); err != nil {
		t.Fatal(err)
	}
	gone := exec.Command(os.Args[0], "-test.run=^$")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	mine := fmt.Sprintf(".new-%d-1", os.Getpid())
	for _, name := range []string{mine, fmt.Sprintf(".new-%d-1", gone.Process.Pid), fmt.Sprintf(".new-%d-2", gone.Process.Pid)} {
		if err := os.WriteFile(filepath.Join(d.Path, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"x", "nosuch"} {
		if _, err := d.Get(t.Context(), name); err != nil && !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		if got := contents(t, d.Path); !slices.Equal(got, []string{mine, "x"}) {
			t.Errorf("after a Get the directory holds %v", got)
		}
	}
}

// A proof that fails, or is cut off, leaves at most what the next run removes.
func TestSecretDirProofFaults(t *testing.T) {
	for k := 1; ; k++ {
		d := SecretDir{Path: filepath.Join(t.TempDir(), "keys")}
		n := 0
		d.before = func(string) error {
			if n++; n == k {
				return errFull
			}
			return nil
		}
		err := d.Prove(t.Context())
		if n < k {
			if k < 6 || err != nil {
				t.Errorf("after %d steps: %v", n, err)
			}
			return
		}
		if !errors.Is(err, errFull) {
			t.Errorf("step %d failed, and the proof: %v", k, err)
		}
		d.before = nil
		if err := d.Prove(t.Context()); err != nil {
			t.Errorf("step %d, and the next proof: %v", k, err)
		}
		if got := contents(t, d.Path); len(got) > 0 {
			t.Errorf("step %d, and the next proof left %v", k, got)
		}
	}
}

// Many runs at once, some of which fail: there is never more than one value of a name.
func TestSecretDirRuns(t *testing.T) {
	d := SecretDir{Path: filepath.Join(t.TempDir(), "keys")}
	names := []string{"a", "b", "c"}
	var mu sync.Mutex
	seen := map[string]map[string]bool{"a": {}, "b": {}, "c": {}} // values that somebody was given, by name
	var runs sync.WaitGroup
	for run := range 12 {
		runs.Go(func() {
			r := rand.New(rand.NewPCG(uint64(run), 7))
			mine := d
			mine.before = func(string) error {
				if r.IntN(12) == 0 {
					return errFull
				}
				return nil
			}
			for n := range 60 {
				name := names[r.IntN(len(names))]
				value := fmt.Sprintf("%s of %d", name, run)
				var err error
				switch {
				case n == 0: // once a run, as a Keyring does
					err = mine.Prove(t.Context())
				case r.IntN(2) == 0:
					if err = mine.Put(t.Context(), name, NewSecret(value)); err == nil {
						mu.Lock()
						seen[name][value] = true
						mu.Unlock()
					}
				default:
					var s Secret
					if s, err = mine.Get(t.Context(), name); err == nil {
						mu.Lock()
						seen[name][s.Reveal()] = true
						mu.Unlock()
					}
				}
				if err != nil && !errors.Is(err, errFull) && !errors.Is(err, ErrConflict) &&
					!errors.Is(err, ErrNotFound) {
					t.Errorf("run %d: %v", run, err)
				}
				contents(t, d.Path)
			}
		})
	}
	runs.Wait()
	for _, name := range names {
		if err := d.Put(t.Context(), name, NewSecret("last")); len(seen[name]) > 1 ||
			(err == nil) != (len(seen[name]) == 0) {
			t.Errorf("%s had the values %v, %v", name, seen[name], err)
		}
	}
	if err := d.Prove(t.Context()); err != nil {
		t.Error(err)
	}
	if got := contents(t, d.Path); !slices.Equal(got, names) {
		t.Errorf("the directory holds %v", got)
	}
}
