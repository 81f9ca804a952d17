package pgprov

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// Dump says where dumps are written, and which programs make them.
type Dump struct {
	Dir string // made with mode 0700 if it is missing. It must be given

	// Programs is the directory of pg_dump and pg_restore, at least as new as the server; empty means
	// that they are looked for in PATH.
	Programs string
}

func (d *Dump) validate() (ps lab.Problems) {
	if d != nil && d.Dir == "" {
		ps.Add("dump.dir", "empty")
	}
	return ps
}

// Dump dumps a database into a file of d.Dir, in pg_dump's custom format, and proves that the file
// can be restored from before it gives it its name: "webapp-20260102T030405Z.dump", mode 0600.
// pg_dump is connected through [Server.Boundary] to a session of ours that can only read; it gets
// no password. What a dump that was killed left of its file is removed by the next one into the same
// directory.
func (s *Server) Dump(ctx context.Context, database string, d Dump) (path string, err error) {
	ps := append(s.validate(), d.validate()...)
	ps = append(ps, validateName("database", database)...)
	if err := ps.Err(); err != nil {
		return "", &lab.Error{Op: "dump", Target: s.target(), Path: database, Err: err}
	}
	c := s.client()
	if err := c.learn(ctx); err != nil {
		return "", err
	}
	return d.database(ctx, c, database)
}

func (d *Dump) database(ctx context.Context, c *client, database string) (path string, err error) {
	defer func() {
		if err != nil && !errors.As(err, new(*lab.Error)) {
			err = &lab.Error{Op: "dump", Target: c.server.target(), Path: database, Err: err}
		}
	}()
	s, err := c.beside(ctx, database)
	if err != nil {
		return "", err
	}
	defer s.close()
	if err := checkProgram(ctx, d.Programs, "pg_dump", s.version/10000); err != nil {
		return "", err
	}
	answers, err := s.query(ctx, catalog.TablesQuery)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return "", err
	}
	name := strings.ReplaceAll(database, "/", "%2F") + "-" + time.Now().UTC().Format("20060102T150405Z") + ".dump"
	path = filepath.Join(d.Dir, name)
	partial := path + ".partial"
	f, err := partialDump(partial)
	if err != nil {
		return "", err
	}
	defer f.Close()
	defer os.Remove(partial)
	params := c.parameters(database)
	params["default_transaction_read_only"] = "on"
	err = c.runRelayed(ctx, relayed{database: database, params: params}, d.Programs, "pg_dump", "--no-password",
		"--format=custom", "--lock-wait-timeout=60000", "--file="+partial)
	if err != nil {
		return "", err
	}
	entries, err := readDump(ctx, d.Programs, partial)
	if err != nil {
		return "", err
	}
	data := 0
	for _, e := range entries {
		if e.kind == "TABLE DATA" {
			data++
		}
	}
	if data == 0 && len(answers[0]) > 0 {
		return "", kindf(lab.ErrDrift, "the database has %d tables, and the dump the data of none", len(answers[0]))
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	if err := os.Rename(partial, path); err != nil {
		return "", err
	}
	return path, syncDir(d.Dir)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readDump proves that a dump can be restored from: its table of contents is read, then all of its
// data, which is thrown away.
func readDump(ctx context.Context, programs, path string) ([]entry, error) {
	list, err := runProgram(ctx, programs, "pg_restore", nil, "--list", path)
	if err != nil {
		return nil, err
	}
	if _, err := runProgram(ctx, programs, "pg_restore", nil, "--file="+os.DevNull, path); err != nil {
		return nil, err
	}
	return parseTOC(list), nil
}

// runRelayed runs a program that talks to the server.
func (c *client) runRelayed(ctx context.Context, to relayed, programs, name string, args ...string) error {
	r, err := c.relay(ctx, to)
	if err != nil {
		return err
	}
	_, err = runProgram(ctx, programs, name, r.environment(), args...)
	return errors.Join(r.close(), err)
}

func programPath(programs, name string) (string, error) {
	if programs != "" {
		return filepath.Join(programs, name), nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", &lab.Error{Op: "find program", Path: name, Err: fmt.Errorf("%w in PATH", lab.ErrNotFound),
			Hint: "install the PostgreSQL client programs, or say where they are", Set: lab.Setting{Name: SettingPrograms}}
	}
	return filepath.Abs(path)
}

// runProgram runs one of PostgreSQL's programs with the environment given, and returns what it printed.
func runProgram(ctx context.Context, programs, name string, env []string, args ...string) (string, error) {
	path, err := programPath(programs, name)
	if err != nil {
		return "", err
	}
	if env == nil {
		env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &stdout, &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		said := strings.TrimSpace(stderr.String())
		if i := strings.LastIndex(said, "\n"); len(said) > 2000 && i > 0 {
			said = "..." + said[len(said)-2000:]
		}
		return "", &lab.Error{Op: "run " + name, Err: fmt.Errorf("%w: %s", err, said)}
	}
	return stdout.String(), nil
}

var programVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// checkProgram refuses a program that is older than the server.
func checkProgram(ctx context.Context, programs, name string, major int) error {
	out, err := runProgram(ctx, programs, name, nil, "--version")
	if err != nil {
		return err
	}
	m := programVersion.FindStringSubmatch(out)
	if m == nil {
		return &lab.Error{Op: "run " + name, Err: kindf(lab.ErrInvalid, "not a version: %q", strings.TrimSpace(out))}
	}
	if v, _ := strconv.Atoi(m[1]); v < major {
		return &lab.Error{Op: "run " + name,
			Hint: fmt.Sprintf("install the programs of PostgreSQL %d, or say where they are", major),
			Set:  lab.Setting{Name: SettingPrograms},
			Err:  kindf(lab.ErrRefused, "version %d is older than the server, %d", v, major)}
	}
	return nil
}
