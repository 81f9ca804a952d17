// Command stack deploys a directory with a compose.yaml to a machine, and keeps it as it is written.
//
//	stack lock  -host pi@192.0.2.12 [flags] DIR   write compose.lock.yaml: which image each name stands for today
//	stack plan  -host pi@192.0.2.12 [flags] DIR   show what would be done; exit 2 when there is something
//	stack apply -host pi@192.0.2.12 [flags] DIR   do it
//	stack logs  -host pi@192.0.2.12 [flags] DIR   show the last lines of what the services printed
//	stack down  -host pi@192.0.2.12 [flags] DIR   remove its containers and networks; with -volumes, and -confirm of each, its volumes too
//
// DIR is read as docker compose reads it, with its override file and its .env; what is taken as it is
// there and may not have been meant is a warning on the standard error. Only the machine
// that -host names is reached, and the jumps that -jump names; images are pulled by the machine.
// Nothing is taken from the environment but what a flag names. Exit codes: 0 done or nothing to do,
// 2 changes pending, 3 blocked, 4 refused, 1 error, 130 interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/login"
)

func main() { cli.Main(run) }

var verbs = []string{"lock", "plan", "apply", "logs", "down"}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return cli.Usage("%s", strings.Join(verbs, ", "))
	}
	switch {
	case slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]):
		fmt.Fprintf(stdout, "usage: stack %s -host USER@ADDR[:PORT] [flags] DIR\n\nflags: stack plan -h\n",
			strings.Join(verbs, "|"))
		return nil
	case !slices.Contains(verbs, args[0]):
		return cli.Usage("%q: one of %s", args[0], strings.Join(verbs, ", "))
	}
	c := &command{verb: args[0]}
	if err := c.parse(args[1:], stdout, stderr); err != nil {
		return err
	}
	target, err := c.login.Target(ctx)
	if err != nil {
		return err
	}
	c.machine = &host.Machine{Target: target}
	defer c.machine.Close() // nothing is left to be said on it
	source, err := c.source()
	if err != nil {
		return err
	}
	if c.verb == "lock" {
		return c.lock(ctx, source)
	}
	if c.verb == "down" {
		name, dir, err := compose.Name(source)
		if err != nil {
			return err
		}
		return c.converge(ctx, compose.Absent{Name: name, Dir: dir, Volumes: c.volumes})
	}
	if c.verb == "logs" {
		return c.logs(ctx, source, stdout)
	}
	stack, err := compose.Load(ctx, source)
	if err != nil {
		return err
	}
	for _, w := range stack.Warnings {
		fmt.Fprintln(stderr, "warning: "+w.String())
	}
	stack.Timeout = c.timeout
	return c.converge(ctx, stack)
}

// command is a call of the program.
type command struct {
	verb, dir      string
	name, file     string
	login          login.Login
	variables      cli.List
	profiles       cli.List
	secrets, plain cli.List
	volumes        bool
	tail           int
	timeout        time.Duration
	request        cli.Request
	out            *cli.Printer
	machine        *host.Machine
}

func (c *command) parse(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("stack "+c.verb, flag.ContinueOnError)
	flags.SetOutput(stderr)
	c.login.Flags(flags)
	flags.StringVar(&c.name, "name", "", "the project's `name`; without it, the one in .env, that in the compose.yaml, or that of DIR")
	flags.StringVar(&c.file, "file", "", "the compose `file` in DIR; without it, those that .env names, or the one that "+
		"docker compose finds, and its override file")
	flags.Var(&c.variables, "var", "what ${NAME} in the compose.yaml stands for, `NAME=VALUE`, before DIR/.env; VALUE "+
		"may be empty (may be repeated)")
	flags.Var(&c.profiles, "profile", "a `profile` whose services are deployed too (may be repeated)")
	flags.Var(&c.secrets, "secret", "where the value of a secret of the compose.yaml is, `NAME=file:PATH or "+
		"NAME=env:VARIABLE` (may be repeated)")
	flags.Var(&c.plain, "plain", "what looks like a secret and is none: a variable of a service, `SERVICE.NAME`, its "+
		"SERVICE.command, a variable of .env, NAME, or secrets.NAME (may be repeated)")
	output := flags.String("output", "text", "text, or json: an object a line")
	switch c.verb {
	case "plan", "apply":
		flags.DurationVar(&c.timeout, "timeout", 3*time.Minute, "how long each service may take to get healthy")
	case "logs":
		flags.IntVar(&c.tail, "tail", 50, "how many `lines` of each service")
	case "down":
		flags.BoolVar(&c.volumes, "volumes", false, "remove the volumes too; each needs -confirm")
	}
	c.request.Flags(flags)
	c.request.Apply = c.verb == "apply" || c.verb == "down"
	words, err := cli.Parse(flags, args)
	if err != nil {
		return err
	}
	if len(words) != 1 || c.login.Host == "" {
		return cli.Usage("want -host USER@ADDR and one DIR")
	}
	c.dir = words[0]
	c.out, err = cli.NewPrinter(stdout, cli.Options{JSON: *output == "json"})
	return err
}

// source reads what the command line names.
func (c *command) source() (compose.Source, error) {
	s := compose.Source{Name: c.name, Dir: c.dir, File: c.file, Profiles: c.profiles, Variables: map[string]string{},
		Secrets: map[string]lab.Secret{}, PlainEnvironment: c.plain}
	for _, v := range c.variables {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return s, cli.Usage("-var %q: NAME=VALUE", name)
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

func (c *command) lock(ctx context.Context, s compose.Source) error {
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

func (c *command) logs(ctx context.Context, s compose.Source, stdout io.Writer) error {
	name, dir, err := compose.Name(s)
	if err != nil {
		return err
	}
	text, err := compose.Logs(ctx, c.machine, name, dir, c.tail)
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, text)
	return err
}

// converge plans the resource, and does it unless only the plan is wanted.
func (c *command) converge(ctx context.Context, r host.Resource) error {
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
	c.out.Summary(map[string]any{"changes": len(plan.Changes()), "failed": failed,
		"connections": stats.Connections, "execs": stats.Execs}, err)
	return err
}
