package real

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RunnerOptions is how a runner of Gitea Actions is registered.
type RunnerOptions struct {
	URL   string   // of the server
	Token string   // a registration token
	Name  string   // on the server
	Env   []string // NAME=VALUE that jobs see beside PATH
}

// RunnerServer is a running runner of Gitea Actions in host mode: its jobs are processes on this machine, as the
// user of the test. It has one label, "host".
type RunnerServer struct {
	Dir string // contains everything; the runner's credentials are in its file .runner

	bin  string
	proc *process
}

// Runner registers a runner of [RunnerVersion] and runs it for the duration of the test.
func Runner(tb testing.TB, o RunnerOptions) *RunnerServer {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Minute) // a cold build takes minutes
	defer cancel()
	bin, err := goTool(ctx, "runner", "gitea.com/gitea/runner",
		"-X gitea.com/gitea/runner/internal/pkg/ver.version=v"+RunnerVersion)
	lacksTool(tb, "gitea's runner", err)
	fail := func(err error) {
		if err != nil {
			tb.Helper()
			tb.Fatalf("runner: %v", err)
		}
	}
	fail(err)
	dir, err := os.MkdirTemp("", "lab-runner-")
	fail(err)
	dismiss, err := removeAfterDeath(dir)
	fail(err)
	r := &RunnerServer{Dir: dir, bin: bin}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of the runner:\n%s", r.Log())
		}
		if err := errors.Join(r.Stop(), os.RemoveAll(dir)); err != nil {
			tb.Errorf("runner: %v", err)
		}
		dismiss()
	})
	fail(os.WriteFile(filepath.Join(dir, "env"), []byte(strings.Join(o.Env, "\n")+"\n"), 0o600))
	fail(os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(strings.ReplaceAll(runnerConfig, "@DIR@", dir)), 0o600))
	register, err := r.start("register", "--no-interactive", "--instance", o.URL, "--token", o.Token, "--name", o.Name,
		"--labels", "host:host")
	fail(err)
	select {
	case <-register.done:
		fail(register.err)
	case <-ctx.Done():
		fail(errors.Join(fmt.Errorf("register: %w", context.Cause(ctx)), register.stop(syscall.SIGKILL, 0)))
	}
	fail(r.Start(tb.Context()))
	return r
}

// runnerConfig makes the runner ask for work often, and keep all that it writes in its directory.
const runnerConfig = `
runner:
  file: @DIR@/.runner
  env_file: @DIR@/env
  capacity: 1
  timeout: 5m
  fetch_interval: 200ms
  fetch_interval_max: 200ms
  log_report_interval: 500ms
  log_report_max_latency: 200ms
  state_report_interval: 500ms
  labels: ["host:host"]
cache:
  enabled: false
host:
  workdir_parent: @DIR@/work
`

// Start starts the runner after [RunnerServer.Stop], as it is registered.
func (r *RunnerServer) Start(ctx context.Context) (err error) {
	if r.proc, err = r.start("daemon"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return r.proc.until(ctx, "the runner has declared itself", func() error {
		if !strings.Contains(r.Log(), "declare successfully") {
			return errors.New("not yet")
		}
		return nil
	})
}

// Stop stops the runner, which stays registered.
func (r *RunnerServer) Stop() error { return r.proc.stop(syscall.SIGTERM, 10*time.Second) }

// Log returns what the runner has written to its log.
func (r *RunnerServer) Log() string {
	b, err := os.ReadFile(filepath.Join(r.Dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(bytes.ToValidUTF8(b, []byte("?")))
}

func (r *RunnerServer) start(args ...string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(r.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := serverCommand(nil, r.Dir, r.bin, append([]string{"--config", filepath.Join(r.Dir, "config.yaml")}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	return start(cmd, syscall.SIGKILL)
}
