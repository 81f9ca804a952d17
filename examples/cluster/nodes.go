package main

import (
	"context"
	_ "embed"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/login"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

//go:embed schema.json
var schema string

// nodesCommands are the commands about the machines of a cluster, which CLUSTER.yaml describes.
func nodesCommands() []*cobra.Command {
	group := &cobra.Command{Use: "nodes", Short: "make machines the nodes of a cluster, and keep them so"}
	plan, _ := nodesCommand("plan", "show what would be done; exit with 2 if there are changes", (*nodes).converge)
	group.AddCommand(plan, changing(nodesCommand("apply", "make the changes", (*nodes).converge)))
	return []*cobra.Command{group, upgradeCommand(), kubeconfigCommand(), snapshotCommand(), restoreCommand(),
		rotateCommand(), uninstallCommand(), cli.PrintCommand("schema", "print the JSON schema of CLUSTER.yaml", schema)}
}

// nodes is a call of a command about the nodes of a cluster.
type nodes struct {
	words    []string // before CLUSTER.yaml
	config   *Config
	login    login.Login
	request  cli.Request
	out      *cli.Printer
	terminal *cli.Terminal // nil when there is none
	machines []*host.Machine
	summary  map[string]any
}

// nodesCommand returns a command that is given the words, and CLUSTER.yaml after them.
func nodesCommand(use, short string, do func(*nodes, context.Context) error, words ...string) (*cobra.Command, *nodes) {
	n := &nodes{}
	words = append(words, "CLUSTER.yaml")
	c := &cobra.Command{Use: use + " [flags] " + strings.Join(words, " "), Short: short, Args: cli.Words(len(words), len(words)),
		RunE: func(c *cobra.Command, words []string) (err error) {
			n.words, n.terminal = words[:len(words)-1], cli.TerminalOf(c)
			if n.out, err = cli.PrinterOf(c, sayNodes); err != nil {
				return err
			}
			n.summary = map[string]any{"verb": strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" "), "changes": 0, "failed": 0}
			if n.config, err = readConfig(words[len(words)-1], &n.login); err == nil {
				err = do(n, c.Context())
			}
			n.close()
			n.out.Summary(n.summary, err)
			return err
		}}
	n.login.FlagsWithoutHost(c.Flags())
	return c, n
}

// changing makes a command apply its plan.
func changing(c *cobra.Command, n *nodes) *cobra.Command {
	n.request.Apply = true
	n.request.Flags(c)
	return c
}

// connect makes the machines of the names ready to be connected to, when they are used.
func (n *nodes) connect(ctx context.Context, names ...string) (err error) {
	n.machines, err = n.config.machines(ctx, &n.login, n.terminal, n.out.Event, names...)
	return err
}

// all are the names of all machines.
func (n *nodes) all() []string { return slices.Concat(n.config.Servers, n.config.Agents) }

// close closes the connections, and counts what they have cost.
func (n *nodes) close() {
	var connections, execs int64
	for _, m := range n.machines {
		count := m.Counters()
		connections, execs = connections+count.Connections, execs+count.Execs
	}
	n.summary["connections"], n.summary["execs"] = connections, execs
	host.Fleet{Machines: n.machines}.Close() // nothing is left to be said on them
}

func (n *nodes) sink() lab.Replacer { return lab.SecretDir{Path: n.config.Secrets} }

// converge plans the nodes, and applies the plan unless it is only wanted.
func (n *nodes) converge(ctx context.Context) error {
	if err := n.connect(ctx, n.all()...); err != nil {
		return err
	}
	plan, err := k3s.Plan(ctx, n.machines, n.config.Config, n.sink())
	return n.execute(ctx, plan, err)
}

// execute shows a plan, and applies it if that is wanted. What could not be planned for is an error at the end: the
// others are done.
func (n *nodes) execute(ctx context.Context, plan *lab.Plan, failed error) error {
	if plan == nil || failed != nil && plan.Empty() {
		return failed
	}
	n.summary["changes"] = len(plan.Changes())
	report, err := n.out.Execute(ctx, plan, n.request)
	if report != nil {
		n.summary["failed"] = len(report.Results) - report.Count(lab.StatusDone)
	}
	if failed != nil && errors.Is(err, cli.ErrPending) {
		err = nil
	}
	return errors.Join(failed, err)
}

// sayNodes says with which flag or field a setting of the nodes is set; "" when there is none.
func sayNodes(s lab.Setting) string {
	if s.Name == lab.SettingSink {
		return "secrets: DIR in CLUSTER.yaml"
	}
	return login.Say(s)
}
