// Command machine plans or applies one machine from a YAML list of resources.
//
//	machine plan  -host pi@192.0.2.11 [flags] STATE.yaml   show what would be done; exit 2 when there is something
//	machine apply -host pi@192.0.2.11 [flags] STATE.yaml   do it
//	machine schema                                         the JSON schema of STATE.yaml
//
// STATE.yaml is a list: "- file: {path: /etc/motd, content: hello}". Only the machine that -host names is reached, and the jumps that -jump
// names. Exit codes: 0 done or nothing to do, 2 changes pending, 3 blocked, 4 refused, 1 error, 130 interrupted.
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

func main() { cli.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return cli.Usage("plan, apply or schema")
	}
	switch args[0] {
	case "schema":
		_, err := io.WriteString(stdout, schema)
		return err
	case "plan", "apply":
		return planOrApply(ctx, args[0], args[1:], stdout, stderr)
	case "-h", "-help", "--help", "help":
		fmt.Fprintln(stdout, "usage: machine plan|apply -host USER@ADDR[:PORT] [flags] STATE.yaml\n       machine schema\n\nflags: machine plan -h")
		return nil
	}
	return cli.Usage("%q: plan, apply or schema", args[0])
}

func planOrApply(ctx context.Context, verb string, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("machine "+verb, flag.ContinueOnError)
	flags.SetOutput(stderr)
	var only cli.List
	var on login.Login
	on.Flags(flags)
	request := cli.Request{Apply: verb == "apply"}
	request.Flags(flags)
	flags.Var(&only, "only", "only resources whose ID matches this `glob` (may be repeated)")
	output := flags.String("output", "text", "text, or json: an object a line")
	files, err := cli.Parse(flags, args)
	if err != nil {
		return err
	}
	if len(files) != 1 || on.Host == "" {
		return cli.Usage("want -host USER@ADDR and one STATE.yaml")
	}
	out, err := cli.NewPrinter(stdout, *output)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		return &lab.Error{Op: "read state", Path: files[0], Err: err}
	}
	state, err := host.ReadState(files[0], data)
	if err != nil {
		return err
	}
	if state, err = state.Resolve(os.LookupEnv, cli.FolderOf(files[0]).ReadFile); err != nil {
		return err
	}
	target, err := on.Target(ctx)
	if err != nil {
		return err
	}
	m := &host.Machine{Target: target}
	defer m.Close() // nothing is left to be said on it
	plan, err := m.Plan(ctx, state, only...)
	if err != nil {
		return err
	}
	report, err := out.Execute(ctx, plan, request)
	failed := 0
	if report != nil {
		failed = len(report.Results) - report.Count(lab.StatusDone)
	}
	st := m.Stats()
	out.Object(map[string]any{"type": "summary", "changes": len(plan.Changes()), "failed": failed, "connections": st.Connections, "execs": st.Execs})
	return err
}
