// Command stack deploys a directory with a compose.yaml to a machine, and keeps it as it is written.
//
//	stack lock  --host pi@192.0.2.12 [flags] DIR   write compose.lock.yaml: which image each name stands for today
//	stack plan  --host pi@192.0.2.12 [flags] DIR   show what would be done; exit 2 when there is something
//	stack apply --host pi@192.0.2.12 [flags] DIR   do it
//	stack logs  --host pi@192.0.2.12 [flags] DIR   show the last lines of what the services printed
//	stack down  --host pi@192.0.2.12 [flags] DIR   remove its containers and networks; with --volumes, and --confirm of each, its volumes too
//
// DIR is read as docker compose reads it, with its override file and its .env; what is taken as it is
// there and may not have been meant is a warning on the standard error. Only the machine
// that --host names is reached, and the jumps that --jump names; images are pulled by the machine.
// Nothing is taken from the environment but what a flag names. Exit codes: 0 done or nothing to do,
// 2 changes pending, 3 blocked, 4 refused, 1 error, 130 interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/login"
)

func main() { cli.Main(program()) }

// program is the command tree.
func program() *cobra.Command {
	root := &cobra.Command{Use: "stack", Short: "deploy a directory with a compose.yaml to a machine",
		Long: `Deploy a directory with a compose.yaml to a machine, and keep it as it is
written.

DIR is read as docker compose reads it, with its override file and its .env;
what is taken as it is there and may not have been meant is a warning on the
standard error. Only the machine that --host names is reached, and the jumps
that --jump names; images are pulled by the machine. Nothing is taken from the
environment but what a flag names.

` + cli.ExitCodes}
	root.AddCommand(lockCommand(), planCommand(), applyCommand(), logsCommand(), downCommand())
	return root
}

// command returns a command about a stack, with the flags that all of them have.
func command(verb, short string, do func(*call, context.Context, compose.Source) error) (*cobra.Command, *call) {
	c := &call{}
	cmd := &cobra.Command{Use: verb + " --host USER@ADDR[:PORT] [flags] DIR", Short: short, Args: cli.Words(1, 1),
		RunE: func(cmd *cobra.Command, words []string) (err error) {
			c.dir, c.stdout, c.stderr = words[0], cmd.OutOrStdout(), cmd.ErrOrStderr()
			c.terminal = cli.TerminalOf(cmd)
			if c.out, err = cli.PrinterOf(cmd, say); err != nil {
				return err
			}
			return c.run(cmd.Context(), do)
		}}
	flags := cmd.Flags()
	c.login.Flags(flags)
	cli.Require(cmd, "host")
	flags.StringVar(&c.name, "name", "", "the project's `name`; without it, the one in .env, that in the compose.yaml, or that of DIR")
	flags.StringVar(&c.file, "file", "", "the compose `file` in DIR; without it, those that .env names, or the one that "+
		"docker compose finds, and its override file")
	flags.StringArrayVar(&c.variables, "var", nil, "what ${NAME} in the compose.yaml stands for, `NAME=VALUE`, before "+
		"DIR/.env; VALUE may be empty (may be repeated)")
	flags.StringArrayVar(&c.profiles, "profile", nil,
		"a `profile` whose services are deployed too (may be repeated)")
	flags.StringArrayVar(&c.secrets, "secret", nil, "where the value of a secret of the compose.yaml is, "+
		"`NAME=file:PATH or NAME=env:VARIABLE` (may be repeated)")
	flags.StringArrayVar(&c.plain, "plain", nil, "what looks like a secret and is none: a variable of a service, "+
		"`SERVICE.NAME`, its SERVICE.command, a variable of .env, NAME, or secrets.NAME (may be repeated)")
	return cmd, c
}

func lockCommand() *cobra.Command {
	cmd, _ := command("lock", "write compose.lock.yaml: which image each name stands for today", (*call).lock)
	return cmd
}

func planCommand() *cobra.Command {
	cmd, c := command("plan", "show what would be done; exit with 2 if there are changes", (*call).up)
	c.timeoutFlag(cmd)
	return cmd
}

func applyCommand() *cobra.Command {
	cmd, c := command("apply", "make the changes", (*call).up)
	c.timeoutFlag(cmd)
	c.request.Apply = true
	c.request.Flags(cmd)
	return cmd
}

func logsCommand() *cobra.Command {
	cmd, c := command("logs", "show the last lines of what the services printed", (*call).logs)
	cmd.Flags().IntVar(&c.tail, "tail", 50, "how many `lines` of each service")
	return cmd
}

func downCommand() *cobra.Command {
	cmd, c := command("down", "remove its containers and networks, and its volumes if asked to", (*call).down)
	cmd.Flags().BoolVar(&c.volumes, "volumes", false, "remove the volumes too; each needs --confirm")
	c.request.Apply = true
	c.request.Flags(cmd)
	return cmd
}

// call is a call of the program.
type call struct {
	dir, name, file string
	login           login.Login
	variables       []string
	profiles        []string
	secrets, plain  []string
	volumes         bool
	tail            int
	timeout         time.Duration
	request         cli.Request
	out             *cli.Printer
	terminal        *cli.Terminal // nil when there is none
	stdout, stderr  io.Writer
	machine         *host.Machine
}

func (c *call) timeoutFlag(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&c.timeout, "timeout", 3*time.Minute, "how long each service may take to get healthy")
}

// run does what the command is for, with the machine and what the command line names.
func (c *call) run(ctx context.Context, do func(*call, context.Context, compose.Source) error) error {
	target, err := c.login.Target(ctx, c.terminal)
	if err != nil {
		return err
	}
	c.machine = &host.Machine{Target: target, Events: c.out.Event}
	defer c.machine.Close() // nothing is left to be said on it
	source, err := c.source()
	if err != nil {
		return err
	}
	return do(c, ctx, source)
}

// up plans the stack, and applies it unless only the plan is wanted.
func (c *call) up(ctx context.Context, s compose.Source) error {
	stack, err := compose.Load(ctx, s)
	if err != nil {
		return err
	}
	for _, w := range stack.Warnings {
		fmt.Fprintln(c.stderr, "warning: "+lab.Reword(lab.Problems{w}, say).Error())
	}
	stack.Timeout = c.timeout
	return c.converge(ctx, stack)
}

func (c *call) down(ctx context.Context, s compose.Source) error {
	name, dir, err := compose.Name(s)
	if err != nil {
		return err
	}
	return c.converge(ctx, compose.Absent{Name: name, Dir: dir, Volumes: c.volumes})
}

// source reads what the command line names.
func (c *call) source() (compose.Source, error) {
	s := compose.Source{Name: c.name, Dir: c.dir, File: c.file, Profiles: c.profiles, Variables: map[string]string{},
		Secrets: map[string]lab.Secret{}, PlainEnvironment: c.plain}
	for _, v := range c.variables {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return s, cli.Usage("--var %q: NAME=VALUE", name)
		}
		s.Variables[name] = value
	}
	for _, v := range c.secrets {
		name, ref, _ := strings.Cut(v, "=")
		value, err := login.Secret(ref)
		if err != nil {
			return s, err
		}
		s.Secrets[name] = value
	}
	return s, nil
}

func (c *call) lock(ctx context.Context, s compose.Source) error {
	images, err := compose.Images(ctx, s)
	if err != nil {
		return err
	}
	lock, err := compose.Resolve(ctx, c.machine, images)
	if err != nil {
		return err
	}
	file := filepath.Join(c.dir, compose.LockFile)
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &lab.Error{Op: "read lock", Path: file, Err: err}
	}
	c.out.Printf("%s", lab.Diff(file, before, lock.Format()))
	c.out.Object(map[string]any{"type": "lock", "images": lock})
	return cli.WriteFile(file, lock.Format(), 0o644)
}

func (c *call) logs(ctx context.Context, s compose.Source) error {
	name, dir, err := compose.Name(s)
	if err != nil {
		return err
	}
	text, err := compose.Logs(ctx, c.machine, name, dir, c.tail)
	if err != nil {
		return err
	}
	_, err = io.WriteString(c.stdout, text)
	return err
}

// converge plans the resource, and does it unless only the plan is wanted.
func (c *call) converge(ctx context.Context, r host.Resource) error {
	plan, err := c.machine.Plan(ctx, host.State{r})
	if err != nil {
		return err
	}
	report, err := c.out.Execute(ctx, plan, c.request)
	failed := 0
	if report != nil {
		failed = len(report.Results) - report.Count(lab.StatusDone)
	}
	stats := c.machine.Counters()
	c.out.Object(map[string]any{"type": "summary", "changes": len(plan.Changes()), "failed": failed,
		"connections": stats.Connections, "execs": stats.Execs})
	return err
}
