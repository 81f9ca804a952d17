package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

func planCommand() *cobra.Command {
	return provision("plan", "show what would be done; exit with 2 if there are changes")
}

func applyCommand() *cobra.Command { return provision("apply", "make the changes") }

// provision returns the command plan or apply.
func provision(verb, short string) *cobra.Command {
	o, request := &options{}, cli.Request{Apply: verb == "apply"}
	c := &cobra.Command{Use: verb + " --address URL [flags] VAULT.yaml", Short: short, Args: cli.Words(1, 1)}
	o.flags(c)
	o.tokenFlags(c)
	if request.Apply {
		request.Flags(c)
	}
	c.RunE = func(c *cobra.Command, words []string) error {
		out, err := cli.PrinterOf(c, say)
		if err != nil {
			return err
		}
		plan, report, err := o.provision(c, words[0], out, request)
		failed := 0
		if report != nil {
			failed = len(report.Results) - report.Count(lab.StatusDone)
		}
		out.Summary(map[string]any{"verb": verb, "changes": len(plan.Changes()), "failed": failed,
			"requests": o.counters.Requests.Load(), "writes": o.counters.Writes.Load()}, err)
		return err
	}
	return c
}

// provision plans, and applies when that is what was asked for. What cannot be planned is an error at the end.
func (o *options) provision(
	c *cobra.Command, file string, out *cli.Printer, request cli.Request,
) (plan *lab.Plan, report *lab.Report, err error) {
	spec, err := readSpec(file, os.LookupEnv)
	if err != nil {
		return nil, nil, err
	}
	server, done, err := o.open(c)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	plan, failed := server.Plan(c.Context(), spec)
	if plan == nil || failed != nil && plan.Empty() {
		return nil, nil, failed
	}
	report, err = out.Execute(c.Context(), plan, request)
	if failed != nil && errors.Is(err, cli.ErrPending) {
		err = nil
	}
	return plan, report, errors.Join(failed, err)
}
