// Command token makes scoped API tokens of an account of Cloudflare, and keeps their values.
//
//	token plan  [flags] TOKENS.yaml   show what would be done; exit 2 when there is any
//	token apply [flags] TOKENS.yaml   do it
//	token schema                      the JSON schema of TOKENS.yaml
//
// Without --account, all of it is done in a sandbox: an account in this process, which has the zones and is gone at
// the end. With --account, --token, a reference env:NAME or file:PATH, and --secrets, the directory that keeps the values, it is the
// real one, of which --allow names the networks that may be reached, as 104.16.0.0/12.
package main

import (
	_ "embed"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/cloudflare/cloudflaretest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

//go:embed schema.json
var schema string

// config is TOKENS.yaml.
type config struct {
	Stack  string             `yaml:"stack"` // whose tokens these are; empty means lab
	Prune  bool               `yaml:"prune"` // tokens of the stack that are not named are removed
	Adopt  bool               `yaml:"adopt"` // a token of another name is taken over, if its value is kept here
	Tokens []cloudflare.Token `yaml:"tokens,required"`
}

func (c config) spec() cloudflare.Spec {
	return cloudflare.Spec{Stack: c.Stack, Prune: c.Prune, Adopt: c.Adopt, Tokens: c.Tokens}
}

func main() { cli.Main(program()) }

// program is the command tree.
func program() *cobra.Command {
	root := &cobra.Command{Use: "token", Short: "make scoped API tokens of Cloudflare",
		Long: `Make scoped API tokens of an account of Cloudflare, by the names of permission
groups, and keep their values, which Cloudflare shows once, in a directory.

Without --account, all of it is done in a sandbox: an account in this process,
which has the zones, and is gone at the end.

` + cli.ExitCodes}
	root.AddCommand(provision("plan", "show what would be done; exit with 2 if there are changes"),
		provision("apply", "make the changes"), cli.PrintCommand("schema", "print the JSON schema of TOKENS.yaml", schema))
	return root
}

// provision returns the command plan or apply.
func provision(verb, short string) *cobra.Command {
	var id, token, secrets string
	var allow []string
	request := cli.Request{Apply: verb == "apply"}
	c := &cobra.Command{Use: verb + " [flags] TOKENS.yaml", Short: short, Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, words []string) error {
		out, err := cli.PrinterOf(c, say)
		if err != nil {
			return err
		}
		wanted, err := read(words[0])
		if err != nil {
			return err
		}
		a, leave, err := account(wanted, id, token, allow)
		if err != nil {
			return err
		}
		defer leave()
		spec := wanted.spec()
		if secrets == "" && id == "" { // of the sandbox
			if secrets, err = os.MkdirTemp("", "token"); err != nil {
				return err
			}
			defer os.RemoveAll(secrets)
		}
		if secrets != "" {
			spec.Sink = lab.SecretDir{Path: secrets}
		}
		plan, err := a.Plan(c.Context(), spec)
		if err == nil {
			_, err = out.Execute(c.Context(), plan, request)
		}
		out.Summary(map[string]any{"verb": verb, "changes": len(plan.Changes()), "requests": a.Counters.Requests.Load()}, err)
		return err
	}
	flags := c.Flags()
	flags.StringVar(&id, "account", "", "the `ID` of the account; empty means a sandbox")
	flags.StringVar(&token, "token", "", "where a token of the account is, `file:PATH or env:NAME`")
	flags.StringVar(&secrets, "secrets", "", "the `directory` that keeps the values; in a sandbox, one that is removed at the end")
	flags.StringArrayVar(&allow, "allow", nil, "a `network` that Cloudflare's API may be in, as 104.16.0.0/12 (may be repeated)")
	if request.Apply {
		request.Flags(c)
	}
	return c
}

func read(file string) (*config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &lab.Error{Op: "read tokens", Path: file, Err: err}
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
	s.Sink = lab.SecretDir{} // which one, the command line says
	return &c, d.Locate(s.Validate().Err())
}

// account returns the account that is named, or a sandbox.
func account(c *config, id, token string, allow []string) (a cloudflare.Account, leave func(), err error) {
	leave = func() {}
	if id == "" {
		sandbox := cloudflaretest.Config{}
		for _, t := range c.Tokens {
			for _, g := range t.Grants {
				sandbox.Zones = append(sandbox.Zones, g.Zones...)
			}
		}
		sandbox.Zones = slices.DeleteFunc(slices.Compact(sandbox.Zones), func(name string) bool { return name == "*" })
		f, err := cloudflaretest.Start(sandbox)
		if err != nil {
			return a, leave, err
		}
		a, leave = f.Access(), func() { _ = f.Close() }
	} else {
		ref, err := lab.ParseSecretRef(token)
		if err != nil {
			return a, leave, err
		}
		a.ID = id
		if a.Token, err = ref.Resolve(os.LookupEnv, cli.Dir("").ReadFile); err != nil {
			return a, leave, err
		}
		if a.Boundary, err = cli.Allow(allow); err != nil {
			return a, leave, err
		}
	}
	a.Counters = &cloudflare.Counters{}
	return a, leave, nil
}

// say says with which flag or field a setting is set; "" when there is none.
func say(s lab.Setting) string {
	switch s.Name {
	case lab.SettingBoundary:
		return "--allow ADDRESS"
	case cloudflare.SettingSink:
		return "--secrets DIR"
	case cloudflare.SettingAdopt:
		return "adopt: true"
	}
	return ""
}
