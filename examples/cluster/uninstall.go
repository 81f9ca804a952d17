package main

import (
	"context"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

func uninstallCommand() *cobra.Command {
	var only []string
	c, n := nodesCommand("uninstall", "remove k3s from the machines, with all that its containers have there; each needs --confirm",
		func(n *nodes, ctx context.Context) error { return n.uninstall(ctx, only) })
	c.Flags().StringArrayVar(&only, "node", nil, "only the machine of this `NAME` (may be repeated); without it, all")
	return changing(c, n)
}

func (n *nodes) uninstall(ctx context.Context, only []string) error {
	if err := n.connect(ctx, n.all()...); err != nil {
		return err
	}
	plan, err := k3s.PlanUninstall(ctx, n.machines, n.config.Config, only...)
	if err := n.execute(ctx, plan, err); err != nil {
		return err
	}
	if len(only) > 0 {
		n.out.Printf("Remove it from CLUSTER.yaml: otherwise cluster nodes apply makes it a node again.\n")
	}
	return nil
}
