// Command pgapps provisions PostgreSQL for apps.
//
//	pgapps plan  --dsn postgres://USER@HOST/postgres [flags] APPS.yaml   show what would be done; exit 2 when there is any
//	pgapps apply --dsn postgres://USER@HOST/postgres [flags] APPS.yaml   do it
//	pgapps plan  --dsn ... --app NAME                                    one app, in production, without a file
//	pgapps sweep --dsn ... [--prefix v-] [--apply]                       users of Vault's that nobody drops any more
//	pgapps drop  --dsn ... --app NAME [--env ENV] [--dump DIR]           drop a database that --confirm names
//	pgapps reset --dsn ... --app NAME --env ENV --file DUMP              fill a sandbox's database from a dump
//	pgapps schema                                                        the JSON schema of APPS.yaml
//
// The password is in the DSN, or --password says where it is; the DSN itself can be a reference,
// env:NAME or file:PATH, and then no password is in the list of processes. Only a server on this
// machine is reached, or one in the networks that --allow names. Exit codes: 0 done or nothing to
// do, 2 changes pending, 3 blocked, 4 refused, 1 error, 130 interrupted. An app whose database cannot
// be planned for is an error at the end; the others are done. How a running app is adopted without
// cutting it off is in the documentation of package pgprov.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
)

//go:embed schema.json
var schema string

func main() { cli.Main(program()) }

// program is the command tree.
func program() *cobra.Command {
	root := &cobra.Command{Use: "pgapps", Short: "provision PostgreSQL for apps",
		Long: `Provision PostgreSQL for apps.

The password is in the DSN, or --password says where it is; the DSN itself can
be a reference, env:NAME or file:PATH, and then no password is in the list of
processes. Only a server on this machine is reached, or one in the networks
that --allow names. An app whose database cannot be planned for is an error at
the end; the others are done.

` + cli.ExitCodes}
	root.AddCommand(provision("plan", "show what would be done; exit with 2 if there are changes"),
		provision("apply", "make the changes"), sweepCommand(), dropCommand(), resetCommand(),
		cli.PrintCommand("schema", "print the JSON schema of APPS.yaml", schema))
	return root
}

// options are the command line.
type options struct {
	verb      string
	server    pgprov.Server
	out       *cli.Printer
	apps      []string
	file      string // APPS.yaml, or empty
	request   cli.Request
	allowPG15 bool

	dsn, password, identity string
	allow                   []string
	conns                   int

	env, dump, dumpFile, programs string
	sweep                         pgprov.SweepSpec
}

// command returns a command, with the flags that all of them have.
func command(use, short string, args cobra.PositionalArgs) (*cobra.Command, *options) {
	o := &options{}
	o.verb, _, _ = strings.Cut(use, " ")
	c := &cobra.Command{Use: use, Short: short, Args: args, RunE: func(c *cobra.Command, words []string) error {
		if len(words) == 1 {
			o.file = words[0]
		}
		return o.run(c)
	}}
	flags := c.Flags()
	flags.StringVar(&o.dsn, "dsn", "", "the server, `postgres://USER@HOST:PORT/DATABASE`; ?host=/run/postgresql for a "+
		"socket; or env:NAME, file:PATH. USER is a superuser, except for reset")
	flags.StringVar(&o.password, "password", "", "where the password is when it is not in the DSN, `file:PATH or env:NAME`")
	flags.StringArrayVar(&o.allow, "allow", nil, "a `network` or address that the server may be in when it is not on "+
		"this machine, as 192.168.1.202/32 (may be repeated)")
	flags.StringVar(&o.identity, "identity", "",
		"the system `identifier` that the server must have, as pg_controldata shows it")
	flags.IntVar(&o.conns, "conns", 0, "connections at once; 0 means 12")
	cli.Require(c, "dsn")
	return c, o
}

// appFlag defines the flag that names apps.
func (o *options) appFlag(c *cobra.Command, usage string) {
	c.Flags().StringArrayVar(&o.apps, "app", nil, usage)
}

// words is the check of the words after a command: one file at most, if any. They are not repeated:
// one may be the end of a password that the shell cut.
func words(most int) cobra.PositionalArgs {
	return func(_ *cobra.Command, words []string) error {
		if len(words) > most {
			return cli.Usage("there is one word too many: quote the DSN")
		}
		return nil
	}
}

// provision returns the command plan or apply.
func provision(verb, short string) *cobra.Command {
	var o *options
	c, o := command(verb+" --dsn DSN [flags] [APPS.yaml]", short, func(c *cobra.Command, args []string) error {
		if len(args) == 0 && len(o.apps) == 0 {
			return cli.Usage("want APPS.yaml, or --app NAME")
		}
		return words(1)(c, args)
	})
	o.appFlag(c, "only this app, or this instance of one; without APPS.yaml, this app in production "+
		"(`NAME`, may be repeated)")
	c.Flags().BoolVar(&o.allowPG15, "allow-pg15", false,
		"accept PostgreSQL 15, where who holds the editor's password holds every app and the machine")
	if verb == "apply" {
		o.request.Apply = true
		o.request.Flags(c)
	}
	return c
}

func sweepCommand() *cobra.Command {
	c, o := command("sweep --dsn DSN [flags]", "drop users of Vault's that nobody drops any more", words(0))
	c.Flags().StringVar(&o.sweep.Prefix, "prefix", "", "how the users' names begin; empty means v-")
	c.Flags().DurationVar(&o.sweep.Grace, "grace", 0, "how long ago they expired; 0 means 24h")
	c.Flags().BoolVar(&o.request.Apply, "apply", false, "drop them, not only show them")
	o.request.Flags(c)
	return c
}

func dropCommand() *cobra.Command {
	c, o := command("drop --dsn DSN --app NAME [flags]", "drop databases that --confirm names", words(0))
	o.appFlag(c, "the app whose database it is (`NAME`, may be repeated)")
	cli.Require(c, "app")
	c.Flags().StringVar(&o.env, "env", lab.Prod, "the environment")
	c.Flags().StringVar(&o.dump, "dump", "", "dump the database into this `directory` first")
	c.Flags().StringVar(&o.programs, "programs", "",
		"the `directory` of pg_dump and pg_restore; empty: looked for in PATH")
	o.request.Flags(c)
	return c
}

func resetCommand() *cobra.Command {
	c, o := command("reset --dsn DSN --app NAME --env ENV --file DUMP [flags]",
		"fill a sandbox's database from a dump", words(0))
	o.appFlag(c, "the app whose database it is, `NAME`")
	cli.Require(c, "app")
	c.Flags().StringVar(&o.env, "env", "", "the environment, not prod")
	c.Flags().StringVar(&o.dumpFile, "file", "", "the dump, in pg_dump's custom format")
	c.Flags().StringVar(&o.programs, "programs", "", "the `directory` of pg_restore; empty: looked for in PATH")
	o.request.Flags(c)
	return c
}

// run does what the command is for, and prints the summary.
func (o *options) run(c *cobra.Command) error {
	if o.verb == "drop" || o.verb == "reset" {
		o.request.Apply = len(o.request.Confirmed) > 0
		o.request.Yes = true // to confirm is to agree
	}
	var err error
	if o.out, err = cli.PrinterOf(c, say); err != nil {
		return err
	}
	if o.server, err = server(o.dsn, o.password, o.allow); err != nil {
		return err
	}
	o.server.Identity, o.server.MaxConns, o.server.Counters = o.identity, o.conns, &pgprov.Counters{}
	o.server.Logger = slog.New(slog.NewTextHandler(c.ErrOrStderr(),
		&slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
	plan, report, err := o.do(c.Context())
	changes, failed := len(plan.Changes()), 0
	if report != nil {
		failed = len(report.Results) - report.Count(lab.StatusDone)
	}
	o.out.Summary(map[string]any{"verb": o.verb, "changes": changes, "failed": failed,
		"connections": o.server.Counters.Connections.Load(), "round_trips": o.server.Counters.RoundTrips.Load()}, err)
	return err
}

// server reads the DSN, and draws the boundary: this machine, or the networks of --allow.
func server(dsn, password string, allow []string) (pgprov.Server, error) {
	if ref, err := lab.ParseSecretRef(dsn); err == nil {
		from, err := ref.Resolve(os.LookupEnv, cli.Dir("").ReadFile)
		if err != nil {
			return pgprov.Server{}, err
		}
		dsn = from.Reveal()
	}
	s, err := pgprov.ParseDSN(dsn)
	if err != nil {
		return s, err
	}
	if password != "" {
		ref, err := lab.ParseSecretRef(password)
		if err != nil {
			return s, err
		}
		if s.Password, err = ref.Resolve(os.LookupEnv, cli.Dir("").ReadFile); err != nil {
			return s, err
		}
	}
	b, err := cli.Allow(allow)
	if err != nil {
		return s, err
	}
	switch {
	case strings.HasPrefix(s.Host, "/"):
		port := s.Port
		if port == 0 {
			port = 5432
		}
		b.Unix = []string{path.Join(s.Host, ".s.PGSQL."+strconv.Itoa(port))}
	case s.Local():
		b.Allow = nil // loopback
	case len(b.Allow) == 0:
		return s, &lab.Error{Op: "read command line",
			Hint: "if you mean it: --allow and its address, as --allow 192.168.1.202/32",
			Err:  fmt.Errorf("%w: %s is not on this machine", lab.ErrRefused, s.Host)}
	}
	s.Boundary = b
	return s, nil
}

// do plans, and applies when that is what the verb is for. What an app's database cannot be planned
// for is an error at the end: the others are done.
func (o *options) do(ctx context.Context) (*lab.Plan, *lab.Report, error) {
	plan, failed := o.plan(ctx)
	if plan == nil || failed != nil && plan.Empty() {
		return nil, nil, failed
	}
	report, err := o.out.Execute(ctx, plan, o.request)
	if failed != nil && errors.Is(err, cli.ErrPending) {
		err = nil
	}
	return plan, report, errors.Join(failed, err)
}

func (o *options) plan(ctx context.Context) (*lab.Plan, error) {
	switch o.verb {
	case "sweep":
		return o.server.Sweep(ctx, o.sweep)
	case "drop":
		d := pgprov.DropSpec{}
		for _, name := range o.apps {
			d.Instances = append(d.Instances, lab.App(name).In(o.env))
		}
		if o.dump != "" {
			d.Dump = &pgprov.Dump{Dir: o.dump, Programs: o.programs}
		}
		return o.server.Drop(ctx, d)
	case "reset":
		if len(o.apps) != 1 {
			return nil, cli.Usage("want one --app NAME")
		}
		box, err := pgprov.SandboxOf(lab.App(o.apps[0]).In(o.env))
		if err != nil {
			return nil, err
		}
		return o.server.Reset(ctx, pgprov.ResetSpec{Sandbox: box, File: o.dumpFile, Programs: o.programs})
	}
	spec, err := readSpec(o.file, o.apps)
	if err != nil {
		return nil, err
	}
	spec.AllowPG15 = spec.AllowPG15 || o.allowPG15
	return o.server.Plan(ctx, spec)
}
