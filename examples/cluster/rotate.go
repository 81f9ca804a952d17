package main

import (
	"context"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

func rotateCommand() *cobra.Command {
	return changing(nodesCommand("rotate", "make the certificates of all nodes again, one node at a time; not the CA", (*nodes).rotate))
}

func (n *nodes) rotate(ctx context.Context) error {
	if err := n.connect(ctx, n.all()...); err != nil {
		return err
	}
	plan, err := k3s.PlanRotateCertificates(ctx, n.machines, n.config.Config, n.sink())
	return n.execute(ctx, plan, err)
}
