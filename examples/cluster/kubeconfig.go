package main

import (
	"context"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

func kubeconfigCommand() *cobra.Command {
	var out, merge string
	c, _ := nodesCommand("kubeconfig", "write an administrator's access to the cluster to a file", func(n *nodes, ctx context.Context) error {
		return n.kubeconfig(ctx, out, merge)
	})
	c.Flags().StringVar(&out, "out", "", "write a kubeconfig of its own to this `file`")
	c.Flags().StringVar(&merge, "merge", "", "put the cluster, the user and the context into this kubeconfig `file`, such as "+
		"~/.kube/config, and leave the rest as it is")
	return c
}

// kubeconfig reads the access, and writes it to a file of its own or into one with others.
func (n *nodes) kubeconfig(ctx context.Context, out, merge string) error {
	if (out == "") == (merge == "") {
		return cli.Usage("want --out FILE or --merge FILE")
	}
	file, err := cli.Dir("").Path(out + merge)
	if err != nil {
		return err
	}
	if err := n.connect(ctx, n.config.Servers[0]); err != nil {
		return err
	}
	access, err := k3s.ReadAccess(ctx, n.machines, n.config.Config, n.config.Name)
	if err != nil {
		return err
	}
	write := access.WriteFile
	if merge != "" {
		write = access.Merge
	}
	if err := write(file); err != nil {
		return err
	}
	n.out.Printf("%s has the context %s\n", file, access.Name)
	return nil
}
