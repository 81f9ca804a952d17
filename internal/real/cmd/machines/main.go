// Command machines runs the test machines for a developer, as root on Linux:
//
//	go run ./internal/real/cmd/machines up 3        # until Ctrl-C; prints how to log in
//	go run ./internal/real/cmd/machines ssh 1 CMD   # from another terminal
//	go run ./internal/real/cmd/machines prepare     # builds all servers for the tests in the cache
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func main() {
	if err := command(os.Args[1:]); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			os.Exit(exit.ExitCode())
		}
		fmt.Fprintln(os.Stderr, "machines:", err)
		os.Exit(1)
	}
}

func command(args []string) error {
	cache, err := real.CacheDir()
	if err != nil {
		return err
	}
	dir := filepath.Join(cache, "developer")
	if len(args) > 0 && args[0] == "up" {
		n := 3
		if len(args) > 1 {
			if n, err = strconv.Atoi(args[1]); err != nil {
				return err
			}
		}
		return up(dir, n)
	}
	if len(args) > 1 && args[0] == "ssh" {
		line, err := os.ReadFile(filepath.Join(dir, "pi"+args[1]+".ssh"))
		if err != nil {
			return fmt.Errorf("machine %s is not up: %w", args[1], err)
		}
		argv := append(strings.Fields(string(line)), args[2:]...)
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		return cmd.Run()
	}
	if len(args) == 1 && args[0] == "prepare" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return real.Prepare(ctx, func(s string) { fmt.Println(s) })
	}
	return errors.New("usage: machines up [N] | ssh I [COMMAND...] | prepare")
}

func up(dir string, n int) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	set, err := real.Boot(ctx, dir, n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, set.Close(), os.RemoveAll(dir)) }()
	var pins strings.Builder
	known := filepath.Join(dir, "known_hosts")
	for _, m := range set.Machines {
		fmt.Fprintln(&pins, m.KnownHosts())
		line := fmt.Sprintf("ssh -F none -i %s -o UserKnownHostsFile=%s %s@%s", m.KeyFile, known, m.User, m.Host)
		if err := os.WriteFile(filepath.Join(dir, m.Name+".ssh"), []byte(line+"\n"), 0o600); err != nil {
			return err
		}
		fmt.Printf("%s\t%s\t%s\n", m.Name, m.Disk, line)
	}
	if err := os.WriteFile(known, []byte(pins.String()), 0o600); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
