package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/replica/replicatest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"replica": main})
}

// fixtures are the sets that the real engine wrote.
const fixtures = "../../longhorn/replica/testdata/fixtures"

func TestScripts(t *testing.T) {
	sets, err := filepath.Abs(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("FIXTURES", sets)
			return nil
		},
		Condition: func(name string) (bool, error) {
			switch {
			case name != "extents":
				return false, fmt.Errorf("unknown condition %s", name)
			case !extents(t) && real.Required():
				return false, errors.New("needs extents (FIEMAP) of the temporary directory (LAB_REAL=require)")
			}
			return extents(t), nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"damage":  damageCmd,
			"fixture": fixtureCmd,
			"exits":   exitsCmd,
			"json":    jsonCmd,
			"narrow":  narrowCmd,
			"merges":  mergesCmd,
		},
	})
}

// extents reports whether the temporary directory's file system reports them.
func extents(t *testing.T) bool {
	dir := filepath.Join(t.TempDir(), "probe")
	rep := replicatest.Replica{Sectors: 1, Layers: []replicatest.Layer{{Name: "a"}, {}}}
	if err := rep.Write(dir); err != nil {
		return false
	}
	_, err := replicatest.Read(dir, "")
	return err == nil
}

func extract(set, dir string) error {
	f, err := os.Open(set)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	return replicatest.Extract(z, dir)
}

// fixtureCmd: fixture SET DIR recreates a set's replica directories in DIR.
func fixtureCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fixture SET DIR")
	}
	ts.Check(extract(filepath.Join(ts.Getenv("FIXTURES"), args[0]+".tar.gz"), ts.MkAbs(args[1])))
}

// damageCmd: damage FILE OFFSET LENGTH writes noise into it.
func damageCmd(ts *testscript.TestScript, neg bool, args []string) {
	off, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
	ts.Check(err)
	_, err = f.WriteAt([]byte(strings.Repeat("noise", n)[:n]), off)
	ts.Check(errors.Join(err, f.Close()))
}

// exitsCmd: exits CODE PROGRAM ARGS... runs it and compares its exit code with CODE. What it
// printed is in stdout and stderr.
func exitsCmd(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := err.(*exec.ExitError)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exited with %d, want %d", got, want)
	}
}

// jsonCmd: json type=TYPE KEY=VALUE... compares the last object of that type in stdout with the values. All
// lines are JSON objects, and the last sums the run up, unless it did not begin.
func jsonCmd(ts *testscript.TestScript, neg bool, args []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile("stdout")), "\n")
	var last map[string]any
	for i, line := range lines {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			ts.Fatalf("line %d is not JSON: %s", i+1, line)
		}
		if "type="+fmt.Sprint(object["type"]) == args[0] {
			last = object
		}
		if kind := object["type"]; i == len(lines)-1 && kind != "summary" && kind != "error" {
			ts.Fatalf("the last line is of type %v", kind)
		}
	}
	for _, a := range args {
		key, want, _ := strings.Cut(a, "=")
		got := fmt.Sprint(last[key])
		if f, ok := last[key].(float64); ok {
			got = strconv.FormatFloat(f, 'f', -1, 64)
		}
		if got != want {
			ts.Fatalf("%s is %s, want %s", key, got, want)
		}
	}
}

// narrowCmd: narrow requires that no line of stdout has more than 80 columns, paths and hashes on
// lines of their own aside.
func narrowCmd(ts *testscript.TestScript, neg bool, args []string) {
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 && len(strings.Fields(line)) > 2 {
			ts.Fatalf("%d columns: %s", n, line)
		}
	}
}

// mergesCmd: merges SET SHA256 SIZE merges a set's replicas and compares the result with what the
// engine returned.
func mergesCmd(ts *testscript.TestScript, neg bool, args []string) {
	f, err := os.Open(filepath.Join(ts.Getenv("FIXTURES"), "EXPECTED.sha256.txt"))
	ts.Check(err)
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		sum := strings.Fields(s.Text())
		dir := ts.MkAbs(sum[2])
		ts.Check(extract(filepath.Join(ts.Getenv("FIXTURES"), sum[2]+".tar.gz"), dir))
		dirs, err := filepath.Glob(filepath.Join(dir, "r*"))
		ts.Check(err)
		merge := []string{"merge", "--output", "json", "--hash", "sha256", "-o", filepath.Join(dir, "image")}
		ts.Check(ts.Exec("replica", append(merge, dirs...)...))
		chosen := "chosen=" + filepath.Join(dir, "r1")
		jsonCmd(ts, false, []string{"type=result", "sha256=" + sum[0], "size=" + sum[1], chosen})
	}
}

// TestInterrupt stops a merge with the signal that Ctrl-C sends, and continues it. The hash of a
// volume of a terabyte takes longer than any signal, on any machine: the second run leaves it out.
func TestInterrupt(t *testing.T) {
	if !extents(t) {
		real.Missing(t, "extents (FIEMAP) of the temporary directory")
	}
	rep := replicatest.Replica{Sectors: 1 << 40 / replicatest.Sector,
		Layers: []replicatest.Layer{{Name: "a", Ops: []replicatest.Op{{Len: 500, Seed: 1}}}, {}}}
	dir, out := filepath.Join(t.TempDir(), "vol-0123abcd"), filepath.Join(t.TempDir(), "image")
	if err := rep.Write(dir); err != nil {
		t.Fatal(err)
	}
	binary := replicaBinary(t)
	run := func(watch func(line string, p *os.Process), flags ...string) (last string, code int) {
		cmd := exec.Command(binary, append([]string{"merge", "--output", "json", "--hash", "sha256", "-o", out, dir}, flags...)...)
		cmd.Env = append(os.Environ(), "LAB_LOG=off")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for s := bufio.NewScanner(stdout); s.Scan(); {
			last = s.Text()
			watch(last, cmd.Process)
		}
		cmd.Wait()
		return last, cmd.ProcessState.ExitCode()
	}
	signalled := false // a second signal would end the program at once
	last, code := run(func(line string, p *os.Process) {
		if strings.Contains(line, `"text":"hash"`) && !signalled { // all is copied
			signalled = true
			p.Signal(syscall.SIGINT)
		}
	})
	if code != 130 || !strings.Contains(last, "run the same command again") {
		t.Fatalf("exit %d, %s", code, last)
	}
	if _, err := os.Stat(out + ".part.state"); err != nil {
		t.Fatal(err)
	}
	_, code = run(func(line string, _ *os.Process) {
		if strings.Contains(line, `"type":"result"`) {
			last = line
		}
	}, "--hash", "none")
	var result struct{ Resumed, Copied int64 }
	if err := json.Unmarshal([]byte(last), &result); err != nil || code != 0 {
		t.Fatalf("exit %d, %s", code, last)
	}
	if result.Copied != 0 || result.Resumed == 0 {
		t.Errorf("the second run copied %d bytes again: %s", result.Copied, last)
	}
}

// TestUnpackEnds interrupts an unpack to which nothing comes any more.
func TestUnpackEnds(t *testing.T) {
	if !extents(t) {
		real.Missing(t, "extents (FIEMAP) of the temporary directory")
	}
	rep := replicatest.Replica{Sectors: 1024,
		Layers: []replicatest.Layer{{Name: "a", Ops: []replicatest.Op{{Len: 500, Seed: 1}}}, {}}}
	base := t.TempDir()
	dir, out := filepath.Join(base, "vol-0123abcd"), filepath.Join(base, "out-0123abcd")
	file := filepath.Join(base, "stream")
	if err := rep.Write(dir); err != nil {
		t.Fatal(err)
	}
	quiet, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	run := func(ctx context.Context, stdin *os.File, args ...string) int {
		root := tree()
		root.SetIn(stdin)
		return cli.Code(cli.Run(ctx, root, args, quiet, quiet))
	}
	if code := run(t.Context(), quiet, "pack", "-o", file, dir); code != 0 {
		t.Fatalf("pack exits with %d", code)
	}
	stream, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan int)
	go func() { ended <- run(ctx, r, "unpack", "-o", out) }()
	if _, err := w.Write(stream[:len(stream)/2]); err != nil { // more than a pipe holds: it is being read
		t.Fatal(err)
	}
	cancel()
	if code := <-ended; code != 130 {
		t.Errorf("exits with %d", code)
	}
	if left, _ := filepath.Glob(out + "*"); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// TestCreate gives a file its name at the end, replaces nothing, and loses nothing.
func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	w, finish, err := create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "mine"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := create(path); !errors.Is(err, lab.ErrRefused) ||
		!strings.Contains(strings.Join(lab.Hints(err), ""), "remove it") {
		t.Errorf("a second one: %v, %q", err, lab.Hints(err))
	}
	if err := os.WriteFile(path, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := finish(nil); !errors.Is(err, lab.ErrRefused) ||
		!strings.Contains(strings.Join(lab.Hints(err), ""), path+".part") {
		t.Errorf("the name was taken meanwhile: %v, %q", err, lab.Hints(err))
	}
	for name, want := range map[string]string{path: "theirs", path + ".part": "mine"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
}

// replicaBinary builds the program.
func replicaBinary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "replica")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}
