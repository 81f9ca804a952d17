package real

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// GiteaServer is a running Gitea with its own directory and its own database in the test's PostgreSQL: the
// binary is built without cgo, and so without SQLite. Registration is closed, Actions are enabled, and mirrors
// and webhooks may reach loopback. It has the server's API and pages, and no SSH.
type GiteaServer struct {
	URL      string // http://127.0.0.1:PORT, without a slash at the end
	Admin    string // a site administrator
	Password string // the administrator's, random
	Token    string // of the administrator, with all scopes
	Dir      string // contains everything

	bin, ini string
	proc     *process
}

// Gitea starts a Gitea of [GiteaVersion] for the duration of the test. settings are lines of app.ini that
// are added to its own, with their sections.
func Gitea(tb testing.TB, settings ...string) *GiteaServer {
	tb.Helper()
	bin, static := giteaProgram(tb)
	pg := Postgres(tb, 0)
	fail := func(err error) {
		if err != nil {
			tb.Helper()
			tb.Fatalf("gitea: %v", err)
		}
	}
	dir, err := os.MkdirTemp("", "lab-gitea-")
	fail(err)
	dismiss, err := removeAfterDeath(dir)
	fail(err)
	port, release, err := reservePort("127.0.0.1")
	fail(err)
	g := &GiteaServer{URL: "http://127.0.0.1:" + strconv.Itoa(port), Admin: "root-of-tests",
		Password: rand.Text(), Dir: dir, bin: bin, ini: filepath.Join(dir, "app.ini")}
	database := "gitea_" + strings.ToLower(rand.Text())
	fail(execSQL(tb.Context(), pg, "CREATE DATABASE "+database))
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of gitea:\n%s", g.Log())
		}
		err := g.Stop()
		dropped := execSQL(context.Background(), pg, "DROP DATABASE "+database+" WITH (FORCE)")
		if err := errors.Join(err, dropped, os.RemoveAll(dir)); err != nil {
			tb.Errorf("gitea: %v", err)
		}
		dismiss()
		release()
	})
	config := giteaConfig(g, static, port, pg, database)
	fail(os.WriteFile(g.ini, []byte(config+strings.Join(settings, "\n")+"\n"), 0o600))
	fail(g.Start(tb.Context()))
	out, err := g.Command(tb.Context(), "admin", "user", "create", "--admin", "--username", g.Admin,
		"--password", g.Password, "--email", g.Admin+"@example.com", "--must-change-password=false",
		"--access-token", "--access-token-scopes", "all")
	fail(err)
	_, token, _ := strings.Cut(out, "successfully created... ")
	if g.Token, _, _ = strings.Cut(token, "\n"); len(g.Token) != 40 {
		tb.Fatalf("gitea: no token in the answer of its command, of %d bytes", len(out))
	}
	return g
}

// giteaProgram returns the binary of Gitea, and the directory of its templates.
func giteaProgram(tb testing.TB) (binary, static string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Minute) // a cold build takes long
	defer cancel()
	if findBinary("git") == "" {
		Missing(tb, "git")
	}
	binary, err := goTool(ctx, "gitea", "code.gitea.io/gitea", "-X main.Version="+GiteaVersion)
	lacksTool(tb, "gitea", err)
	if err == nil {
		static, err = moduleDir(ctx, "gitea", "code.gitea.io/gitea")
	}
	if err != nil {
		tb.Fatalf("gitea: %v", err)
	}
	return binary, static
}

// execSQL runs a statement as the superuser.
func execSQL(ctx context.Context, pg *PG, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, pg.DSN("postgres"))
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, statement)
	return errors.Join(err, c.Close(ctx))
}

// giteaConfig returns the text of app.ini.
func giteaConfig(g *GiteaServer, static string, port int, pg *PG, database string) string {
	secret := func() string {
		var b [32]byte
		_, _ = rand.Read(b[:])
		return base64.RawURLEncoding.EncodeToString(b[:])
	}
	runAs := "root"
	if u, err := user.Current(); err == nil {
		runAs = u.Username
	}
	return strings.NewReplacer("@DIR@", g.Dir, "@STATIC@", static, "@URL@", g.URL, "@PORT@", strconv.Itoa(port),
		"@USER@", runAs, "@DATABASE@", database, "@PGADDRESS@", net.JoinHostPort(pg.Host, strconv.Itoa(pg.Port)),
		"@PGUSER@", pg.Superuser, "@PGPASSWORD@", pg.Password, "@KEY@", secret(), "@JWT@", secret()).Replace(giteaINI)
}

// giteaINI is app.ini, with @NAMES@ for what differs between servers.
//
//go:embed images/gitea.ini
var giteaINI string

// Start starts the server after [GiteaServer.Stop], on the same port and data.
func (g *GiteaServer) Start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(g.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := g.command("web")
	cmd.Stdout, cmd.Stderr = log, log
	if g.proc, err = start(cmd, syscall.SIGKILL); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return g.proc.until(ctx, "gitea answers at "+g.URL, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL+"/api/healthz", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	})
}

// Stop stops the server; its data is kept.
func (g *GiteaServer) Stop() error { return g.proc.stop(syscall.SIGTERM, 10*time.Second) }

// Log returns what the server has written to its log.
func (g *GiteaServer) Log() string {
	b, err := os.ReadFile(filepath.Join(g.Dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Command runs the program with arguments beside the server, such as admin user list, and returns what it
// prints.
func (g *GiteaServer) Command(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var out bytes.Buffer
	cmd := g.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := start(cmd, syscall.SIGKILL)
	if err != nil {
		return "", err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return "", errors.Join(context.Cause(ctx), p.stop(syscall.SIGKILL, 0))
	}
	if p.err != nil {
		return "", fmt.Errorf("gitea %s: %w\n%s", strings.Join(args[:min(3, len(args))], " "), p.err, out.Bytes())
	}
	return out.String(), nil
}

func (g *GiteaServer) command(args ...string) *exec.Cmd {
	cmd := serverCommand(nil, g.Dir, g.bin, append([]string{"--config", g.ini}, args...)...)
	cmd.Env = append(cmd.Env, "GITEA_WORK_DIR="+g.Dir, "GIT_CONFIG_NOSYSTEM=1")
	return cmd
}
