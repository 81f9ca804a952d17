package pgprov

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
	"github.com/jackc/pgx/v5/pgconn"
)

// session is a connection to one database. It is not safe for concurrent use.
type session struct {
	client   *client
	database string
	conn     *pgconn.PgConn
	version  int           // server_version_num
	slot     chan struct{} // to give back when it ends; nil when it has none

	record func(sql []string) // takes the statements in the place of the server; nil: they are run
}

// close ends the session, and gives back its slot.
func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = s.conn.Close(ctx)
	select {
	case <-s.conn.CleanupDone(): // one that was cancelled is closed behind our back
	case <-ctx.Done():
	}
	if s.slot != nil {
		<-s.slot
	}
}

// query is a query with parameters, each an array of names.
type query struct {
	sql   string
	names [][]string
}

// ask sends all queries at once and returns their rows.
func (s *session) ask(ctx context.Context, queries ...query) ([][][][]byte, error) {
	b := &pgconn.Batch{}
	for _, q := range queries {
		var values [][]byte
		for _, names := range q.names {
			values = append(values, textArray(names))
		}
		b.ExecParams(q.sql, values, nil, nil, nil)
	}
	return s.results(ctx, s.conn.ExecBatch(ctx, b))
}

// query sends statements without parameters, separated by semicolons, at once and returns their rows;
// with an error, those of the statements before the one that failed.
func (s *session) query(ctx context.Context, sql ...string) ([][][][]byte, error) {
	if s.record != nil {
		s.record(sql)
		return nil, nil
	}
	return s.results(ctx, s.conn.Exec(ctx, strings.Join(sql, ";\n")))
}

func (s *session) results(ctx context.Context, r *pgconn.MultiResultReader) ([][][][]byte, error) {
	if s.client.server.Counters != nil {
		s.client.server.Counters.RoundTrips.Add(1)
	}
	results, err := r.ReadAll()
	out := make([][][][]byte, len(results))
	for i, r := range results {
		out[i] = r.Rows
	}
	if err == nil {
		return out, nil
	}
	if n := len(results); n > 0 && results[n-1].Err != nil {
		out = out[:n-1] // it is the one that failed
	}
	if s.conn.IsClosed() && !errors.As(err, new(*pgconn.PgError)) {
		// pgx says of the error of a request that was sent that it is safe to retry, so it is
		// not wrapped
		err = kindf(lab.ErrUnreachable, "the connection was lost: %v", err)
	}
	return out, s.client.fail(ctx, "query", s.database, err)
}

// exec runs one statement that returns nothing.
func (s *session) exec(ctx context.Context, sql string) error {
	_, err := s.query(ctx, sql)
	return err
}

// rows reads the rows of one query.
func rows[T any](in [][][]byte) ([]T, error) {
	out := make([]T, len(in))
	for i, row := range in {
		if err := catalog.Decode(row, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// textArray writes names as PostgreSQL reads a text[].
func textArray(names []string) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, n := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		for _, c := range []byte(n) {
			if c == '"' || c == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		}
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.Bytes()
}

// versionNumber turns "17.10 (Debian 17.10-1)" into 170010, and "19beta1" into 190000.
func versionNumber(s string) int {
	var major, minor int
	if n, _ := fmt.Sscanf(s, "%d.%d", &major, &minor); n == 0 {
		_, _ = fmt.Sscanf(s, "%d", &major)
	}
	return major*10000 + minor
}
