package main

import (
	"context"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

func rotateCommand() *cobra.Command {
	group := &cobra.Command{Use: "rotate", Short: "replace the certificates or the tokens of all nodes, one node at a time"}
	group.AddCommand(
		changing(nodesCommand("certificates", "make the certificates of all nodes again; not the CA", (*nodes).rotateCertificates)),
		changing(nodesCommand("token", "replace the tokens; the old one stays in the sink, for its snapshots", (*nodes).rotateToken)))
	return group
}

func (n *nodes) rotateCertificates(ctx context.Context) error {
	if err := n.connect(ctx, n.all()...); err != nil {
		return err
	}
	plan, err := k3s.PlanRotateCertificates(ctx, n.machines, n.config.Config, n.sink())
	return n.execute(ctx, plan, err)
}

func (n *nodes) rotateToken(ctx context.Context) error {
	if err := n.connect(ctx, n.all()...); err != nil {
		return err
	}
	plan, err := k3s.PlanRotateToken(ctx, n.machines, n.config.Config, n.sink())
	return n.execute(ctx, plan, err)
}
