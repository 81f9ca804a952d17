package main

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh/ovhtest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

// delegation is a domain at OVH that is delegated to Cloudflare, which must serve all that OVH serves by then.
type delegation struct {
	Domain   string   `yaml:"domain,required"` // one of the zones
	Dropped  []string `yaml:"dropped"`         // records at OVH that shall not be at Cloudflare, each as a type and a name: "A www"
	RemoveDS bool     `yaml:"removeDS"`        // ends DNSSEC first, by a plan of its own
}

// delegate returns the command delegate.
func delegate() *cobra.Command {
	c := &cobra.Command{Use: "delegate", Short: "give the domains at OVH the name servers of Cloudflare",
		Long: `Give the domains at OVH the name servers of Cloudflare. That is refused, with
their names, while there are records at OVH that are not at Cloudflare. In the
sandbox, Cloudflare has the records of ZONES.yaml already.`}
	c.AddCommand(delegates("plan", "show what would be done; exit with 2 if there are changes"),
		delegates("apply", "change the name servers"))
	return c
}

// delegates returns the command delegate plan or delegate apply.
func delegates(verb, short string) *cobra.Command {
	var to access
	var client, secret string
	request := cli.Request{Apply: verb == "apply"}
	c := &cobra.Command{Use: verb + " [flags] ZONES.yaml", Short: short, Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, words []string) error {
		out, err := cli.PrinterOf(c, say)
		if err != nil {
			return err
		}
		wanted, err := read(words[0])
		if err != nil {
			return err
		}
		a, leave, err := to.account(wanted)
		if err != nil {
			return err
		}
		defer leave()
		registrar, done, err := to.registrar(c.Context(), wanted, a, client, secret)
		if err != nil {
			return err
		}
		defer done()
		plan, err := wanted.plan(c.Context(), a, registrar)
		if err == nil {
			_, err = out.Execute(c.Context(), plan, request)
		}
		return err
	}
	to.flags(c)
	c.Flags().StringVar(&client, "ovh-client", "", "the `ID` of an OAuth2 client of the account at OVH")
	c.Flags().StringVar(&secret, "ovh-secret", "", "where its secret is, `file:PATH or env:NAME`")
	if request.Apply {
		request.Flags(c)
	}
	return c
}

// plan compares the name servers of the domains with those of Cloudflare.
func (c *config) plan(ctx context.Context, a *cloudflare.Account, registrar *ovh.Account) (*lab.Plan, error) {
	spec := ovh.Spec{Stack: c.Stack}
	for _, d := range c.Delegations {
		servers, err := a.NameServers(ctx, d.Domain)
		if err != nil {
			return nil, err
		}
		spec.Delegations = append(spec.Delegations, ovh.Delegation{Domain: d.Domain, NameServers: servers, Dropped: d.Dropped,
			RemoveDS: d.RemoveDS,
			Other: func(ctx context.Context) (others []ovh.Record, err error) {
				all, err := a.Records(ctx, d.Domain)
				for _, r := range all {
					name := strings.TrimSuffix(strings.TrimSuffix(r.Name, d.Domain), ".")
					others = append(others, ovh.Record{Type: r.Type, Name: name, Targets: []string{r.Content}})
				}
				return others, err
			}})
	}
	return registrar.Plan(ctx, spec)
}

// registrar returns the account at OVH, or a sandbox, which has the domains with empty zones; then Cloudflare's gets its records.
func (to *access) registrar(ctx context.Context, c *config, a *cloudflare.Account, client, secret string) (*ovh.Account, func(), error) {
	leave := func() {}
	if to.id != "" {
		ref, err := lab.ParseSecretRef(secret)
		if err != nil {
			return nil, leave, err
		}
		value, err := ref.Resolve(os.LookupEnv, cli.Dir("").ReadFile)
		return &ovh.Account{ClientID: client, ClientSecret: value, Boundary: a.Boundary}, leave, err
	}
	f, err := ovhtest.Start(ovhtest.Config{})
	if err != nil {
		return nil, leave, err
	}
	leave = func() { _ = f.Close() }
	for _, d := range c.Delegations {
		f.AddDomain(d.Domain, "dns104.ovh.net", "ns104.ovh.net")
		f.AddZone(d.Domain)
	}
	p, err := a.Plan(ctx, c.spec())
	if err == nil {
		_, err = p.Apply(ctx, nil)
	}
	registrar := f.Access()
	return &registrar, leave, err
}
