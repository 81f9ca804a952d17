// Command machine plans or applies one machine from a YAML list of resources.
//
//	machine plan  --host pi@192.0.2.11 [flags] STATE.yaml   show the plan; exit with 2 if there are changes
//	machine apply --host pi@192.0.2.11 [flags] STATE.yaml   apply it
//	machine schema                                          print the JSON schema of STATE.yaml
//
// STATE.yaml is a list: "- file: {path: /etc/motd, content: hello}". Only the machine that --host
// names and the jumps that --jump names are connected to. Exit codes: 0 done or nothing to do, 2
// changes pending, 3 blocked, 4 refused, 1 error, 130 interrupted.
package main

import (
	"context"
	_ "embed"
	"os"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/login"
)

//go:embed schema.json
var schema string

func main() { cli.Main(program()) }

// program is the command tree.
func program() *cobra.Command {
	root := &cobra.Command{Use: "machine", Short: "plan or apply one machine from a YAML list of resources",
		Long: `Plan or apply one machine from STATE.yaml, a YAML list of resources:

  - base: {name: pi1, timezone: Europe/Paris, unattended: true}
  - docker: {package: docker.io}
  - file: {path: /etc/motd, content: hello}

An entry is a kind of package host, or a component of a machine: base, disks,
docker, longhorn, nfs, pihole, resolvers, trust. The resolvers are planned by
asking the Pi-holes, which must answer already: keep them in a file of their own.

Only the machine that --host names and the jumps that --jump names are
connected to. ` + cli.ExitCodes}
	root.AddCommand(
		converge("plan", "show the plan; exit with 2 if there are changes"),
		converge("apply", "make the changes"),
		cli.PrintCommand("schema", "print the JSON schema of STATE.yaml", schema),
	)
	return root
}

// converge returns the command plan or apply.
func converge(verb, short string) *cobra.Command {
	r := &run{request: cli.Request{Apply: verb == "apply"}}
	c := &cobra.Command{Use: verb + " --host USER@ADDR[:PORT] [flags] STATE.yaml", Short: short, Args: cli.Words(1, 1),
		RunE: func(c *cobra.Command, words []string) (err error) {
			r.file, r.terminal = words[0], cli.TerminalOf(c)
			if r.out, err = cli.PrinterOf(c, login.Say); err != nil {
				return err
			}
			return r.do(c.Context())
		}}
	r.login.Flags(c.Flags())
	cli.Require(c, "host")
	if r.request.Apply {
		r.request.Flags(c)
	}
	c.Flags().StringArrayVar(&r.only, "only", nil, "only resources whose ID matches this `glob` (may be repeated)")
	return c
}

// run is one call of plan or apply.
type run struct {
	file    string // STATE.yaml
	login   login.Login
	only    []string
	request cli.Request
	out     *cli.Printer

	terminal *cli.Terminal // nil when there is none
}

// do plans or applies, and prints the summary at the end.
func (r *run) do(ctx context.Context) error {
	summary := map[string]any{"changes": 0, "failed": 0, "connections": 0, "execs": 0}
	err := r.execute(ctx, summary)
	r.out.Summary(summary, err)
	return err
}

// execute plans or applies the state in the file, and completes the summary.
func (r *run) execute(ctx context.Context, summary map[string]any) error {
	data, err := os.ReadFile(r.file)
	if err != nil {
		return &lab.Error{Op: "read state", Path: r.file, Err: err}
	}
	state, err := host.ReadState(r.file, data, kinds())
	if err != nil {
		return err
	}
	if state, err = state.Resolve(os.LookupEnv, cli.DirOf(r.file).ReadFile); err != nil {
		return err
	}
	if err := host.Unmatched(r.only, state); err != nil {
		return err
	}
	target, err := r.login.Target(ctx, r.terminal)
	if err != nil {
		return err
	}
	m := &host.Machine{Target: target, Events: r.out.Event}
	defer m.Close()
	defer func() {
		n := m.Counters()
		summary["connections"], summary["execs"] = n.Connections, n.Execs
	}()
	plan, err := m.Plan(ctx, state, r.only...)
	if err != nil {
		return err
	}
	summary["changes"] = len(plan.Changes())
	report, err := r.out.Execute(ctx, plan, r.request)
	if report != nil {
		summary["failed"] = len(report.Results) - report.Count(lab.StatusDone)
	}
	return err
}
