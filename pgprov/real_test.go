package pgprov_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/pgtest"
)

// majors are the versions that everything holds on.
var majors = []int{15, 16, 17, 18}

// suiteMajors are those that the whole suite runs on, the oldest and the newest: it takes minutes on each. What
// differs between versions has tests that run on all of them, as has the transcript that the fake is held to.
var suiteMajors = []int{15, 18}

func TestFake(t *testing.T) {
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			f := pgtest.New(t, pgtest.Config{Major: major})
			pgtest.Conformance(t, pgtest.Subject{
				Server: f.Access(), Major: major, Extension: "citext",
				Log:    func() string { return strings.Join(f.Log(), "\n") },
				Writes: func(testing.TB) int64 { return int64(f.Counters().Writes) },
			})
		})
	}
}

func TestReal(t *testing.T) {
	for _, major := range suiteMajors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			pg := startReal(t, real.PGOptions{Major: major})
			pgtest.Conformance(t, pgtest.Subject{
				Server: access(pg), Major: major, Extension: "citext", Log: pg.Log,
				Writes: func(tb testing.TB) int64 { return transactions(tb, pg) },
			})
		})
	}
}

// startReal starts a server that logs every statement and writes nothing by itself.
func startReal(t *testing.T, o real.PGOptions) *real.PG {
	t.Helper()
	settings := map[string]string{"log_statement": "all", "log_parameter_max_length": "-1", "autovacuum": "off"}
	for k, v := range o.Settings {
		settings[k] = v
	}
	o.Settings, o.Fetch = settings, true
	// PostgresWith shows the log when a test fails: here it holds every statement
	pg, err := real.StartPostgres(t.Context(), o)
	if errors.Is(err, real.ErrNoPostgres) {
		real.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pg.Close(); err != nil {
			t.Error(err)
		}
	})
	return pg
}

func access(pg *real.PG) pgprov.Server {
	return pgprov.Server{Host: pg.Host, Port: pg.Port, User: pg.Superuser, Password: lab.NewSecret(pg.Password)}
}

// transactions is the next transaction ID: a transaction gets one when it first writes.
func transactions(tb testing.TB, pg *real.PG) int64 {
	tb.Helper()
	c, err := pgconn.Connect(tb.Context(), pg.DSN("postgres"))
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close(tb.Context())
	r := c.ExecParams(tb.Context(), "SELECT pg_snapshot_xmax(pg_current_snapshot())", nil, nil, nil, nil).Read()
	if r.Err != nil {
		tb.Fatal(r.Err)
	}
	var n int64
	if _, err := fmt.Sscan(string(r.Rows[0][0]), &n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// TestFakeIsReal compares what the fake and PostgreSQL say to the same few hundred statements, and
// what is planned after them.
func TestFakeIsReal(t *testing.T) {
	for _, major := range majors {
		t.Run(strconv.Itoa(major), func(t *testing.T) {
			t.Parallel()
			pg := startReal(t, real.PGOptions{Major: major})
			want := pgtest.Transcript(t, pgtest.Subject{Server: access(pg), Major: major})
			got := pgtest.Transcript(t, pgtest.Subject{Server: pgtest.New(t, pgtest.Config{Major: major}).Access(),
				Major: major})
			for n := range min(len(got), len(want)) {
				if got[n] != want[n] {
					t.Errorf("the fake says\n%s\nand PostgreSQL\n%s", got[n], want[n])
				}
			}
			if len(got) != len(want) || len(got) < 50 {
				t.Errorf("%d and %d lines", len(got), len(want))
			}
		})
	}
}
