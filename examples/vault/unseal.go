package main

import (
	"os"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

func unsealCommand() *cobra.Command {
	o, request := &options{}, cli.Request{Apply: true}
	var keys string
	var more []string
	c := &cobra.Command{Use: "unseal --address URL --keys REF [flags]",
		Short: "unseal the server, and the others of its cluster", Args: cli.Words(0, 0)}
	o.flags(c)
	request.Flags(c)
	c.Flags().StringVar(&keys, "keys", "", "where the keys are, `file:PATH or env:NAME`: what vault init has kept, or "+
		"vault operator init "+
		"-format=json has printed")
	c.Flags().StringArrayVar(&more, "then", nil, "another server of the cluster, `URL`, after the first (may be "+
		"repeated)")
	cli.Require(c, "keys")
	c.RunE = func(c *cobra.Command, _ []string) error {
		k, err := readKeys(keys)
		if err != nil {
			return err
		}
		return o.execute(c, request, func(s *vaultprov.Server) (*lab.Plan, error) {
			servers := []*vaultprov.Server{s}
			for _, address := range more {
				other := *s
				other.Address = address
				servers = append(servers, &other)
			}
			return vaultprov.Unseal(c.Context(), k, servers...)
		})
	}
	return c
}

func sweepCommand() *cobra.Command {
	o, request := &options{}, cli.Request{}
	var below string
	c := &cobra.Command{Use: "sweep --address URL --token REF [flags]", Args: cli.Words(0, 0),
		Short: "revoke leases that have ended and could not be revoked"}
	o.flags(c)
	o.tokenFlags(c)
	request.Flags(c)
	c.Flags().StringVar(&below, "below", "", "only leases whose IDs begin with this `path`, as postgres/creds/erp")
	c.Flags().BoolVar(&request.Apply, "apply", false, "revoke them, not only show them")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return o.execute(c, request, func(s *vaultprov.Server) (*lab.Plan, error) {
			return s.Sweep(c.Context(), below)
		})
	}
	return c
}

func readKeys(text string) (vaultprov.Keys, error) {
	s, err := resolve(text)
	if err != nil {
		return vaultprov.Keys{}, err
	}
	return vaultprov.ParseKeys(s)
}

// resolve returns the secret that a flag refers to; empty if it refers to none.
func resolve(text string) (lab.Secret, error) {
	ref, err := lab.ParseSecretRef(text)
	if err != nil {
		return lab.Secret{}, err
	}
	return ref.Resolve(os.LookupEnv, cli.Dir("").ReadFile)
}
