package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
)

// access is where the token of a command comes from: a token, the keys of the init, or an identity token.
type access struct {
	token, rootOf               string
	mount, role, idToken        string
	audience                    string
	gitea, clientID, giteaCA    string
	clientSecret, refresh, next string
}

// tokenFlags defines the flags of a command that needs a token.
func (a *access) tokenFlags(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&a.token, "token", "", "where the token is, `file:PATH or env:NAME`")
	flags.StringVar(&a.rootOf, "root-of", "", "where the keys of the init are, `file:PATH or env:NAME`, to work as "+
		"root, with a token "+
		"that is revoked in the end")
	a.loginFlags(c)
	c.MarkFlagsMutuallyExclusive("token", "root-of", "id-token")
}

// loginFlags defines the flags by which a CI job logs in.
func (a *access) loginFlags(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&a.idToken, "id-token", "", "where an identity token is, `file:PATH or env:NAME`; actions: the "+
		"runner is asked, by "+
		"ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN; gitea: it is exchanged for a refresh token")
	flags.StringVar(&a.role, "role", "", "the `role` to log in as with it; without it, the mount's default role")
	flags.StringVar(&a.mount, "mount", "", "the `path` of the method that takes it; without it, gitea_jwt")
	flags.StringVar(&a.audience, "audience", "", "the `audience` that the runner is asked for")
	flags.StringVar(&a.gitea, "gitea", "", "the `URL` of Gitea")
	flags.StringVar(&a.giteaCA, "gitea-ca", "", "the `file` with its certificates; without it, the system's")
	flags.StringVar(&a.clientID, "client-id", "", "the `ID` of the OAuth2 application")
	flags.StringVar(&a.clientSecret, "client-secret", "", "where its secret is, `file:PATH or env:NAME`")
	flags.StringVar(&a.refresh, "refresh-token", "", "where the refresh token is, `file:PATH or env:NAME`")
	flags.StringVar(&a.next, "next-refresh-token", "", "the `file` into which its successor is written; without it, "+
		"that is dropped")
}

// open returns the server with its token, and what ends its session.
func (o *options) open(c *cobra.Command) (s *vaultprov.Server, done func() error, err error) {
	done = func() error { return nil }
	if s, err = o.server(c); err != nil {
		return nil, nil, err
	}
	var session *vaultprov.Session
	switch {
	case o.token != "":
		token, err := resolve(o.token)
		if err != nil {
			return nil, nil, err
		}
		s.Token = vaultprov.StaticToken(token)
		return s, done, nil
	case o.rootOf != "":
		keys, err := readKeys(o.rootOf)
		if err != nil {
			return nil, nil, err
		}
		session, err = s.Root(c.Context(), keys)
		if err != nil {
			return nil, nil, err
		}
	case o.idToken != "":
		if session, err = o.login(c.Context(), s); err != nil {
			return nil, nil, err
		}
	default:
		return s, done, nil
	}
	s.Token = session
	return s, func() error { return session.Close(c.Context()) }, nil
}

// login logs in with an identity token.
func (o *options) login(ctx context.Context, s *vaultprov.Server) (*vaultprov.Session, error) {
	l := vaultprov.Login{Mount: o.mount, Role: o.role}
	endpoint := vaultprov.Endpoint{Boundary: s.Boundary, CA: s.CA}
	switch o.idToken {
	case "actions":
		a, err := vaultprov.ActionsFrom(os.LookupEnv)
		if err != nil {
			return nil, err
		}
		a.Audience, a.Endpoint = o.audience, endpoint
		l.IDToken = a
	case "gitea":
		g, err := o.giteaToken(endpoint)
		if err != nil {
			return nil, err
		}
		l.IDToken = g
	default:
		token, err := resolve(o.idToken)
		if err != nil {
			return nil, err
		}
		l.IDToken = idToken{token}
	}
	return s.Login(ctx, l)
}

// idToken is a source of one token.
type idToken struct{ token lab.Secret }

func (i idToken) IDToken(context.Context) (lab.Secret, error) { return i.token, nil }

func (o *options) giteaToken(endpoint vaultprov.Endpoint) (*vaultprov.GiteaIDToken, error) {
	g := &vaultprov.GiteaIDToken{Address: o.gitea, ClientID: o.clientID, Endpoint: endpoint}
	if o.gitea == "" || o.clientID == "" || o.clientSecret == "" || o.refresh == "" {
		return nil, cli.Usage("--id-token gitea needs --gitea, --client-id, --client-secret and --refresh-token")
	}
	g.Endpoint.CA = ""
	if o.giteaCA != "" {
		pem, err := cli.Dir("").ReadFile(o.giteaCA)
		if err != nil {
			return nil, &lab.Error{Op: "read certificates", Path: o.giteaCA, Err: err}
		}
		g.Endpoint.CA = string(pem)
	}
	var err error
	if g.ClientSecret, err = resolve(o.clientSecret); err != nil {
		return nil, err
	}
	if g.Refresh, err = resolve(o.refresh); err != nil {
		return nil, err
	}
	if o.next != "" {
		g.Successor = func(_ context.Context, _, successor lab.Secret) error { return writeToken(o.next, successor) }
	}
	return g, nil
}

func loginCommand() *cobra.Command {
	o := &options{}
	var file string
	c := &cobra.Command{Use: "login --address URL --id-token REF --out FILE [flags]",
		Short: "log in as a CI job does, and write the token",
		Args:  cli.Words(0, 0)}
	o.flags(c)
	o.loginFlags(c)
	c.Flags().StringVar(&file, "out", "", "the `file` into which the token is written, mode 0600; vault logout "+
		"revokes it")
	cli.Require(c, "id-token", "out")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := o.server(c)
		if err != nil {
			return err
		}
		session, err := o.login(c.Context(), s)
		if err != nil {
			return err
		}
		token, err := session.Token(c.Context(), lab.Secret{})
		if err == nil {
			err = writeToken(file, token)
		}
		if err != nil {
			err = errors.Join(err, session.Close(c.Context()))
		}
		return err
	}
	return c
}

func logoutCommand() *cobra.Command {
	o := &options{}
	c := &cobra.Command{Use: "logout --address URL --token REF [flags]", Short: "revoke a token", Args: cli.Words(0, 0)}
	o.flags(c)
	c.Flags().StringVar(&o.token, "token", "", "where the token is, `file:PATH or env:NAME`")
	cli.Require(c, "token")
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := o.server(c)
		if err != nil {
			return err
		}
		token, err := resolve(o.token)
		if err != nil {
			return err
		}
		return s.Session(token).Close(c.Context())
	}
	return c
}

// writeToken writes a token into a file that nobody else may read. A file that is there is replaced.
func writeToken(file string, token lab.Secret) error {
	fail := func(err error) error { return &lab.Error{Op: "write token", Path: file, Err: err} }
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fail(err)
	}
	_, err = f.WriteString(token.Reveal() + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return fail(err)
	}
	return nil
}
