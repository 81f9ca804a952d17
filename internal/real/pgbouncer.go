package real

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// PgBouncerOptions is the configuration of a test's PgBouncer.
type PgBouncerOptions struct {
	// Config is the text of pgbouncer.ini. Where it listens and logs, and
	// UserList's place, are set after it.
	Config string
	// UserList is the text of the auth_file: lines of "role" "password or
	// hash". Empty leaves auth_file to Config.
	UserList string
}

// PgBouncerServer is a running PgBouncer.
type PgBouncerServer struct {
	Host string // 127.0.0.1
	Port int
	Dir  string // with pgbouncer.ini, userlist.txt and the Unix socket

	bin  string
	as   *syscall.Credential
	proc *process
}

// PgBouncer starts a PgBouncer for as long as the test runs.
func PgBouncer(tb testing.TB, o PgBouncerOptions) *PgBouncerServer {
	tb.Helper()
	bin := findBinary("pgbouncer", "/usr/sbin", "/opt/homebrew/bin", "/usr/local/bin")
	if bin == "" {
		Missing(tb, "pgbouncer")
	}
	as, err := serverUser()
	if err != nil {
		tb.Fatalf("pgbouncer: %v", err)
	}
	dir, err := serverDir("lab-pgb-", as)
	if err != nil {
		tb.Fatalf("pgbouncer: %v", err)
	}
	b := &PgBouncerServer{Host: "127.0.0.1", Dir: dir, bin: bin, as: as}
	dismiss, err := removeAfterDeath(dir)
	if err != nil {
		tb.Fatalf("pgbouncer: %v", err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("pgbouncer's log:\n%s", b.Log())
		}
		if err := b.Stop(); err != nil {
			tb.Errorf("pgbouncer: %v", err)
		}
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("pgbouncer: %v", err)
		}
		dismiss()
	})
	if b.Port, err = freePort(); err != nil {
		tb.Fatalf("pgbouncer: %v", err)
	}
	if err := b.Configure(o); err != nil {
		tb.Fatalf("pgbouncer: %v", err)
	}
	if err := b.Start(tb.Context()); err != nil {
		tb.Fatalf("pgbouncer: %v", err)
	}
	return b
}

// Configure writes another configuration; Stop and Start, or a RELOAD on its
// console, bring it into effect.
func (b *PgBouncerServer) Configure(o PgBouncerOptions) error {
	own := fmt.Sprintf("[pgbouncer]\nlisten_addr = %s\nlisten_port = %d\nunix_socket_dir = %s\nlogfile = %s\npidfile =\n",
		b.Host, b.Port, b.Dir, b.logFile())
	if o.UserList != "" {
		list := filepath.Join(b.Dir, "userlist.txt")
		if err := writeServerFile(list, o.UserList, b.as); err != nil {
			return err
		}
		own += "auth_file = " + list + "\n"
	}
	// Of a key that is given twice, PgBouncer takes the later value.
	return writeServerFile(b.iniFile(), strings.TrimRight(o.Config, "\n")+"\n\n"+own, b.as)
}

// Start starts the server after [PgBouncerServer.Stop], on the same port.
func (b *PgBouncerServer) Start(ctx context.Context) error {
	p, err := start(serverCommand(b.as, b.Dir, b.bin, "--quiet", b.iniFile()), syscall.SIGKILL)
	if err != nil {
		return err
	}
	b.proc = p
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err = p.until(ctx, fmt.Sprintf("pgbouncer listens at port %d", b.Port), func() error {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(b.Host, strconv.Itoa(b.Port)), time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, b.Log())
	}
	return nil
}

// Stop ends the server at once.
func (b *PgBouncerServer) Stop() error { return b.proc.stop(syscall.SIGTERM, 5*time.Second) }

// Log is what the server has logged so far.
func (b *PgBouncerServer) Log() string {
	log, err := os.ReadFile(b.logFile())
	if err != nil {
		return err.Error()
	}
	return string(log)
}

func (b *PgBouncerServer) logFile() string { return filepath.Join(b.Dir, "log") }
func (b *PgBouncerServer) iniFile() string { return filepath.Join(b.Dir, "pgbouncer.ini") }
