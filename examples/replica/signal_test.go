package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestSignals ends an extraction by a terminal that is closed and by a pipe that nobody reads any more:
// nothing of it is left.
func TestSignals(t *testing.T) {
	base := t.TempDir()
	tree, image := filepath.Join(base, "tree"), filepath.Join(base, "image")
	if err := os.Mkdir(tree, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 2000 { // their lines are more than a pipe holds, so that it is written to till the end
		if err := os.WriteFile(filepath.Join(tree, fmt.Sprint("file", i)), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mkfs := exec.Command("sh", "-c", `PATH=$PATH:/usr/sbin:/sbin; command -v debugfs && mkfs.ext4 -q -F -d "$0" "$1" 64M`,
		tree, image)
	if out, err := mkfs.CombinedOutput(); err != nil {
		real.Missing(t, "debugfs and mkfs.ext4 (e2fsprogs): "+string(out))
	}
	binary := replicaBinary(t)
	// A test under nohup ignores hangups, and so would the program, which inherits it. What is caught is not inherited.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	for name, c := range map[string]struct {
		end  func(p *os.Process, stdout *os.File)
		code int
	}{
		"hangup": {func(p *os.Process, _ *os.File) { p.Signal(syscall.SIGHUP) }, 130},
		"pipe":   {func(_ *os.Process, stdout *os.File) { stdout.Close() }, 141}, // as by SIGPIPE
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "out")
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			cmd := exec.Command(binary, "files", "--output", "json", "--no-mount", "-o", out, image)
			cmd.Stdout, cmd.Env = w, append(os.Environ(), "LAB_LOG=off")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			lines := bufio.NewReader(r)
			if _, err := lines.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			c.end(cmd.Process, r)
			for err := error(nil); err == nil; {
				_, err = lines.ReadString('\n')
			}
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exits with %d, %v", code, cmd.ProcessState)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}
