// Command pgapps provisions PostgreSQL for apps.
//
//	pgapps plan  -dsn postgres://USER@HOST/postgres [flags] APPS.yaml   show what would be done; exit 2 when there is any
//	pgapps apply -dsn postgres://USER@HOST/postgres [flags] APPS.yaml   do it
//	pgapps plan  -dsn ... -app NAME                                     one app, in production, without a file
//	pgapps sweep -dsn ... [-prefix v-] [-apply]                         users of Vault's that nobody drops any more
//	pgapps drop  -dsn ... -app NAME [-env ENV] [-dump DIR]              drop a database that -confirm names
//	pgapps reset -dsn ... -app NAME -env ENV -file DUMP                 fill a sandbox's database from a dump
//	pgapps schema                                                       the JSON schema of APPS.yaml
//
// The password is in the DSN, or -password says where it is; the DSN itself can be a reference,
// env:NAME or file:PATH, and then no password is in the list of processes. Only a server on this
// machine is reached, or one in the networks that -allow names. Exit codes: 0 done or nothing to
// do, 2 changes pending, 3 blocked, 4 refused, 1 error, 130 interrupted. An app whose database cannot
// be planned for is an error at the end; the others are done. How a running app is adopted without
// cutting it off is in the documentation of package pgprov.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
)

//go:embed schema.json
var schema string

func main() { cli.Main(run) }

const verbs = "plan, apply, sweep, drop, reset or schema"

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return cli.Usage(verbs)
	}
	switch args[0] {
	case "schema":
		_, err := io.WriteString(stdout, schema)
		return err
	case "plan", "apply", "sweep", "drop", "reset":
		return runVerb(ctx, args[0], args[1:], stdout, stderr)
	case "-h", "-help", "--help", "help":
		fmt.Fprintln(stdout, "usage: pgapps plan|apply -dsn postgres://USER@HOST:PORT/postgres [flags] APPS.yaml\n"+
			"       pgapps sweep|drop|reset -dsn ... [flags]\n       pgapps schema\n\nflags: pgapps plan -h")
		return nil
	}
	return cli.Usage("%q: %s", args[0], verbs)
}

// options are the command line.
type options struct {
	verb      string
	server    pgprov.Server
	out       *cli.Printer
	apps      cli.List
	file      string // APPS.yaml, or empty
	request   cli.Request
	allowPG15 bool

	env, dump, dumpFile, programs string
	sweep                         pgprov.SweepSpec
}

func runVerb(ctx context.Context, verb string, args []string, stdout, stderr io.Writer) error {
	o, err := parse(verb, args, stdout, stderr)
	if err != nil {
		return err
	}
	plan, report, err := o.do(ctx)
	changes, failed := len(plan.Changes()), 0
	if report != nil {
		failed = len(report.Results) - report.Count(lab.StatusDone)
	}
	o.out.Summary(map[string]any{"verb": verb, "changes": changes, "failed": failed,
		"connections": o.server.Counters.Connections.Load(), "round_trips": o.server.Counters.RoundTrips.Load()}, err)
	return err
}

func parse(verb string, args []string, stdout, stderr io.Writer) (*options, error) {
	o := &options{verb: verb}
	flags := flag.NewFlagSet("pgapps "+verb, flag.ContinueOnError)
	flags.SetOutput(stderr)
	dsn := flags.String("dsn", "", "the server, `postgres://USER@HOST:PORT/DATABASE`; ?host=/run/postgresql for a "+
		"socket; or env:NAME, file:PATH. USER is a superuser, except for reset")
	password := flags.String("password", "", "where the password is when it is not in the DSN, `file:PATH or env:NAME`")
	var allow cli.List
	flags.Var(&allow, "allow", "a `network` or address that the server may be in when it is not on this machine, "+
		"as 192.168.1.202/32 (may be repeated)")
	identity := flags.String("identity", "",
		"the system `identifier` that the server must have, as pg_controldata shows it")
	conns := flags.Int("conns", 0, "connections at once; 0 means 8")
	output := flags.String("output", "text", "text, or json: an object a line, the last one a summary")
	flags.Var(&o.apps, "app", "only this app, or this instance of one; without APPS.yaml, this app in production "+
		"(`NAME`, may be repeated)")
	o.request.Flags(flags)
	switch verb {
	case "plan", "apply":
		flags.BoolVar(&o.allowPG15, "allow-pg15", false,
			"accept PostgreSQL 15, where who holds the editor's password holds every app and the machine")
	case "sweep":
		flags.StringVar(&o.sweep.Prefix, "prefix", "", "how the users' names begin; empty means v-")
		flags.DurationVar(&o.sweep.Grace, "grace", 0, "how long ago they expired; 0 means 24h")
		flags.BoolVar(&o.request.Apply, "apply", false, "drop them, not only show them")
	case "drop":
		flags.StringVar(&o.env, "env", lab.Prod, "the environment")
		flags.StringVar(&o.dump, "dump", "", "dump the database into this `directory` first")
		flags.StringVar(&o.programs, "programs", "",
			"the `directory` of pg_dump and pg_restore; empty: looked for in PATH")
	case "reset":
		flags.StringVar(&o.env, "env", "", "the environment, not prod")
		flags.StringVar(&o.dumpFile, "file", "", "the dump, in pg_dump's custom format")
		flags.StringVar(&o.programs, "programs", "", "the `directory` of pg_restore; empty: looked for in PATH")
	}
	words, err := cli.Parse(flags, args)
	if err != nil {
		return nil, err
	}
	provisions := verb == "plan" || verb == "apply"
	switch {
	case *dsn == "":
		return nil, cli.Usage("want -dsn postgres://USER@HOST:PORT/DATABASE")
	case len(words) > 1, len(words) == 1 && !provisions:
		// it may be the end of a password that the shell cut
		return nil, cli.Usage("there is one word too many: quote the DSN")
	case provisions && len(words) == 0 && len(o.apps) == 0:
		return nil, cli.Usage("want APPS.yaml, or -app NAME")
	case !provisions && verb != "sweep" && len(o.apps) == 0:
		return nil, cli.Usage("want -app NAME")
	}
	if len(words) == 1 {
		o.file = words[0]
	}
	switch verb {
	case "apply":
		o.request.Apply = true
	case "drop", "reset":
		o.request.Apply = len(o.request.Confirmed) > 0
	}
	if o.out, err = cli.NewPrinter(stdout, cli.Options{JSON: *output == "json"}); err != nil {
		return nil, err
	}
	if o.server, err = server(*dsn, *password, allow); err != nil {
		return nil, err
	}
	o.server.Identity, o.server.MaxConns, o.server.Counters = *identity, *conns, &pgprov.Counters{}
	o.server.Logger = slog.New(slog.NewTextHandler(stderr,
		&slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
	return o, nil
}

// server reads the DSN, and draws the boundary: this machine, or the networks of -allow.
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
	b := &lab.Boundary{Name: "command line"}
	for _, text := range allow {
		p, err := netip.ParsePrefix(text)
		if ip, e := netip.ParseAddr(text); e == nil {
			p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil {
			return s, cli.Usage("-allow %q is neither a network nor an address", text)
		}
		b.Allow = append(b.Allow, p.Masked())
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
			Hint: "if you mean it: -allow and its address, as -allow 192.168.1.202/32",
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
			return nil, cli.Usage("want one -app NAME")
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
