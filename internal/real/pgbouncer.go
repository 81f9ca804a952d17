package real

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// PgBouncerOptions is the configuration of a test's PgBouncer.
type PgBouncerOptions struct {
	// Config is the text of pgbouncer.ini, with at most one section [pgbouncer].
	// The settings for the listener, the log and UserList are added at the end of
	// that section.
	Config string
	// UserList is the text of the auth_file: lines of "role" "password or hash".
	// Empty means that Config sets auth_file.
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

// PgBouncer starts a PgBouncer for the duration of the test.
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
	port, release, err := reservePort(b.Host)
	if err != nil {
		tb.Fatalf("pgbouncer: %v", err)
	}
	b.Port = port
	dismiss, err := removeAfterDeath(dir)
	if err != nil {
		tb.Fatalf("pgbouncer: %v", err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of pgbouncer:\n%s", b.Log())
		}
		if err := b.Stop(); err != nil {
			tb.Errorf("pgbouncer: %v", err)
		}
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("pgbouncer: %v", err)
		}
		dismiss()
		release()
	})
	if err := b.Configure(o); err != nil {
		tb.Fatalf("pgbouncer: %v", err)
	}
	if err := b.Start(tb.Context()); err != nil {
		tb.Fatalf("pgbouncer: %v", err)
	}
	return b
}

// Configure writes a new configuration. It takes effect after Stop and Start, or
// after a RELOAD on the console.
func (b *PgBouncerServer) Configure(o PgBouncerOptions) error {
	own := []string{
		"listen_addr = " + b.Host, "listen_port = " + strconv.Itoa(b.Port), "unix_socket_dir = " + b.Dir,
		"logfile = " + b.logFile(), "pidfile =",
	}
	if o.UserList != "" {
		list := filepath.Join(b.Dir, "userlist.txt")
		if err := writeServerFile(list, o.UserList, b.as); err != nil {
			return err
		}
		own = append(own, "auth_file = "+list)
	}
	return writeServerFile(b.iniFile(), poolerINI(o.Config, own), b.as)
}

// poolerINI returns the text of pgbouncer.ini with own settings at the end of its
// section [pgbouncer], or in a new section if there is none. If a key is given
// twice, PgBouncer uses the later value; but when a section begins again,
// PgBouncer resets it to its defaults.
func poolerINI(text string, own []string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	header := func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "[") }
	at := slices.IndexFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "[pgbouncer]" })
	if at < 0 {
		return strings.Join(slices.Concat(lines, []string{"[pgbouncer]"}, own), "\n") + "\n"
	}
	end := len(lines)
	if n := slices.IndexFunc(lines[at+1:], header); n >= 0 {
		end = at + 1 + n
	}
	return strings.Join(slices.Insert(lines, end, own...), "\n") + "\n"
}

// Start starts the server after [PgBouncerServer.Stop], on the same port.
func (b *PgBouncerServer) Start(ctx context.Context) error {
	p, err := start(serverCommand(b.as, b.Dir, b.bin, "--quiet", b.iniFile()), syscall.SIGKILL)
	if err != nil {
		return err
	}
	b.proc = p
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	err = p.until(ctx, fmt.Sprintf("pgbouncer listens on port %d", b.Port), func() error {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(b.Host, strconv.Itoa(b.Port)), time.Minute)
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

// Stop stops the server immediately.
func (b *PgBouncerServer) Stop() error { return b.proc.stop(syscall.SIGTERM, 5*time.Second) }

// Log returns what the server has logged so far.
func (b *PgBouncerServer) Log() string {
	log, err := os.ReadFile(b.logFile())
	if err != nil {
		return err.Error()
	}
	return string(log)
}

func (b *PgBouncerServer) logFile() string { return filepath.Join(b.Dir, "log") }
func (b *PgBouncerServer) iniFile() string { return filepath.Join(b.Dir, "pgbouncer.ini") }
