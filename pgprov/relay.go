package pgprov

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/login"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// relay lets PostgreSQL's own programs reach the server through our dialer and our login: they are
// given a socket in a private directory, and no password at all.
type relay struct {
	client *client
	relayed

	dir      *tempDir
	listener net.Listener
	done     sync.WaitGroup
	mu       sync.Mutex
	err      error // of the first connection that could not be made
}

// relayed says what every connection of a relay is.
type relayed struct {
	database string
	params   map[string]string // of the session
	prelude  string            // run before the connection is handed over; empty: nothing
}

const relayPort = "5432"

// relay begins to listen. It must be closed.
func (c *client) relay(ctx context.Context, to relayed) (*relay, error) {
	dir, err := newTempDir() // nobody but us reaches the socket
	if err != nil {
		return nil, err
	}
	r := &relay{client: c, relayed: to, dir: dir}
	if r.listener, err = net.Listen("unix", filepath.Join(dir.path, ".s.PGSQL."+relayPort)); err != nil {
		return nil, errors.Join(err, dir.remove())
	}
	r.done.Go(func() {
		for {
			local, err := r.listener.Accept()
			if err != nil {
				return
			}
			r.done.Go(func() {
				defer local.Close()
				if err := r.serve(ctx, local); err != nil {
					r.mu.Lock()
					r.err = errors.Join(r.err, err)
					r.mu.Unlock()
				}
			})
		}
	})
	return r, nil
}

// environment is that of a program that uses the relay: nothing of ours, and nothing ambient.
func (r *relay) environment() []string {
	return []string{
		"PGHOST=" + r.dir.path, "PGPORT=" + relayPort, "PGUSER=" + r.client.server.user(), "PGDATABASE=" + r.database,
		"PGSSLMODE=disable", "PGGSSENCMODE=disable", "PGPASSFILE=/dev/null", "PGSERVICEFILE=/dev/null",
		"PGSYSCONFDIR=/nonexistent", "PGAPPNAME=pgprov", "HOME=/nonexistent", "LC_ALL=C", "PATH=/usr/bin:/bin",
	}
}

// close ends what is still connected, and returns why a connection could not be made.
func (r *relay) close() error {
	r.listener.Close()
	r.done.Wait()
	return errors.Join(r.err, r.dir.remove())
}

func (r *relay) serve(ctx context.Context, local net.Conn) error {
	stop := context.AfterFunc(ctx, func() { local.Close() })
	defer stop()
	if err := login.AwaitStartup(local); err != nil {
		return nil // it came only to cancel, or went away
	}
	h, err := r.client.logIn(ctx, r.database, r.params)
	if err != nil {
		return err
	}
	defer h.Conn.Close()
	status := h.TxStatus
	if r.prelude != "" {
		f := pgproto3.NewFrontend(h.Conn, h.Conn)
		f.Send(&pgproto3.Query{String: r.prelude})
		if err := f.Flush(); err != nil {
			return err
		}
		for ready := false; !ready; {
			m, err := f.Receive()
			if err != nil {
				return err
			}
			switch m := m.(type) {
			case *pgproto3.ErrorResponse:
				return r.client.fail(ctx, "prepare", r.database, pgconn.ErrorResponseToPgError(m))
			case *pgproto3.ReadyForQuery:
				status, ready = m.TxStatus, true
			}
		}
	}
	if err := login.Welcome(local, h, status); err != nil {
		return err
	}
	up := make(chan struct{})
	go func() {
		_, _ = io.Copy(h.Conn, local)
		h.Conn.Close()
		close(up)
	}()
	_, _ = io.Copy(local, h.Conn)
	local.Close()
	<-up
	return nil
}
