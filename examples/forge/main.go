// Command forge provisions a Gitea server.
//
//	forge plan  --server https://HOST --token REF [flags] FORGE.yaml   show what would be done; exit 2 when there is any
//	forge apply --server https://HOST --token REF [flags] FORGE.yaml   do it
//	forge login --server https://HOST --user NAME --secrets DIR        make a token for the others, by a password
//	forge schema                                                       the JSON schema of FORGE.yaml
//
// The token is that of a site administrator, and a reference, env:NAME or file:PATH. Only a server on this machine is reached,
// or one in the networks that --allow names. --secrets names the directory that keeps what is made once: the key of
// fingerprints, and the secrets of applications. Exit codes: 0 done or nothing to do, 2 changes pending, 3
// blocked, 4 refused, 1 error, 130 interrupted. What cannot be planned is an error at the end; the rest is done.
package main

import (
	"context"
	_ "embed"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/strictyaml"
)

//go:embed schema.json
var schema string

func main() { cli.Main(program()) }

// program is the command tree.
func program() *cobra.Command {
	root := &cobra.Command{Use: "forge", Short: "provision a Gitea server",
		Long: `Provision a Gitea server: organizations, users, repositories, mirrors, and the
secrets and variables of Actions.

The token is that of a site administrator, and a reference, env:NAME or
file:PATH. Only a server on this machine is reached, or one in the networks
that --allow names. What cannot be planned is an error at the end; the rest is
done.

` + cli.ExitCodes}
	root.AddCommand(provision("plan", "show what would be done; exit with 2 if there are changes"),
		provision("apply", "make the changes"), login(), cli.PrintCommand("schema", "print the JSON schema of FORGE.yaml", schema))
	return root
}

// access is how the server is reached, on the command line.
type access struct {
	address, token, user, password, ca, identity string
	plaintext                                    bool
	allow                                        []string
}

// flags defines the flags of a command that reaches the server.
func (a *access) flags(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&a.address, "server", "", "the server's `address`, https://gitea.example.com")
	flags.StringVar(&a.token, "token", "", "where a site administrator's access token is, `file:PATH or env:NAME`")
	flags.StringVar(&a.user, "user", "", "a site administrator, instead of a token (`NAME`)")
	flags.StringVar(&a.password, "password", "", "where the user's password is, `file:PATH or env:NAME`")
	flags.StringVar(&a.ca, "ca", "", "a `file` with the certificate authority of the server; empty means the system's")
	flags.StringVar(&a.identity, "identity", "", "the `ID` of a key that the server must have, as /login/oauth/keys shows it")
	flags.StringArrayVar(&a.allow, "allow", nil, "a `network` or address that the server may be in when it is not on "+
		"this machine, as 192.168.1.202/32 (may be repeated)")
	flags.BoolVar(&a.plaintext, "plaintext", false, "allow http:// for a server elsewhere")
	cli.Require(c, "server")
}

// server is the server, inside the boundary: this machine, or the networks of --allow.
func (a *access) server() (*forge.Server, error) {
	s := &forge.Server{Address: a.address, User: a.user, Identity: a.identity, Plaintext: a.plaintext, Counters: &forge.Counters{}}
	var err error
	if s.Token, err = resolve(a.token); err != nil {
		return nil, err
	}
	if s.Password, err = resolve(a.password); err != nil {
		return nil, err
	}
	if a.ca != "" {
		pem, err := cli.Dir("").ReadFile(a.ca)
		if err != nil {
			return nil, &lab.Error{Op: "read certificate authority", Path: a.ca, Err: err}
		}
		s.CA = string(pem)
	}
	s.Boundary, err = cli.Allow(a.allow)
	return s, err
}

func resolve(reference string) (lab.Secret, error) {
	ref, err := lab.ParseSecretRef(reference)
	if err != nil {
		return lab.Secret{}, err
	}
	return ref.Resolve(os.LookupEnv, cli.Dir("").ReadFile)
}

// provision returns the command plan or apply.
func provision(verb, short string) *cobra.Command {
	var a access
	var secrets string
	request := cli.Request{Apply: verb == "apply"}
	c := &cobra.Command{Use: verb + " --server ADDRESS --token REF [flags] FORGE.yaml", Short: short, Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, words []string) error {
		out, err := cli.PrinterOf(c, say)
		if err != nil {
			return err
		}
		s, err := a.server()
		if err != nil {
			return err
		}
		plan, failed := read(c.Context(), s, words[0], secrets)
		var report *lab.Report
		err = failed
		if plan != nil && (failed == nil || !plan.Empty()) {
			report, err = out.Execute(c.Context(), plan, request)
			if failed != nil && errors.Is(err, cli.ErrPending) {
				err = nil
			}
			err = errors.Join(failed, err)
		}
		missing := 0
		if report != nil {
			missing = len(report.Results) - report.Count(lab.StatusDone)
		}
		out.Summary(map[string]any{"verb": verb, "changes": len(plan.Changes()), "failed": missing,
			"requests": s.Counters.Requests.Load()}, err)
		return err
	}
	a.flags(c)
	c.Flags().StringVar(&secrets, "secrets", "", "the `directory` that keeps the key of fingerprints and the secrets of applications")
	if request.Apply {
		request.Flags(c)
	}
	return c
}

// read plans what FORGE.yaml says.
func read(ctx context.Context, s *forge.Server, file, secrets string) (*lab.Plan, error) {
	spec, err := readSpec(file)
	if err != nil {
		return nil, err
	}
	if secrets == "" {
		return s.Plan(ctx, *spec)
	}
	dir := lab.SecretDir{Path: secrets}
	keys := &lab.Keyring{Sink: dir}
	spec.Sink = dir
	if spec.Key, err = keys.Secret(ctx, "forge-fingerprints", nil); err != nil {
		return nil, err
	}
	plan, failed := s.Plan(ctx, *spec)
	if plan == nil || plan.Empty() {
		return plan, failed
	}
	plan, err = keys.Plan(plan)
	return plan, errors.Join(failed, err)
}

// readSpec reads FORGE.yaml, with the values that it says the places of.
func readSpec(file string) (*forge.Spec, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &lab.Error{Op: "read forge", Path: file, Err: err}
	}
	d, err := strictyaml.Parse(file, data)
	if err != nil {
		return nil, err
	}
	var spec forge.Spec
	if err := d.Decode(&spec); err != nil {
		return nil, err
	}
	spec, err = spec.Resolve(os.LookupEnv, cli.DirOf(file).ReadFile)
	return &spec, d.Locate(err)
}

// say says with which flag or field a setting is set; "" when there is none.
func say(s lab.Setting) string {
	switch s.Name {
	case lab.SettingBoundary:
		return "--allow ADDRESS"
	case forge.SettingPlaintext:
		return "--plaintext"
	case forge.SettingRemotes:
		return "remotes: [" + s.Value + "]"
	case forge.SettingSecrets:
		return "--secrets DIR"
	case forge.SettingMaxDeletes:
		return "maxDeletes: " + s.Value
	}
	return ""
}
