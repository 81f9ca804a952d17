package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
)

// postgresServer is a PostgreSQL server of this machine that runs for the sandbox: on a socket in a
// directory of its own, and with what it holds in no order that would survive a power cut.
type postgresServer struct {
	major    int
	dir      string
	password lab.Secret
	as       *syscall.Credential // whom it runs as; nil means who runs this program

	run   *exec.Cmd
	ended chan error // of run
	watch *exec.Cmd
	hold  io.WriteCloser // the watch's standard input
}

// startPostgres starts the newest PostgreSQL server that is installed. The error is a
// [lab.ErrNotFound] when none is.
func startPostgres(ctx context.Context) (*postgresServer, error) {
	bin, major := findPostgres(ctx)
	if bin == "" {
		return nil, fmt.Errorf("%w: no PostgreSQL server is installed", lab.ErrNotFound)
	}
	as, err := serverUser()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "lab-pg-") // short: the path of a socket has 104 bytes at most
	if err != nil {
		return nil, err
	}
	p := &postgresServer{major: major, dir: dir, password: lab.NewSecret(rand.Text()), as: as}
	if err := p.start(ctx, bin); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

var postgresVersion = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

// findPostgres returns the directory with the programs of the newest server, of those in PATH and
// where Debian, Homebrew and Postgres.app put them, that the apps' databases can be on.
func findPostgres(ctx context.Context) (bin string, major int) {
	places := append(filepath.SplitList(os.Getenv("PATH")), "/usr/lib/postgresql/*/bin",
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin")
	for _, place := range places {
		found, _ := filepath.Glob(filepath.Join(place, "postgres")) // a PATH that is no pattern has none
		for _, program := range found {
			program, err := filepath.EvalSymlinks(program) // initdb and the libraries are beside the program itself
			if err != nil {
				continue
			}
			out, err := exec.CommandContext(ctx, program, "--version").Output()
			m := postgresVersion.FindStringSubmatch(string(out))
			if _, missing := os.Stat(filepath.Join(filepath.Dir(program), "initdb")); err != nil || missing != nil ||
				m == nil {
				continue
			}
			if n, err := strconv.Atoi(m[1]); err == nil && n >= 15 && n > major {
				bin, major = filepath.Dir(program), n
			}
		}
	}
	return bin, major
}

// serverUser returns whom the server runs as: PostgreSQL refuses root.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
	}
	return nil, fmt.Errorf("%w: no user postgres or nobody to run the server as", lab.ErrBlocked)
}

// command returns a command of the server's user that Ctrl-C does not reach: it is ended in its turn.
func (p *postgresServer) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = p.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "LC_ALL=C", "TZ=UTC"}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.as}
	return c
}

// start makes a cluster and starts a server on it. What it has begun when it fails, close ends.
func (p *postgresServer) start(ctx context.Context, bin string) error {
	pwfile, data := filepath.Join(p.dir, "password"), filepath.Join(p.dir, "data")
	if err := os.WriteFile(pwfile, []byte(p.password.Reveal()+"\n"), 0o600); err != nil {
		return err
	}
	if p.as != nil {
		if err := errors.Join(os.Chown(p.dir, int(p.as.Uid), int(p.as.Gid)),
			os.Chown(pwfile, int(p.as.Uid), int(p.as.Gid))); err != nil {
			return err
		}
	}
	initdb := p.command(filepath.Join(bin, "initdb"), "--pgdata="+data, "--username=postgres", "--pwfile="+pwfile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, strings.TrimSpace(string(out)))
	}
	log, err := os.Create(filepath.Join(p.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close() // the server has it
	args := []string{"-D", data}
	for _, setting := range []string{"listen_addresses=", "unix_socket_directories=" + p.dir, "fsync=off",
		"full_page_writes=off",
		"synchronous_commit=off", "jit=off", "max_connections=200"} {
		args = append(args, "-c", setting)
	}
	p.run = p.command(filepath.Join(bin, "postgres"), args...)
	p.run.Stdout, p.run.Stderr = log, log
	if err := p.run.Start(); err != nil {
		return err
	}
	p.ended = make(chan error, 1)
	go func() { p.ended <- p.run.Wait() }()
	if err := p.guard(); err != nil {
		return err
	}
	return lab.Wait(ctx, lab.Poll{What: "PostgreSQL to start", First: 20 * time.Millisecond, Timeout: time.Minute},
		p.ready)
}

// guard has a shell end the server and remove its directory when this program ends without doing
// so, however it does: the pipe that the shell reads ends with it.
func (p *postgresServer) guard() error {
	const script = `read -r word && exit 0
kill -INT "$1"; while kill -0 "$1" 2>/dev/null; do sleep 1; done; rm -rf -- "$2"`
	watch := exec.Command("/bin/sh", "-c", script, "sh", strconv.Itoa(p.run.Process.Pid), p.dir)
	watch.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	hold, err := watch.StdinPipe()
	if err == nil {
		err = watch.Start()
	}
	if err == nil {
		p.watch, p.hold = watch, hold
	}
	return err
}

// ready reports whether the server answers. The eighth line of its lock file is its state, as
// pg_ctl reads it.
func (p *postgresServer) ready(context.Context) (bool, error) {
	select {
	case err := <-p.ended:
		p.ended <- err // for close
		said, _ := os.ReadFile(filepath.Join(p.dir, "log"))
		return false, fmt.Errorf("the server ended: %v: %s", err, strings.TrimSpace(string(said)))
	default:
	}
	b, _ := os.ReadFile(filepath.Join(p.dir, "data", "postmaster.pid")) // not there yet
	lines := strings.Split(string(b), "\n")
	return len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready", nil
}

// server returns how the server is reached: by its socket alone.
func (p *postgresServer) server() pgprov.Server {
	b := &lab.Boundary{Name: sandboxName, Unix: []string{p.dir + "/"}}
	return pgprov.Server{Host: p.dir, Password: p.password, Boundary: b}
}

// close ends the server and removes what it held.
func (p *postgresServer) close() error {
	var errs []error
	if p.watch != nil { // before the server ends: its number may then be another's
		_, err := io.WriteString(p.hold, "ended\n")
		errs = append(errs, err, p.hold.Close(), p.watch.Wait())
	}
	if p.run != nil && p.run.Process != nil {
		errs = append(errs, p.run.Process.Signal(syscall.SIGINT)) // connections are cut, and it shuts down
		select {
		case <-p.ended:
		case <-time.After(time.Minute):
			errs = append(errs, p.run.Process.Kill())
			<-p.ended
		}
	}
	return errors.Join(append(errs, os.RemoveAll(p.dir))...)
}
