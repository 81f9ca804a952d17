// Command cluster makes a Kubernetes cluster of machines with k3s, and applies manifests to it.
//
//	cluster nodes plan     [flags] CLUSTER.yaml               show what would be done; exit 2 when there is any
//	cluster nodes apply    [flags] CLUSTER.yaml               make machines the nodes, one at a time
//	cluster upgrade        [flags] VERSION CLUSTER.yaml       the same with another release
//	cluster kubeconfig --out FILE  CLUSTER.yaml               write an administrator's access; --merge FILE for one with others
//	cluster snapshot make|list     CLUSTER.yaml               copies of the datastore, on the first server
//	cluster restore --confirm ID   SNAPSHOT CLUSTER.yaml      go back to one
//	cluster rotate certificates|token CLUSTER.yaml            replace the certificates or the tokens of all nodes
//	cluster uninstall --confirm ID [--node NAME] CLUSTER.yaml remove k3s from all machines, or from the named ones
//	cluster schema                                            the JSON schema of CLUSTER.yaml
//
//	cluster plan   --kubeconfig file:PATH --owner NAME [flags] MANIFESTS.yaml ...   show what would be done; exit 2 when there is any
//	cluster apply  --kubeconfig file:PATH --owner NAME [flags] MANIFESTS.yaml ...   do it
//	cluster status --kubeconfig file:PATH --owner NAME [flags] MANIFESTS.yaml ...   what has become of the objects
//
// With --host the API is reached through that machine, over SSH: its port need not be open to anybody else. Without,
// only a cluster on this machine is reached, or one at an address that --allow names. No KUBECONFIG and no ~/.kube is
// read. Exit codes: 0 done or nothing to do, 2 changes pending, 3 blocked, 4 refused, 1 error, 130 interrupted.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/login"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

func main() { cli.Main(program()) }

// program is the command tree.
func program() *cobra.Command {
	root := &cobra.Command{Use: "cluster", Short: "make a Kubernetes cluster with k3s, and apply manifests to it",
		Long: `Make a Kubernetes cluster with k3s, and apply manifests to it.

The machines are in CLUSTER.yaml, and are reached over SSH. Nodes are changed
one at a time, and what may lose data needs --confirm of each change.

Manifests are applied to any cluster, by server-side apply.

The objects get the label of their owner. What another tool has set and the
manifests say otherwise is refused by name, unless --take-over names the tool.

With --host the API is reached through that machine, over SSH. Without, only a
cluster on this machine is reached, or one at an address that --allow names.
` + cli.ExitCodes}
	root.AddCommand(command("plan", "show what would be done; exit with 2 if there are changes"),
		command("apply", "make the changes"), command("status", "show what has become of the objects"))
	root.AddCommand(nodesCommands()...)
	return root
}

// options are the command line.
type options struct {
	verb    string
	files   []string
	cluster kube.Cluster
	spec    kube.Spec
	login   login.Login
	request cli.Request
	out     *cli.Printer

	kubeconfig string
	allow      []string
	terminal   *cli.Terminal // nil when there is none
}

func command(verb, short string) *cobra.Command {
	o := &options{verb: verb, request: cli.Request{Apply: verb == "apply"}}
	c := &cobra.Command{Use: verb + " --kubeconfig file:PATH --owner NAME [flags] MANIFESTS.yaml ...", Short: short,
		Args: cli.Words(1, 1000), RunE: func(c *cobra.Command, words []string) (err error) {
			o.files, o.terminal = words, cli.TerminalOf(c)
			if o.out, err = cli.PrinterOf(c, say); err != nil {
				return err
			}
			o.cluster.Log = slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
			return o.run(c.Context())
		}}
	flags := c.Flags()
	flags.StringVar(&o.kubeconfig, "kubeconfig", "",
		"where the kubeconfig is, `file:PATH or env:NAME`; its certificates and its token must be in it")
	flags.StringVar(&o.cluster.Context, "context", "", "the `context` of the kubeconfig; without it, its current one")
	flags.StringVar(&o.cluster.Identity, "cluster-uid", "", "the `UID` that the namespace kube-system of the cluster must have")
	flags.StringVar(&o.spec.Owner, "owner", "", "whose the objects are, a `NAME` such as tools")
	flags.StringArrayVar(&o.allow, "allow", nil, "an `address` or network that the cluster may be at, as 192.168.1.201 (may be repeated)")
	o.login.Flags(flags)
	cli.Require(c, "kubeconfig", "owner")
	if verb == "status" {
		return c
	}
	flags.StringArrayVar(&o.spec.TakeOver, "take-over", nil,
		"a field `manager` whose fields are taken over, such as kubectl-edit (may be repeated)")
	flags.BoolVar(&o.spec.Prune, "prune", false, "remove the owner's objects that are in none of the files")
	flags.IntVar(&o.spec.MaxDeletes, "max-deletes", 0,
		"how many objects may be removed; 0 means 5, or 3 of 10 of the owner's if those are more")
	if o.request.Apply {
		flags.BoolVar(&o.spec.Wait, "wait", false, "end when all objects are ready")
		flags.DurationVar(&o.spec.Timeout, "timeout", 10*time.Minute, "how long each wait may take")
		o.request.Flags(c)
	}
	return c
}

// run does what the command is for, and prints the summary.
func (o *options) run(ctx context.Context) error {
	o.cluster.Counters = &kube.Counters{}
	summary := map[string]any{"verb": o.verb, "changes": 0, "failed": 0}
	err := o.do(ctx, summary)
	summary["requests"] = o.cluster.Counters.Requests.Load()
	o.out.Summary(summary, err)
	return err
}

func (o *options) do(ctx context.Context, summary map[string]any) error {
	if err := o.read(); err != nil {
		return err
	}
	close, err := o.connect(ctx)
	if err != nil {
		return err
	}
	defer close()
	if o.verb == "status" {
		return o.status(ctx)
	}
	plan, failed := o.cluster.Plan(ctx, o.spec)
	if plan == nil || failed != nil && plan.Empty() {
		return failed
	}
	summary["changes"] = len(plan.Changes())
	report, err := o.out.Execute(ctx, plan, o.request)
	if report != nil {
		summary["failed"] = len(report.Results) - report.Count(lab.StatusDone)
	}
	if failed != nil && errors.Is(err, cli.ErrPending) {
		err = nil
	}
	return errors.Join(failed, err)
}

// read reads the kubeconfig and the manifests.
func (o *options) read() error {
	ref, err := lab.ParseSecretRef(o.kubeconfig)
	if err != nil {
		return err
	}
	if o.cluster.Kubeconfig, err = ref.Resolve(os.LookupEnv, cli.Dir("").ReadFile); err != nil {
		return err
	}
	for _, file := range o.files {
		b, err := os.ReadFile(file)
		if err != nil {
			return &lab.Error{Op: "read manifests", Path: file, Err: err}
		}
		objects, err := kube.ParseObjects(b)
		if err != nil {
			return &lab.Error{Op: "read file", Path: file, Err: err}
		}
		o.spec.Objects = append(o.spec.Objects, objects...)
	}
	return nil
}

// connect draws the boundary: a machine and what it reaches of itself, this machine, or what --allow names.
func (o *options) connect(ctx context.Context) (close func(), err error) {
	b, err := cli.Allow(o.allow)
	if err != nil {
		return nil, err
	}
	if o.login.Host == "" {
		o.cluster.Boundary = b
		return func() {}, nil
	}
	target, err := o.login.Target(ctx, o.terminal)
	if err != nil {
		return nil, err
	}
	target.Boundary.Allow = append(append(target.Boundary.Allow, b.Allow...), netip.MustParsePrefix("127.0.0.1/32")) // of the machine
	conn, err := ssh.Dial(ctx, target)
	if err != nil {
		return nil, err
	}
	o.cluster.Boundary = conn
	return func() { _ = conn.Close() }, nil
}

// status prints the state of each object.
func (o *options) status(ctx context.Context) error {
	all, err := o.cluster.Health(ctx, o.spec)
	if err != nil {
		return err
	}
	waiting := 0
	for _, h := range all {
		o.out.Printf("%-12s %s  %s\n", h.State, h.Object, h.Message)
		if h.State != kube.Ready {
			waiting++
		}
	}
	if waiting > 0 {
		return cli.ErrPending
	}
	return nil
}

// say says with which flag a setting is set; "" when there is none.
func say(s lab.Setting) string {
	switch s.Name {
	case kube.SettingIdentity:
		return "--cluster-uid UID"
	case kube.SettingTakeOver:
		return "--take-over " + ssh.Quote(s.Value)
	case lab.SettingBoundary:
		return "--allow ADDRESS, or --host to go through a machine"
	case "maxDeletes":
		return "--max-deletes " + s.Value
	}
	return login.Say(s)
}
