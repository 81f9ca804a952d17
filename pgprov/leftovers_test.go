package pgprov_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
)

// hangingDump is a pg_dump that says that it has begun, and does not end.
const hangingDump = `#!/bin/sh
case $1 in --version) echo 'pg_dump (PostgreSQL) 99.0'; exit;; esac
for a; do case $a in --file=*) echo half > "${a#--file=}";; esac; done
echo $$ > "$(dirname "$0")/begun.tmp" && mv "$(dirname "$0")/begun.tmp" "$(dirname "$0")/begun"
exec sleep 600
`

// TestMain makes the process that TestKilledDump starts one that dumps a database.
func TestMain(m *testing.M) {
	dsn := os.Getenv("PGPROV_TEST_DUMP_DSN")
	if dsn == "" {
		os.Exit(m.Run())
	}
	s, err := pgprov.ParseDSN(dsn)
	if err == nil {
		_, err = s.Dump(context.Background(), "postgres", pgprov.Dump{Dir: os.Getenv("PGPROV_TEST_DUMP_DIR"),
			Programs: os.Getenv("PGPROV_TEST_DUMP_PROGRAMS")})
	}
	fmt.Fprintln(os.Stderr, "it ended:", err)
	os.Exit(1)
}

// TestKilledDump kills a dump twice: the next run, whatever it is for, finds what it left and removes
// it, and nothing of a run that lives or of somebody else.
func TestKilledDump(t *testing.T) {
	pg := dumpable(t)
	temp, dir, programs := t.TempDir(), t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	if err := os.WriteFile(filepath.Join(programs, "pg_dump"), []byte(hangingDump), 0o700); err != nil {
		t.Fatal(err)
	}
	start := func() (kill func()) {
		t.Helper()
		begun := filepath.Join(programs, "begun")
		if err := os.RemoveAll(begun); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "PGPROV_TEST_DUMP_DSN="+pg.DSN("postgres"), "PGPROV_TEST_DUMP_DIR="+dir,
			"PGPROV_TEST_DUMP_PROGRAMS="+programs)
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		var pid int
		for pid == 0 {
			select {
			case err := <-done:
				t.Fatalf("%v\n%s", err, out.String())
			case <-time.After(time.Millisecond):
			}
			text, err := os.ReadFile(begun)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return func() {
			_ = cmd.Process.Kill()
			_ = syscall.Kill(pid, syscall.SIGKILL) // the program that it started is nobody's now
			<-done
		}
	}
	left := func() (names []string) {
		for _, glob := range []string{filepath.Join(temp, "pgprov-*"), filepath.Join(dir, "*.partial")} {
			found, err := filepath.Glob(glob)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, found...)
		}
		return names
	}
	start()()
	if n := len(left()); n != 2 {
		t.Fatalf("a killed dump left %d things: the test proves nothing", n)
	}
	theirs := filepath.Join(dir, "mine.dump.partial")
	link := filepath.Join(temp, "pgprov-1")
	if err := errors.Join(os.WriteFile(theirs, nil, 0o600), os.Symlink(dir, link)); err != nil {
		t.Fatal(err)
	}
	kill := start() // it removes what the first left, and lives
	s := access(pg)
	for _, verb := range []func() error{
		func() error { _, err := s.Plan(t.Context(), pgprov.Spec{AllowPG15: true}); return err },
		func() error { _, err := s.Sweep(t.Context(), pgprov.SweepSpec{}); return err },
		func() error {
			_, err := s.Drop(t.Context(), pgprov.DropSpec{Instances: []lab.Instance{lab.App("no").In("")}})
			return err
		},
	} {
		if err := verb(); err != nil {
			t.Error(err)
		}
		if names := left(); len(names) != 4 { // two of the run that lives, and those that are not ours
			t.Errorf("there are %q", names)
		}
	}
	kill()
	if _, err := s.Plan(t.Context(), pgprov.Spec{AllowPG15: true}); err != nil {
		t.Error(err)
	}
	if _, err := s.Dump(t.Context(), "postgres", pgprov.Dump{Dir: dir}); err != nil {
		t.Error(err)
	}
	if names := left(); strings.Join(names, " ") != link+" "+theirs {
		t.Errorf("left behind: %q", names)
	}
}
