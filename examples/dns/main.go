// Command dns provisions the records of zones at Cloudflare, and delegates their domains at OVH to it.
//
//	dns plan  [flags] ZONES.yaml            show what would be done; exit 2 when there is any
//	dns apply [flags] ZONES.yaml            do it
//	dns delegate plan  [flags] ZONES.yaml   the same for the name servers of the domains at OVH
//	dns delegate apply [flags] ZONES.yaml
//	dns schema                              the JSON schema of ZONES.yaml
//
// Without --account, all of it is done in a sandbox: accounts in this process, which have the zones and no records, and are
// gone at the end. With --account and --token, a reference env:NAME or file:PATH, it is the real one, of which --allow
// names the networks that may be reached, as 104.16.0.0/12.
package main

import (
	_ "embed"
	"os"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ovh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

//go:embed schema.json
var schema string

// config is ZONES.yaml.
type config struct {
	Stack      string            `yaml:"stack"`      // whose records these are; empty means lab
	Prune      bool              `yaml:"prune"`      // records of the stack that are not named are removed
	MaxDeletes int               `yaml:"maxDeletes"` // how many at most; 0 means 5, or 3 of 10
	Adopt      bool              `yaml:"adopt"`      // records without a mark that differ are taken over
	Zones      []cloudflare.Zone `yaml:"zones,required"`

	Delegations []delegation `yaml:"delegations"` // domains at OVH
}

func (c config) spec() cloudflare.Spec {
	return cloudflare.Spec{Stack: c.Stack, Prune: c.Prune, MaxDeletes: c.MaxDeletes, Adopt: c.Adopt, Zones: c.Zones}
}

func main() { cli.Main(program()) }

// program is the command tree.
func program() *cobra.Command {
	root := &cobra.Command{Use: "dns", Short: "provision the records of zones at Cloudflare",
		Long: `Provision the records and settings of zones at Cloudflare, and delegate their
domains at OVH to it.

Without --account, all of it is done in a sandbox: accounts in this process,
which have the zones and no records, and are gone at the end.

` + cli.ExitCodes}
	root.AddCommand(provision("plan", "show what would be done; exit with 2 if there are changes"),
		provision("apply", "make the changes"), delegate(), cli.PrintCommand("schema", "print the JSON schema of ZONES.yaml", schema))
	return root
}

// provision returns the command plan or apply.
func provision(verb, short string) *cobra.Command {
	var to access
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
		plan, err := a.Plan(c.Context(), wanted.spec())
		if err == nil {
			_, err = out.Execute(c.Context(), plan, request)
		}
		out.Summary(map[string]any{"verb": verb, "changes": len(plan.Changes()), "requests": a.Counters.Requests.Load()}, err)
		return err
	}
	to.flags(c)
	if request.Apply {
		request.Flags(c)
	}
	return c
}

func read(file string) (*config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &lab.Error{Op: "read zones", Path: file, Err: err}
	}
	d, err := strictyaml.Parse(file, data)
	if err != nil {
		return nil, err
	}
	var c config
	if err := d.Decode(&c); err != nil {
		return nil, err
	}
	s := c.spec()
	return &c, d.Locate(s.Validate().Err())
}

// access is how the account is reached, on the command line.
type access struct {
	id, token string
	allow     []string
}

func (to *access) flags(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&to.id, "account", "", "the `ID` of the account; empty means a sandbox")
	flags.StringVar(&to.token, "token", "", "where a token of the account is, `file:PATH or env:NAME`")
	flags.StringArrayVar(&to.allow, "allow", nil, "a `network` that the APIs may be in, as 104.16.0.0/12 (may be repeated)")
}

// account returns the account that is named, or a sandbox.
func (to *access) account(c *config) (*cloudflare.Account, func(), error) {
	leave := func() {}
	counters := &cloudflare.Counters{}
	if to.id != "" {
		ref, err := lab.ParseSecretRef(to.token)
		if err != nil {
			return nil, leave, err
		}
		token, err := ref.Resolve(os.LookupEnv, cli.Dir("").ReadFile)
		if err != nil {
			return nil, leave, err
		}
		boundary, err := cli.Allow(to.allow)
		return &cloudflare.Account{ID: to.id, Token: token, Boundary: boundary, Counters: counters}, leave, err
	}
	sandbox := cloudflaretest.Config{}
	for _, z := range c.Zones {
		if !z.Create {
			sandbox.Zones = append(sandbox.Zones, z.Name)
		}
	}
	f, err := cloudflaretest.Start(sandbox)
	if err != nil {
		return nil, leave, err
	}
	a := f.Access()
	a.Counters = counters
	return &a, func() { _ = f.Close() }, nil
}

// say says with which flag or field a setting is set; "" when there is none.
func say(s lab.Setting) string {
	switch s.Name {
	case lab.SettingBoundary:
		return "--allow ADDRESS"
	case cloudflare.SettingAdopt, cloudflare.SettingMaxDeletes, ovh.SettingRemoveDS:
		return s.Name + ": " + s.Value
	}
	return ""
}
