// Command machine plans or applies one machine from a YAML list of resources.
//
//	machine plan  -host pi@192.0.2.11 [flags] STATE.yaml   show the plan; exit with 2 if there are changes
//	machine apply -host pi@192.0.2.11 [flags] STATE.yaml   apply it
//	machine schema                                         print the JSON schema of STATE.yaml
//
// STATE.yaml is a list: "- file: {path: /etc/motd, content: hello}". Only the machine that -host
// names and the jumps that -jump names are connected to. Exit codes: 0 done or nothing to do, 2
// changes pending, 3 blocked, 4 refused, 1 error, 130 interrupted.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"os"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/login"
)

//go:embed schema.json
var schema string

const usage = `usage: machine plan|apply -host USER@ADDR[:PORT] [flags] STATE.yaml
       machine schema

flags: machine plan -h
`

func main() { cli.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return cli.Usage("plan, apply or schema")
	}
	switch {
	case args[0] == "schema":
		_, err := io.WriteString(stdout, schema)
		return err
	case args[0] == "plan", args[0] == "apply":
		return planOrApply(ctx, args[0], args[1:], stdout, stderr)
	case cli.IsHelp(args[0]):
		fmt.Fprint(stdout, usage)
		return nil
	}
	return cli.Usage("%q: plan, apply or schema", args[0])
}

func planOrApply(ctx context.Context, verb string, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("machine "+verb, flag.ContinueOnError)
	flags.SetOutput(stderr)
	var only cli.List
	var machine login.Login
	machine.Flags(flags)
	request := cli.Request{Apply: verb == "apply"}
	request.Flags(flags)
	flags.Var(&only, "only", "only resources whose ID matches this `glob` (may be repeated)")
	output := flags.String("output", "text", "text, or json: one object per line, the last one the summary")
	files, err := cli.Parse(flags, args)
	if err != nil {
		return err
	}
	if len(files) != 1 || machine.Host == "" {
		return cli.Usage("-host USER@ADDR and one STATE.yaml are required")
	}
	out, err := cli.NewPrinter(stdout, cli.Options{JSON: *output == "json"})
	if err != nil {
		return err
	}
	summary := map[string]any{"changes": 0, "failed": 0, "connections": 0, "execs": 0}
	err = execute(ctx, files[0], machine, only, request, out, summary)
	out.Summary(summary, err)
	return err
}

// execute plans or applies the state in the file, and completes the summary.
func execute(ctx context.Context, file string, machine login.Login, only []string,
	request cli.Request, out *cli.Printer, summary map[string]any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return &lab.Error{Op: "read state", Path: file, Err: err}
	}
	state, err := host.ReadState(file, data)
	if err != nil {
		return err
	}
	if state, err = state.Resolve(os.LookupEnv, cli.DirOf(file).ReadFile); err != nil {
		return err
	}
	if err := host.Unmatched(only, state); err != nil {
		return err
	}
	target, err := machine.Target(ctx)
	if err != nil {
		return err
	}
	m := &host.Machine{Target: target}
	defer m.Close()
	defer func() {
		n := m.Counters()
		summary["connections"], summary["execs"] = n.Connections, n.Execs
	}()
	plan, err := m.Plan(ctx, state, only...)
	if err != nil {
		return err
	}
	summary["changes"] = len(plan.Changes())
	report, err := out.Execute(ctx, plan, request)
	if report != nil {
		summary["failed"] = len(report.Results) - report.Count(lab.StatusDone)
	}
	return err
}
