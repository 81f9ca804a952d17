package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/k3s"
)

func snapshotCommand() *cobra.Command {
	group := &cobra.Command{Use: "snapshot", Short: "keep copies of the datastore on the first server"}
	list, _ := nodesCommand("list", "list the snapshots, the oldest first", (*nodes).listSnapshots)
	group.AddCommand(changing(nodesCommand("make", "make a snapshot, with the token that opens it", (*nodes).makeSnapshot)), list)
	return group
}

func restoreCommand() *cobra.Command {
	return changing(nodesCommand("restore", "go back to a snapshot; what has happened since is lost, and needs --confirm",
		(*nodes).restore, "SNAPSHOT"))
}

func (n *nodes) makeSnapshot(ctx context.Context) error {
	if err := n.connect(ctx, n.config.Servers[0]); err != nil {
		return err
	}
	plan, err := k3s.PlanSnapshot(ctx, n.machines, n.config.Config)
	return n.execute(ctx, plan, err)
}

// listSnapshots prints a line for each snapshot.
func (n *nodes) listSnapshots(ctx context.Context) error {
	if err := n.connect(ctx, n.config.Servers[0]); err != nil {
		return err
	}
	all, err := k3s.Snapshots(ctx, n.machines[0], n.config.Config)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		n.out.Printf("there are no snapshots\n")
	}
	for _, s := range all {
		n.out.Printf("%s  %-6s  %s  %s\n", s.Name, s.Datastore, cli.Size(s.Bytes), s.Version)
		n.out.Object(map[string]any{"type": "snapshot", "name": s.Name, "time": s.Time.Format(time.RFC3339),
			"version": s.Version, "datastore": s.Datastore, "bytes": s.Bytes})
	}
	return nil
}

func (n *nodes) restore(ctx context.Context) error {
	if err := n.connect(ctx, n.all()...); err != nil {
		return err
	}
	plan, err := k3s.PlanRestore(ctx, n.machines, n.config.Config, n.sink(), n.words[0])
	if err := n.execute(ctx, plan, err); err != nil {
		return err
	}
	n.out.Printf("Now run cluster nodes apply, which brings the agents to the release of the snapshot.\n")
	return nil
}
