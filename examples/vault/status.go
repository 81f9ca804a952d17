package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

func statusCommand() *cobra.Command {
	o := &options{}
	c := &cobra.Command{Use: "status --address URL [flags]", Short: "show how the server stands; exit with 3 unless " +
		"it serves",
		Args: cli.Words(0, 0)}
	o.flags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		out, err := cli.PrinterOf(c, say)
		if err != nil {
			return err
		}
		s, err := o.server(c)
		if err != nil {
			return err
		}
		st, err := s.Status(c.Context())
		if err != nil {
			return err
		}
		out.Object(map[string]any{"type": "status", "address": o.address, "state": st.String(), "code": st.Code(),
			"version": st.Version,
			"cluster": st.Cluster, "time": st.Time.Format(time.RFC3339)})
		if !out.JSON {
			fmt.Fprintf(c.OutOrStdout(), "%s: %s (%d), version %s", o.address, st, st.Code(), st.Version)
			if st.Cluster != "" {
				fmt.Fprintf(c.OutOrStdout(), ", cluster %s", st.Cluster)
			}
			fmt.Fprintln(c.OutOrStdout())
		}
		hint := ""
		switch {
		case !st.Initialized:
			hint = "vault init, if it is new; otherwise look at its storage"
		case st.Sealed:
			hint = "vault unseal"
		default:
			return nil
		}
		return &lab.Error{Op: "see status", Target: o.address, Hint: hint,
			Err: fmt.Errorf("%w: it is %s", lab.ErrBlocked, st)}
	}
	return c
}
