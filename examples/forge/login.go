package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/forge"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

// login returns the command that gets a token for the others, by the password of an administrator. A token that is
// kept and works is left as it is.
func login() *cobra.Command {
	var a access
	var secrets string
	c := &cobra.Command{Use: "login --server ADDRESS --user NAME --secrets DIR [flags]", Args: cobra.NoArgs,
		Short: "make an access token for the other commands, by a password"}
	c.RunE = func(c *cobra.Command, _ []string) error {
		out, err := cli.PrinterOf(c, say)
		if err != nil {
			return err
		}
		if a.token != "" {
			return cli.Usage("--token is what login makes")
		}
		s, err := a.server()
		if err != nil {
			return err
		}
		if t := cli.TerminalOf(c); s.Password.IsZero() && t != nil {
			if s.Password, err = t.AskSecret(c.Context(), "password of "+a.user+": "); err != nil {
				return err
			}
		}
		name, err := tokenName()
		if err != nil {
			return err
		}
		plan, err := s.Plan(c.Context(), forge.Spec{Sink: lab.SecretDir{Path: secrets}, Users: []forge.User{{Name: a.user,
			Tokens: []forge.Token{{Name: name,
				Scopes: []string{"write:admin", "write:organization", "write:repository", "write:user"}}}}}})
		if err != nil {
			return err
		}
		if _, err := out.Execute(c.Context(), plan, cli.Request{Apply: true, Yes: true}); err != nil {
			return err
		}
		out.Printf("use --token file:%s\n", filepath.Join(secrets, forge.TokenName(a.user, name)))
		out.Summary(map[string]any{"verb": "login", "changes": len(plan.Changes()), "requests": s.Counters.Requests.Load()}, nil)
		return nil
	}
	a.flags(c)
	c.Flags().StringVar(&secrets, "secrets", "", "the `directory` that keeps the token")
	cli.Require(c, "user", "secrets")
	return c
}

// tokenName is the name of the token that this program makes for itself, on this machine: a token of the same name that is kept
// elsewhere would be succeeded by this one, and removed.
func tokenName() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", &lab.Error{Op: "name the token", Err: err}
	}
	return "forge-" + strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '-'
	}, host), nil
}
