package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// logged runs a program that applies something, and returns what it printed.
func logged(t *testing.T, program string, o Options) string {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	output := newOutput(out, program, func(error) {})
	p, err := NewPrinter(output, o)
	if err != nil {
		t.Fatal(err)
	}
	change := lab.Change{ID: "host/pi1/file:/a", Action: lab.Create, Diff: "+hello\n"}
	plan, err := lab.NewPlan(lab.Step{Name: "host/pi1", Changes: []lab.Change{change},
		Run: func(_ context.Context, r *lab.Recorder) error {
			r.Output(change.ID, "a line that it printed")
			r.Done(change.ID, errors.New("no space left"))
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Execute(t.Context(), plan, Request{Apply: true, Yes: true})
	output.end(err)
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestLog: a run leaves a log that only its owner can read, with all that happened, whatever was printed; the
// oldest are removed, of this program alone.
func TestLog(t *testing.T) {
	for _, o := range []Options{{}, {Quiet: true}, {JSON: true}, {Color: "always"}} {
		state := t.TempDir()
		t.Setenv("LAB_LOG", "")
		t.Setenv("XDG_STATE_HOME", state)
		dir := filepath.Join(state, "lab")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range keptLogs + 3 {
			for _, name := range []string{"x", "x-y"} {
				file := fmt.Sprintf("%s-20200101T0000%02dZ-7.log", name, i)
				if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		logged(t, "x", o)
		logs, err := filepath.Glob(filepath.Join(dir, "x-2*.log"))
		if err != nil || len(logs) != keptLogs || !strings.Contains(logs[0], "20200101T000004Z") {
			t.Fatalf("%v: kept %v", err, logs)
		}
		if others, _ := filepath.Glob(filepath.Join(dir, "x-y-*")); len(others) != keptLogs+3 {
			t.Errorf("logs of another program are gone: %v", others)
		}
		last := logs[len(logs)-1]
		if st, err := os.Stat(last); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", st.Mode(), err)
		}
		b, err := os.ReadFile(last)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"+ create  file:/a", "a line that it printed", "no space left", "1 failed",
			"error: no space left"} {
			if !strings.Contains(string(b), want) {
				t.Errorf("%+v: no %q in\n%s", o, want, b)
			}
		}
		if strings.Contains(string(b), "\x1b") {
			t.Errorf("%+v: colours in\n%s", o, b)
		}
	}
}

// TestNoLog: a run works without a log, and leaves none where there is no place for it.
func TestNoLog(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("LAB_LOG", "")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, env := range map[string][2]string{
		"off": {"LAB_LOG", "off"}, "no directory": {"LAB_LOG", filepath.Join(file, "x")},
		"a home that is not there": {"HOME", filepath.Join(t.TempDir(), "none")}, "no home": {"HOME", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(env[0], env[1])
			if out := logged(t, "x", Options{}); !strings.Contains(out, "1 failed") {
				t.Errorf("got %s", out)
			}
			if _, err := os.Stat(os.Getenv("HOME")); name == "a home that is not there" && !errors.Is(err, fs.ErrNotExist) {
				t.Error("the home was created")
			}
		})
	}
}
